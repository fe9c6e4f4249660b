"""What a departure looks like: its breadth over the parts, and its shape over the panes."""

import msgspec
import numpy as np
import pytest

from detectors.course import Course, pace
from detectors.grid import numeric_grid
from detectors.reference import reference_of
from streams.monitor.forms import MOST_LOOKS, Forms, Partition, SavedForms
from streams.monitor.trail import Trail

GRID = numeric_grid(np.random.default_rng(1).normal(size=5000))
BEFORE, SINCE = 20, 12


def counts(rng, rows, mean=0.0, spread=1.0):
    """Rows of one numeric signal and of a flag that never changes."""
    cells = np.bincount(GRID.codes(rng.normal(mean, spread, rows)), minlength=GRID.width)
    flags = rng.binomial(rows, 0.3)
    return np.concatenate([cells, [rows - flags, flags, 0, 0]])


def references(seed=2):
    """Those of both signals, from 40 panes."""
    rng = np.random.default_rng(seed)
    panes = np.array([counts(rng, 250) for _ in range(40)])
    return [
        reference_of("numeric", panes[:, : GRID.width]),
        reference_of("categorical", panes[:, GRID.width :]),
    ]


def forms(*, rows=100, how=lambda since: {"mean": 1.0}, seed=3, known=None):
    """The forms of a place whose numeric signal changes after `BEFORE` panes."""
    own = known or references()
    made, rng = Forms(Partition(own), own, [0.1, 0.1]), np.random.default_rng(seed)
    for pane in range(BEFORE + SINCE):
        made.take(pane, counts(rng, rows, **({} if pane < BEFORE else how(pane - BEFORE))))
    return made


def said(whole, *segmentations):
    """The form of the numeric signal of `whole`, looked at once."""
    assert [0] == whole.due([2, 0])
    whole.look(0, BEFORE, BEFORE + SINCE - 1, segmentations)
    return whole.said[0]


STILL = lambda since: {}
WIDER = lambda since: {"spread": 2.0}
GROWING = lambda since: {"mean": 1.5 * (since + 1) / SINCE}


def test_a_change_in_all_parts_is_uniform():
    assert "uniform" == said(forms(), [forms(seed=4), forms(seed=5), forms(seed=6)]).breadth


def test_a_change_in_one_part_of_two_is_localised():
    """The whole moves by half as much as that part."""
    whole = forms(how=lambda since: {"mean": 0.5})
    assert "localised" == said(whole, [forms(seed=4), forms(how=STILL, seed=5)]).breadth


def test_one_segmentation_that_tells_a_part_is_enough():
    """By colour all have moved, by country only some."""
    colours = [forms(seed=4), forms(seed=5)]
    countries = [forms(how=lambda since: {"mean": 2.0}, seed=6), forms(how=STILL, seed=7)]
    assert "localised" == said(forms(), colours, countries).breadth


def test_a_small_part_that_holds_still_does_not_make_it_local():
    """A tenth of the rows: four fifths have moved."""
    parts = [forms(rows=90), forms(rows=20, how=STILL)]
    assert "uniform" == said(forms(rows=110), parts).breadth


def test_a_part_that_moved_the_other_way_has_not_moved_with_it():
    parts = [forms(seed=4), forms(how=lambda since: {"mean": -1.0}, seed=5)]
    assert "localised" == said(forms(), parts).breadth


@pytest.mark.parametrize(
    "parts",
    [
        (),
        ([],),
        ([forms(seed=4)],),
        ([forms(rows=1, seed=4), forms(rows=1, seed=5)],),
        ([forms(how=STILL, seed=4), forms(how=STILL, seed=5)],),
    ],
    ids=["no segmentation", "no part", "one part", "few rows", "only the mix moved"],
)
def test_what_cannot_be_told_is_not_said(parts):
    whole = forms(how=lambda since: {"mean": 0.5})
    assert said(whole, *parts).breadth is None


def test_a_wider_spread_is_followed_as_well_as_a_mean():
    """What moved most is looked for in the parts."""
    assert "uniform" == said(forms(how=WIDER), [forms(how=WIDER, seed=4)] * 2).breadth
    assert "localised" == said(forms(how=WIDER), [forms(how=STILL), forms(how=WIDER)]).breadth


def test_at_once_or_gradual():
    assert "sudden" == said(forms()).shape
    assert "gradual" == said(forms(how=GROWING)).shape


def test_it_is_looked_at_after_one_two_four_panes_and_not_for_ever():
    made = forms()
    due = [bool(made.due([1, 0])) for _ in range(80)]
    assert [0, 1, 2, 4, 8, 16, 32] == [at for at, one in enumerate(due) if one]
    assert [] == made.due([0, 0])
    assert [0] == made.due([1, 0]), "it moves anew"


def test_what_belongs_to_an_incident_that_is_over_tells_nothing():
    made = forms()
    made.restart(0)
    assert (None, None) == (said(made).shape, made.said[0].breadth)


def test_a_snapshot_goes_on_alike():
    made, own = forms(how=GROWING), references()
    made.due([1, 0])
    again = Forms(Partition(own), own, [0.1, 0.1])
    again.load(msgspec.msgpack.decode(msgspec.msgpack.encode(made.save()), type=SavedForms))
    for one in (made, again):
        one.due([1, 0])
        one.look(0, BEFORE, BEFORE + SINCE - 1, [])
    assert made.said == again.said
    assert made.save() == again.save()


def test_of_many_that_move_at_once_those_that_alarm_come_first():
    """Looking is dear; those that only join are looked at later, or not at all."""
    made = forms()
    levels = [1] * 40 + [2] * 10
    first = made.due(levels)
    assert (MOST_LOOKS, [*range(40, 50)]) == (len(first), first[:10])
    assert 50 == len(made.said)


def large_step(seed):
    """A share that steps from 0 to .7 somewhere inside a pane, in panes of 500 rows."""
    rng, trail = np.random.default_rng([9, seed]), Trail()
    before, since, part = int(rng.integers(20, 60)), int(rng.choice([4, 8, 16])), rng.random()
    for pane in range(before + since + 2):
        share = 0.0 if pane < before else 0.7 * (part if pane == before else 1.0)
        yes = rng.binomial(500, share)
        trail.take(pane, np.array([500 - yes, yes]))
    held = [one for one in trail if one.last >= before - since - BEFORE]
    rows = np.array([float(one.row.sum()) for one in held])
    return Course(
        begins=np.array([float(one.first) for one in held]),
        ends=np.array([one.last + 1.0 for one in held]),
        means=np.array([one.row[1] for one in held]) / rows,
        variances=0.21 / rows,
        doubt=1e-5,
    )


def test_a_step_of_many_errors_inside_a_pane_is_no_climb():
    """Wherever it lies in a stretch of the trail; before it was looked for there, 12 % were."""
    said = [pace(large_step(seed)) for seed in range(100)]
    assert said.count("gradual") <= 3
    assert said.count("sudden") >= 97
