"""Panes that are better and worse in turn are found; a level that moves, or chance, is not."""

from math import log

import msgspec
import numpy as np
import pytest
from scipy.stats import binom

from detectors.reference import dispersion
from streams.monitor.outcomes.swinging import MEMORY, Levels, Swinging, log_stake
from streams.monitor.outcomes.widening import Border, Rate, State, log_evidence

CHANGE = 40
USUAL = 0.2
TOLERANCE = 0.02


def detector(rng, was=USUAL, *, tolerance=TOLERANCE, reference=5000, factor=1.0):
    """Of a model whose reference was drawn at this share of misses."""
    before = Rate(float(rng.binomial(reference, was)), float(reference))
    return Swinging(Border.of(before, tolerance, factor), factor)


def alarms(one, misses, rows, run_length=1000):
    """Panes of alarms; the detector begins anew after each. `misses` (panes,)."""
    found = []
    for number, count in enumerate(misses):
        one.update(number, {"*": Rate(float(count), float(rows))})
        evidence = log_evidence(one.state)
        if evidence is not None and evidence >= log(run_length) and one.apart:
            found.append(number)
            one.restart()
    return found


def run(seed, levels, rows, **how):
    """Panes of alarms of a model whose share of misses is `levels` (panes,)."""
    rng = np.random.default_rng(seed)
    return alarms(detector(rng, **how), rng.binomial(rows, levels), rows)


def swings(by, period, panes=200):
    """Shares of misses of panes: so far up and down for `period` panes each, from CHANGE on."""
    signs = np.where(np.arange(panes) // period % 2, 1, -1)
    return USUAL + by * signs * (np.arange(panes) >= CHANGE)


@pytest.mark.parametrize("rows", [1, 7, 30, 200])
@pytest.mark.parametrize(
    ("low", "high", "levels"),
    [
        (0.18, 0.22, (0.14, 0.26)),
        (0.17, 0.23, (0.1, 0.9)),
        (0.01, 0.07, (1e-6, 0.3)),
        (0.45, 0.55, (0.44, 0.56)),
        (0.2, 0.2, (0.1, 0.25)),
    ],
)
def test_a_stake_pays_one_at_most_on_average_wherever_the_level_is(low, high, levels, rows):
    """By the definition of an e-variable, over all outcomes of a pane; at a border it is 1."""
    border = Border((low + high) / 2, low, high)
    misses = np.arange(rows + 1)
    paid = np.exp([log_stake(Rate(float(k), float(rows)), Levels(*levels), border) for k in misses])
    means = [binom.pmf(misses, rows, p) @ paid for p in np.linspace(low, high, 41)]
    assert max(means) <= 1 + 1e-9
    assert 1.0 == pytest.approx(max(means[0], means[-1]))
    gains = [binom.pmf(misses, rows, p) @ paid for p in levels]
    assert rows < 30 or 1 < np.mean(gains), "and more where it swings"


def test_a_pane_of_many_rows_counts_as_a_thousand_and_of_none_not_at_all():
    border, levels = Border(0.2, 0.18, 0.22), Levels(0.14, 0.26)
    of = lambda rows, factor=1.0: log_stake(Rate(0.26 * rows, rows), levels, border, factor)
    assert of(1000.0) == of(50_000.0) == of(4000.0, 4.0)
    assert 0.0 == of(3.0, 4.0)


@pytest.mark.parametrize(("rows", "by"), [(100, 0.08), (300, 0.06), (2000, 0.06)])
@pytest.mark.parametrize("period", [1, 7])
def test_swings_are_found_though_the_mean_holds(rows, by, period):
    """Of three times the tolerance, within eighty panes, whether each is short or long."""
    found = run(11, swings(by, period), rows)
    assert found
    assert CHANGE < found[0] <= CHANGE + 80


def test_panes_of_few_rows_are_taken_together():
    """Ten rows each: three panes are one, and six of them a swing."""
    found = run(12, swings(0.15, 18, panes=500), 10)
    assert found
    assert CHANGE < found[0]


@pytest.mark.parametrize("rows", [10, 30, 100, 1000])
@pytest.mark.parametrize("was", [0.02, 0.2, 0.5])
@pytest.mark.parametrize("tolerance", [0.0, TOLERANCE])
def test_a_level_that_stays_is_silent(rows, was, tolerance):
    """Within the promise of one alarm in a hundred panes, which is six in 600."""
    rng = np.random.default_rng(13)
    one = detector(rng, was, tolerance=tolerance)
    assert len(alarms(one, rng.binomial(rows, was, 600), rows, run_length=100)) <= 6


@pytest.mark.parametrize("by", [0.06, 0.3, -0.1, -0.19])
@pytest.mark.parametrize("rows", [30, 300])
def test_a_level_that_moves_is_no_swing(by, rows):
    """Once, for good; nor one that comes back, or climbs all the time."""
    panes = np.arange(160)
    once = USUAL + by * (panes >= CHANGE)
    back = USUAL + by * ((panes >= CHANGE) & (panes < CHANGE + 20))
    slow = USUAL + by * np.clip((panes - CHANGE) / 40, 0, 1)
    for seed in (14, 15, 16):
        assert [[], [], []] == [run(seed, levels, rows) for levels in (once, back, slow)]


def test_swings_of_the_reference_are_normal():
    """Panes that swung as far when the reference was made, in a rhythm or by chance."""
    rng = np.random.default_rng(17)
    beat = USUAL + 0.08 * np.sin(2 * np.pi * np.arange(360) / 12)
    chance = rng.beta(USUAL * 49, (1 - USUAL) * 49, 360)
    for levels in (beat, chance):
        misses = rng.binomial(200, levels)
        before = misses[:60]
        factor = float(dispersion(np.stack([200 - before, before], axis=1)).max())
        assert factor > 3
        border = Border.of(Rate(float(before.sum()), 60 * 200.0), TOLERANCE, factor)
        assert [] == alarms(Swinging(border, factor), misses[60:], 200)
        assert alarms(Swinging(border, 1.0), misses[60:], 200), "it would, if it were not normal"


@pytest.mark.slow
@pytest.mark.parametrize("panes", [30, 100])
@pytest.mark.parametrize(("rows", "rho"), [(100, 0.0), (100, 0.02), (100, 0.1), (1000, 0.01)])
def test_the_promise_holds_for_references_as_they_are_measured(rows, rho, panes):
    """Twelve references of so many panes, each with a thousand panes after it: 120 alarms at most.

    Rates vary from pane to pane by a correlation `rho` of rows; without any tolerance.
    """
    found = []
    for seed in range(12):
        rng = np.random.default_rng(100 + seed)
        size = panes + 1000
        levels = np.full(size, USUAL)
        if rho:
            levels = rng.beta(USUAL * (1 / rho - 1), (1 - USUAL) * (1 / rho - 1), size)
        misses = rng.binomial(rows, levels)
        before = misses[:panes]
        factor = float(dispersion(np.stack([rows - before, before], axis=1)).max())
        border = Border.of(Rate(float(before.sum()), float(panes * rows)), 0.0, factor)
        found.append(len(alarms(Swinging(border, factor), misses[panes:], rows, run_length=100)))
    assert sum(found) <= 120
    assert max(found) <= 30, "no reference breaks the promise threefold by bad luck"


def test_quartiles_stand_beside_what_rows_explain():
    """Of stationary panes they are as far apart as they should be, of swinging ones further."""
    rng = np.random.default_rng(18)
    quiet, loud = detector(rng), detector(rng)
    assert quiet.quartiles is None
    for number, (calm, wild) in enumerate(
        zip(np.full(60, USUAL), swings(0.1, 1)[-60:], strict=True)
    ):
        quiet.update(number, {"*": Rate(float(rng.binomial(400, calm)), 400.0)})
        loud.update(number, {"*": Rate(float(rng.binomial(400, wild)), 400.0)})
    was, now = quiet.quartiles
    assert 2 * 0.6745 * np.sqrt(USUAL * (1 - USUAL) / 400) == pytest.approx(was.width, rel=0.05)
    assert was.width == pytest.approx(now.width, rel=0.5)
    assert not quiet.apart
    was, now = loud.quartiles
    assert 0.2 == pytest.approx(now.width, abs=0.05)
    assert loud.apart
    assert (MEMORY * 400, 10) == (loud.rows, loud.first(59))


def test_a_snapshot_goes_on_alike():
    """Taken at any pane, also where a pane still lacks rows."""
    rng = np.random.default_rng(19)
    one, rows = detector(rng), 70
    for number, level in enumerate(swings(0.15, 2)):
        again = Swinging(one._border, 1.0)
        again.state = msgspec.msgpack.decode(msgspec.msgpack.encode(one.state), type=State)
        brought = {"*": Rate(float(rng.binomial(rows, level)), float(rows))}
        for each in (one, again):
            each.update(number, brought)
        assert (one.state, one.quartiles) == (again.state, again.quartiles)
        rows = 70 if number % 3 else 11
    assert one.state.bets > 0
