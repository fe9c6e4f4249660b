"""Rankings: the miss of a list (1 - NDCG) is judged as the signal `error`, and NDCG follows it."""

import numpy as np
import pytest

from detectors.rankings import STEPS
from schemas.grid import Grid, Layout, SegmentGrid, SignalGrid
from streams.monitor.lane import Lane
from streams.monitor.rollout.shadow import Shadows
from streams.monitor.rollout.sides import Sides
from streams.monitor.rollout.trial import Trial
from streams.monitor.watch import Part
from streams.monitor.watches.annotators import Annotators
from streams.monitor.watches.performance import Performance
from streams.policy.family import family_of
from streams.policy.severity import Limits, severity_of
from tests.monitor.closing import PANE, closing
from tests.monitor.outcomes import learned, said

GRID = Grid(
    model="m",
    task="ranking",
    features=(SignalGrid(name="c", type="categorical", categories=("a",)),),
    target=SignalGrid(name="target", type="numeric", edges=(0.0, 10.0, 20.0), center=10.0),
    segments=(SegmentGrid(name="r", source="tag", values=("a", "b")),),
)
LAYOUT = Layout(GRID)
ROWS = 100


def packed(gains):
    """Lists of these NDCG (n,), whose average precision is half of it."""
    steps = np.rint(gains * STEPS)
    return steps * (STEPS + 1) + np.rint(steps / 2)


def vector(kept):
    """An outcomes' vector of packed lists (n,)."""
    n, one = len(kept), {"groups": np.zeros(len(kept), np.intp), "n_groups": 1}
    out = np.zeros(LAYOUT.width("outcomes"), np.int64)
    out[LAYOUT.outcomes["ranking"].span] = LAYOUT.ranking.count(kept, **one)[0]
    misses = 1 - np.floor(kept / (STEPS + 1)) / STEPS
    block = LAYOUT.outcomes["error"]
    out[block.span] = np.bincount(LAYOUT.residuals.codes(misses), minlength=block.width)
    out[LAYOUT.outcomes["delay"].span] = LAYOUT.delay.count(np.full(n, 5.0 * PANE), **one)[0]
    return out


def outcomes(rng, mean=0.8, nothing=0.2, n=ROWS):
    """Lists of a mean NDCG and a standard deviation of about .2; of some nothing is relevant."""
    gains = rng.beta(3 * mean / (1 - mean) ** 0.5, 3 * (1 - mean) ** 0.5, n)
    return vector(np.where(rng.random(n) < nothing, np.nan, packed(gains)))


def judged(seed, panes, **change):
    """What lane and performance say of each pane; from the tenth on the lists are changed."""
    rng = np.random.default_rng(seed)
    made = learned(LAYOUT, [outcomes(rng) for _ in range(60)])
    lane, watch = Lane.outcomes(made), Performance(made)
    for number in range(panes):
        new = outcomes(rng, **(change if number >= 10 else {}))
        part = Part("1", "*", number, late=False, vector=new)
        pane = closing(number, outcomes=[part], cohorts=[part])
        pane.findings.extend(lane.close(pane))
        yield [*pane.findings, *watch.close(pane)]


def first_alarm(signal, *told, **change):
    """The pane of a signal's first alarm, and what was said in it; None where there is none."""
    for number, findings in enumerate(judged(*told, **change)):
        seen = next(
            (f for f in findings if f.signal == signal and f.alarm and f.role == "alert"), None
        )
        if seen is not None:
            return number, seen, findings
    return None, None, None


@pytest.mark.parametrize("seed", range(3))
def test_a_fall_of_ndcg_is_found_within_a_thousand_lists(seed):
    """From .8 to .7, half a standard deviation: the error proves it, and NDCG says how much."""
    number, seen, findings = first_alarm("error", seed, 40, mean=0.7)
    assert 10 <= number < 20
    assert ("shift", "concept_drift") == (seen.symptom, family_of(seen.signal, seen.symptom))
    metric = said(findings, "metric:ndcg", "window")
    assert (True, True) == (metric.alarm, metric.effect.fall > 0)
    *_, last = judged(seed, 40, mean=0.7)
    metric = said(last, "metric:ndcg", "window")
    assert (metric.statistic, metric.threshold) == pytest.approx((0.7, 0.8), abs=0.02)
    assert metric.effect.low < 0.7 < metric.effect.high
    assert said(last, "metric:average_precision", "window").statistic == pytest.approx(
        0.35, abs=0.01
    )
    assert "red" == severity_of(metric, "performance_drop", Limits())


def test_without_a_change_nothing_alarms():
    """In three hundred panes of lists, of which a fifth has nothing relevant."""
    signals = ("error", "label", "metric:ndcg")
    assert not [
        (number, one.signal)
        for number, findings in enumerate(judged(4, 300))
        for one in findings
        if one.signal in signals and one.alarm and one.role == "alert"
    ]


def test_lists_that_become_better_are_a_suspicion_of_the_data():
    """As a sudden gain of accuracy is: no fall, and no alarm of NDCG."""
    _, seen, findings = first_alarm("error", 5, 60, mean=0.92)
    assert ("gain", "data_quality") == (seen.symptom, family_of(seen.signal, seen.symptom))
    metric = said(findings, "metric:ndcg", "window")
    assert (False, True) == (metric.alarm, metric.effect.fall < 0)


def test_lists_in_which_nothing_is_relevant_are_drift_of_the_label_alone():
    """They have no NDCG; that there are more of them is told where labels are."""
    number, seen, findings = first_alarm("label", 6, 60, nothing=0.5)
    assert number < 20
    assert "label_drift" == family_of(seen.signal, seen.symptom)
    assert {"something relevant", "nothing relevant"} <= {cell.name for cell in seen.histogram}
    assert not said(findings, "error", "shiryaev_roberts").alarm


def test_a_pane_in_which_nothing_is_relevant_is_no_gap():
    """Its lists are labelled; NDCG is that of the lists before, and rows are those it is of."""
    rng = np.random.default_rng(7)
    made = learned(LAYOUT, [outcomes(rng) for _ in range(40)])
    watch = Performance(made)
    first = outcomes(rng, nothing=0.0)
    for number, one in enumerate([first, outcomes(rng, nothing=1.0)]):
        part = Part("1", "*", number, late=False, vector=one)
        findings = watch.close(closing(number, outcomes=[part], cohorts=[part]))
    seen = said(findings, "metric:ndcg", "window")
    assert (ROWS, "judged") == (seen.rows, seen.state)
    standing = watch.standing()
    assert 2 * ROWS == sum(one.labelled for one in standing.tallies)
    assert ("ndcg", seen.statistic) == (
        standing.performance["1"].metric,
        standing.performance["1"].realised,
    )


def test_a_correction_is_counted_by_the_lists_it_moved():
    """Of five lists two have changed places, and one has another NDCG."""
    rng = np.random.default_rng(8)
    watch = Performance(learned(LAYOUT, [outcomes(rng) for _ in range(40)]))
    before = np.array([packed(np.array([g]))[0] for g in (0.1, 0.2, 0.3, 0.4)] + [np.nan])
    after = np.array([np.nan, *before[1:3], packed(np.array([0.9]))[0], before[0]])
    part = Part("1", "*", 0, late=False, vector=vector(before))
    watch.close(closing(0, outcomes=[part], cohorts=[part]))
    revised = Part("1", "*", 0, late=False, vector=vector(after) - vector(before))
    part = Part("1", "*", 1, late=False, vector=vector(before))
    findings = watch.close(closing(1, outcomes=[part], cohorts=[part], revisions=[revised]))
    # Two have changed places, which cancels out: cells are what is compared.
    assert 1 / 10 == said(findings, "label:correction_rate").statistic


def test_a_canary_that_misses_more_has_more_errors():
    """Lists beyond 80 % of the champion's misses; those with nothing relevant are no errors."""
    made = learned(LAYOUT, [outcomes(np.random.default_rng(9)) for _ in range(40)])
    sides, trial = Sides(made), Trial(champion="1", share=0.5)
    rng, found = np.random.default_rng(10), {}
    for number in range(3):
        parts = [
            Part(version, "*", number, late=False, vector=outcomes(rng, mean=mean, n=1000))
            for version, mean in (("1", 0.8), ("2", 0.6))
        ]
        found = sides.of("2", trial, closing(number, outcomes=parts))["error"]
    (champion, canary) = found["*"]
    assert champion[0] < 1000
    assert champion[1] / champion[0] == pytest.approx(0.2, abs=0.06)
    assert canary[1] / canary[0] > 0.35


def test_nothing_is_said_of_a_shadow():
    """As many lists as it may answer."""
    made = learned(LAYOUT, [outcomes(np.random.default_rng(13)) for _ in range(40)])
    watch, rows = Shadows(made), np.zeros(LAYOUT.width("predictions"), np.int64)
    rows[LAYOUT.predictions["prediction"].span] = 500
    parts = [Part(version, "*", 0, late=False, vector=rows) for version in ("1", "2")]
    assert [] == watch.close(closing(0, predictions=parts[:1], shadows=parts[1:]))


def test_two_annotators_differ_by_what_they_say_of_the_order():
    """The median distance of both NDCG."""
    watch = Annotators(learned(LAYOUT, [outcomes(np.random.default_rng(11)) for _ in range(40)]))
    gaps = np.random.default_rng(12).normal(0, 0.1, 400)
    block = np.bincount(LAYOUT.gaps.codes(gaps), minlength=LAYOUT.gaps.width)
    part = Part("", "*", 0, late=False, vector=block)
    seen = said(watch.close(closing(0, opinions=[part])), "label:difference")
    assert seen.statistic == pytest.approx(0.0674, rel=0.25)
