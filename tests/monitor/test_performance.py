"""Performance: metrics by arrival and cohort, estimates before labels, what labels are like."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.metrics import coverage
from schemas.finding import Measured
from streams.monitor.outcomes.blocks import Blocks
from streams.monitor.outcomes.cohorts import MAX_COHORTS, Cohorts
from streams.monitor.outcomes.tallies import MAX_TALLIES, Tallies
from streams.monitor.outcomes.windows import Windows
from streams.policy.family import family_of
from streams.policy.severity import Limits, severity_of
from tests.monitor.closing import PANE
from tests.monitor.outcomes import LAYOUT, Rows, error, pane, performance, rows, said

BLOCKS = Blocks(LAYOUT)


def accuracy(some):
    return np.mean((some.scores >= 0.5) == some.labels)


def stream(watch, panes, make, later=3, first=0):
    """Panes whose labels come `later`; gives the findings of each."""
    asked = {}
    for number in range(first, first + panes):
        asked[number] = make(number)
        due = [(number - later, asked[number - later])] if number - later in asked else []
        yield number, asked, watch.close(pane(number, asked[number], due))


def test_metrics_by_arrival_are_those_of_the_rows():
    rng = np.random.default_rng(1)
    watch = performance(rows(rng, 20_000))
    for number, asked, findings in stream(watch, 8, lambda _: rows(rng)):
        seen = said(findings, "metric:accuracy", "window")
        if number < 4:
            continue
        merged = [asked[number - 4], asked[number - 3]]
        expected = np.mean([accuracy(one) for one in merged])
        assert expected == pytest.approx(seen.statistic)
        assert seen.effect.low < expected < seen.effect.high
        assert seen.role == "context"
        for name in ("auc", "gini", "brier", "log_loss", "ece", "f1", "precision", "recall"):
            assert said(findings, f"metric:{name}", "window").threshold is not None


def test_a_cohort_is_judged_once_when_its_labels_and_their_delay_have_come():
    rng = np.random.default_rng(2)
    watch = performance(rows(rng, 20_000))
    judged = {}
    make = lambda _: rows(rng, 500, delay=PANE)
    for number, asked, findings in stream(watch, 20, make, later=5):
        seen = said(findings, "metric:accuracy", "cohort")
        if seen is not None:
            cohort = seen.window_start // PANE
            assert cohort not in judged
            judged[cohort] = number
            assert accuracy(asked[cohort]) == pytest.approx(seen.statistic)
    assert {number: number + 5 for number in range(15)} == judged


def test_without_enough_labels_a_cohort_waits_for_the_horizon():
    rng = np.random.default_rng(3)
    watch = performance(rows(rng, 20_000))
    some = rows(rng)
    few = some.where(np.arange(500) < 100)
    told = {0: watch.close(pane(0, some))}
    told[1] = watch.close(pane(1, answered=[(0, few)]))
    told |= {number: watch.close(pane(number)) for number in range(2, 24)}
    judged = [n for n, f in told.items() if said(f, "label:coverage")]
    assert [20] == judged
    assert said(told[20], "label:coverage").alarm
    assert pytest.approx(0.2) == said(told[20], "label:coverage").statistic


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 49), min_size=1, max_size=12, unique=True))
def test_a_corrected_cohort_is_that_of_the_corrected_labels_from_the_beginning(seed, changed):
    rng = np.random.default_rng(seed)
    first = rows(rng, 50)
    labels = first.labels.copy()
    labels[changed] = 1 - labels[changed]
    second = Rows(first.scores, labels, first.values, first.delays)
    watch, other = performance(), performance()
    watch.close(pane(0, first))
    watch.close(pane(1, answered=[(0, first)]))
    watch.close(pane(2, revised=[(0, second.vector - first.vector)]))
    other.close(pane(0, first))
    other.close(pane(1, answered=[(0, second)]))
    found = [one._cohorts.outcomes("1", 0) for one in (watch, other)]
    assert BLOCKS.metrics(found[1]) == BLOCKS.metrics(found[0])
    assert accuracy(second) == pytest.approx(BLOCKS.metrics(found[0])["accuracy"].value)


def test_corrections_change_the_window_and_are_counted():
    rng = np.random.default_rng(4)
    first, more = rows(rng), rows(rng)
    labels = first.labels.copy()
    labels[:50] = 1 - labels[:50]
    second = Rows(first.scores, labels, first.values, first.delays)
    watch = performance(rows(rng, 20_000))
    watch.close(pane(0, first))
    watch.close(pane(1, answered=[(0, first)]))
    watch.close(pane(2, revised=[(0, second.vector - first.vector)]))
    findings = watch.close(pane(3, answered=[(2, more)]))
    expected = np.mean([accuracy(second), accuracy(more)])
    assert expected == pytest.approx(said(findings, "metric:accuracy", "window").statistic)
    flipped = (first.vector - second.vector)[LAYOUT.outcomes["confusion"].span]
    net = int(flipped[flipped > 0].sum())
    assert net / 1000 == pytest.approx(said(findings, "label:correction_rate").statistic)


def test_a_correction_of_labels_that_left_the_window_changes_no_window():
    windows = Windows(2, lambda counts: int(counts.sum()))
    for number in range(3):
        windows.add(("1", "*"), number, np.array([600, 0]))
    windows.revise(("1", "*"), np.array([1, -1]))
    assert [1200, 0] == windows.sum(("1", "*")).counts.tolist()


def test_the_estimate_follows_a_shift_before_any_of_its_labels():
    """Scores crowd around .5 from pane 10 on; labels come three panes later."""
    rng = np.random.default_rng(5)
    watch, inside = performance(rows(rng, 50_000)), []
    make = lambda n: rows(rng, 1000, **({"low": 0.3, "high": 0.7} if n >= 10 else {}))
    for number, asked, findings in stream(watch, 18, make):
        seen = said(findings, "metric:accuracy", "estimate")
        inside.append(seen.effect.low <= accuracy(asked[number]) <= seen.effect.high)
        assert pytest.approx(0.6 if number >= 10 else 0.75, abs=0.02) == seen.statistic
        check = said(findings, "estimate:accuracy")
        assert check is None or not check.alarm
    assert sum(inside) >= 16  # of 18 bands of 95 %


def test_an_estimate_that_labels_refute_says_so_and_trusts_itself_less():
    """Labels flip, scores stay: estimates cannot see it, their check can."""
    rng = np.random.default_rng(6)
    watch = performance(rows(rng, 50_000))
    make = lambda n: rows(rng, 1000, flipped=0.3 if n >= 6 else 0.0)
    found = {n: f for n, _, f in stream(watch, 14, make)}
    assert said(found[8], "estimate:accuracy").alarm is False
    last = said(found[13], "estimate:accuracy")
    assert last.alarm
    assert last.statistic < -0.1
    band = said(found[13], "metric:accuracy", "estimate").effect
    assert pytest.approx(0.75, abs=0.02) == band.current
    assert band.low < 0.62
    assert band.high > 0.75


def test_the_policy_hears_estimated_realised_and_baseline():
    rng = np.random.default_rng(7)
    watch = performance(rows(rng, 20_000))
    list(stream(watch, 6, lambda _: rows(rng)))
    known = watch.standing().performance["1"]
    assert known.metric == "accuracy"
    assert [0.75] * 3 == pytest.approx([known.estimated, known.realised, known.baseline], abs=0.05)
    assert (3000, 1500) == watch.standing().rows_from(0)
    assert (1000, 0) == watch.standing().rows_from(4 * PANE)


def test_the_error_says_where_its_wrong_rows_concentrate():
    rng = np.random.default_rng(8)
    watch = performance(rows(rng, 50_000))
    list(stream(watch, 8, lambda _: rows(rng, 1000, flipped=0.4, flips=1)))
    findings = [error(8)]
    watch.close(pane(8, answered=[(5, rows(rng, 1000, flipped=0.4, flips=1))], findings=findings))
    (one,) = findings[0].slices
    assert ("c", "b") == (one.feature, one.value)
    assert pytest.approx(0.25, abs=0.02) == one.reference
    assert pytest.approx(0.45, abs=0.06) == one.current
    assert one.excess > 0.8
    assert findings[0].label_delay > 0


def test_errors_that_rise_alike_concentrate_nowhere():
    rng = np.random.default_rng(9)
    watch = performance(rows(rng, 50_000))
    list(stream(watch, 8, lambda _: rows(rng, 1000, flipped=0.3)))
    findings = [error(8)]
    watch.close(pane(8, answered=[(5, rows(rng, 1000, flipped=0.3))], findings=findings))
    assert findings[0].slices == ()


def test_accuracy_alarms_with_the_proof_of_the_error_alone():
    rng = np.random.default_rng(10)
    watch = performance(rows(rng, 20_000))
    bad = rows(rng, 1000, flipped=0.5)
    for alarm in (False, True):
        findings = [error(1, alarm=alarm)]
        said_ = watch.close(pane(1, answered=[(0, bad)], findings=findings))
        seen = said(said_, "metric:accuracy", "window")
        assert (alarm, "alert") == (seen.alarm, seen.role)
        assert seen.effect.fall > 0.1
        assert seen.effect.low < accuracy(bad) < seen.effect.high


@pytest.mark.parametrize(
    ("flipped", "moved"), [(0.0, set()), (0.25, {"error|score", "calibration"})]
)
def test_errors_at_equal_scores_alarm_when_the_meaning_of_scores_changes(flipped, moved):
    """A shift of scores alone, at every pane, moves neither."""
    rng = np.random.default_rng(11)
    watch = performance(rows(rng, 50_000))
    alarms = set()
    for _, _, findings in stream(
        watch, 60, lambda _: rows(rng, 300, low=0.2, high=0.9, flipped=flipped)
    ):
        alarms |= {f.signal for f in findings if f.alarm and f.role == "alert"}
    assert moved == alarms


def test_late_labels_alarm_once_the_reference_knows_their_delay():
    rng = np.random.default_rng(12)
    watch = performance(rows(rng, 20_000))
    told = {}
    make = lambda n: rows(rng, 200, delay=(2 if n < 80 else 8) * PANE)
    for number, _, findings in stream(watch, 110, make):
        seen = said(findings, "operational:label_delay")
        told[number] = seen is not None and seen.alarm
    assert not any(alarm for number, alarm in told.items() if number < 83)
    assert any(told.values())
    assert family_of("operational:label_delay", "shift") == "operational"


def test_labels_that_come_for_one_class_only_are_biased():
    rng = np.random.default_rng(13)
    watch = performance(rows(rng, 20_000))
    some = rows(rng, 2000, delay=1)
    half = some.where((some.scores < 0.5) | (rng.uniform(size=2000) < 0.2))
    watch.close(pane(0, some))
    findings = watch.close(pane(1, answered=[(0, half)]))
    bias = said(findings, "label:bias:class")
    assert bias.alarm
    assert pytest.approx(0.8, abs=0.05) == bias.statistic
    even = said(findings, "metric:accuracy", "reweighted")
    assert accuracy(some) == pytest.approx(even.statistic, abs=0.03)


def test_coverage_that_differs_by_chance_is_no_bias():
    rng = np.random.default_rng(14)
    asked = np.full(4, 400)
    gaps = [coverage.gap(asked, rng.binomial(asked, 0.5)) for _ in range(200)]
    assert not any(gap.biased for gap in gaps)
    assert np.mean([gap.p_value <= 0.05 for gap in gaps]) == pytest.approx(0.05, abs=0.04)
    assert coverage.gap(np.array([400, 3]), np.array([1, 1])) is None


def test_reweighting_undoes_coverage_by_stratum():
    even = coverage.reweighted(
        np.array([500, 500, 10]), np.array([400, 40, 0]), np.array([360, 20, 0])
    )
    assert 0.5 * 0.9 + 0.5 * 0.5 == pytest.approx(even.value)


def test_what_is_saved_at_any_pane_goes_on_the_same():
    """Law 2 for this watch: crash after each pane, with labels, corrections and alarms."""
    rng = np.random.default_rng(15)
    reference = rows(rng, 20_000)
    made = {n: rows(rng, 200, flipped=0.2 if n > 40 else 0.0) for n in range(70)}
    watch, other = performance(reference), performance(reference)
    for number in range(70):
        revised = [] if number < 6 else [(number - 6, made[3].vector - made[4].vector)]
        due = [(number - 3, made[number - 3])] if number >= 3 else []
        kept = other.save()
        other = performance(reference)
        other.load(kept)
        expected = watch.close(pane(number, made[number], due, revised))
        assert expected == other.close(pane(number, made[number], due, revised))
    assert watch.save() == other.save()


def test_a_reference_that_is_built_of_panes_is_used_when_the_lane_has_it():
    rng = np.random.default_rng(16)
    watch = performance()
    for number in range(10):
        building = frozenset({"outcomes"} if number < 8 else ())
        some = rows(rng, 2000)
        findings = watch.close(pane(number, some, [(number, some)], building=building))
        good = said(findings, "metric:accuracy", "window").threshold
        assert (number < 8) == (good is None)
    assert pytest.approx(0.75, abs=0.01) == good


def test_state_stays_bounded_whatever_the_horizon():
    cohorts = Cohorts((4, 4), PANE, 40_000 * PANE)
    for number in range(50_000):
        cohorts.ask("1", number, np.array([1, 0, 0, 0]))
        if not number % 100:
            cohorts.mature(number * PANE, None, lambda _: False)
    assert len(cohorts.save()) <= MAX_COHORTS


def test_tallies_are_merged_and_never_lost():
    tallies = Tallies(PANE)
    rng = np.random.default_rng(17)
    for number in range(3000):
        tallies.add(number, 2, 0)
        tallies.add(max(0, number - int(rng.integers(0, 400))), 0, 1)
    told = tallies.all()
    assert len(told) <= MAX_TALLIES
    assert (6000, 3000) == (sum(t.rows for t in told), sum(t.labelled for t in told))
    assert all(a.end <= b.start for a, b in pairwise(told))


def test_a_gain_is_a_yellow_suspicion_of_the_data():
    finding = error(1, alarm=True)
    finding = type(finding)(
        **{f: getattr(finding, f) for f in finding.__struct_fields__}
        | {"signal": "gain", "symptom": "gain", "effect": Measured(current=0.99, baseline=0.75)}
    )
    assert family_of("gain", "gain") == "data_quality"
    assert severity_of(finding, "data_quality", Limits()) == "yellow"


def test_a_correction_never_leaves_less_than_nothing_in_a_window():
    """What a correction takes away is gone from panes that had it, not owed by the newest one."""
    windows = Windows(2, lambda counts: int(counts.sum()))
    windows.add(("1", "*"), 1, np.array([600, 0]))
    windows.add(("1", "*"), 2, np.array([0, 600]))
    windows.revise(("1", "*"), np.array([-2, 2]))
    assert [598, 602] == windows.sum(("1", "*")).counts.tolist()
    windows.add(("1", "*"), 3, np.array([0, 500]))
    assert [0, 1102] == windows.sum(("1", "*")).counts.tolist()


def test_of_too_many_versions_in_one_pane_the_first_are_kept():
    """None of the same pane gives way to another; one that was not seen does."""
    windows = Windows(1, lambda counts: int(counts.sum()))
    for number in range(20):
        windows.add((f"v{number:02}", "*"), 1, np.array([10]))
    assert {f"v{number:02}" for number in range(16)} == windows.versions
    windows.add(("new", "*"), 2, np.array([10]))
    assert ("v00", "*") not in windows
    assert ("new", "*") in windows
