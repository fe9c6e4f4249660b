"""Spread: how far parts lie apart is told; that they part, or that panes swing, is judged."""

import msgspec
import numpy as np
import pytest

from detectors.metrics.interval import Interval, wilson
from schemas.grid import Layout, SegmentGrid
from schemas.journal import Sparse
from streams.monitor.outcomes.spread import spread
from streams.monitor.saying import reading
from streams.monitor.watch import Part
from streams.monitor.watches.performance import Performance, alerting
from tests.monitor.closing import PANE, closing
from tests.monitor.outcomes import GRID, error, performance, rows, said, setting

PARTS = SegmentGrid(name="g", source="tag", values=("a", "b", "c"))
LAYOUT = Layout(msgspec.structs.replace(GRID, segments=(PARTS,)))


def told(*parts, size=1000):
    """The reading after panes whose parts are made like this; the reference has all alike."""
    rng = np.random.default_rng(41)
    names = [f"g={value}" for value in PARTS.values]
    was = {name: rows(rng, 20_000).vector for name in names}
    outcomes = {name: Sparse.pack(vector) for name, vector in was.items()}
    made = setting()
    baseline = msgspec.structs.replace(
        made.baseline, outcomes=outcomes | {"*": Sparse.pack(sum(was.values()))}
    )
    watch = Performance(msgspec.structs.replace(made, layout=LAYOUT, baseline=baseline))
    vectors = {name: rows(rng, size, **how).vector for name, how in zip(names, parts, strict=False)}
    vectors = {"*": sum(vectors.values()), **vectors}
    brought = [Part("1", name, 0, late=False, vector=vector) for name, vector in vectors.items()]
    return said(watch.close(closing(0, outcomes=brought, cohorts=brought)), "metric:spread:g")


def test_the_best_part_less_the_worst_with_each_part_beside_it():
    """Of one part 30 % of the labels turn: it lies about .15 below the others."""
    seen = told({}, {"flipped": 0.3}, {})
    values = {cell.name: cell.current for cell in seen.cells}
    assert max(values.values()) - min(values.values()) == seen.statistic
    assert "g=b" == min(values, key=values.get)
    assert seen.effect.low > 0
    assert seen.threshold < 0.02, "of the reference, whose parts are alike"
    assert ("context", False) == (seen.role, seen.alarm)


def test_parts_that_are_alike_are_not_proven_to_be_apart():
    assert 0 == told({}, {}, {}).effect.low


def test_a_part_with_few_rows_is_left_out_and_one_alone_has_no_spread():
    assert told({}, {}, {}, size=60) is None
    assert told({}) is None


def test_the_interval_holds_for_the_largest_of_many_differences():
    """Twenty parts alike, 500 times: in at most 5 % of them the largest difference is proven."""
    rng = np.random.default_rng(42)
    found = 0
    for _ in range(500):
        parts = {
            str(i): wilson(int(hits), 400) for i, hits in enumerate(rng.binomial(400, 0.8, 20))
        }
        found += spread(parts).low > 0
    assert found <= 0.05 * 500


def test_two_parts_have_the_interval_of_their_difference():
    one, other = Interval(0.9, 0.88, 0.92, 500), Interval(0.8, 0.77, 0.83, 300)
    seen = spread({"a": one, "b": other})
    assert 800 == seen.rows
    assert seen.value == pytest.approx(0.1)
    assert seen.low == pytest.approx(0.1 - np.sqrt(2) * 0.03), "the larger error counts for both"


MANY = SegmentGrid(name="g", source="tag", values=tuple("abcdefgh"))
MANY_LAYOUT = Layout(msgspec.structs.replace(GRID, segments=(MANY,)))
LABELS = [f"g={value}" for value in MANY.values]


def many():
    """A watch whose reference has eight parts that are alike."""
    rng = np.random.default_rng(43)
    was = {name: rows(rng, 4000).vector for name in LABELS}
    made = setting()
    outcomes = {name: Sparse.pack(vector) for name, vector in was.items()}
    outcomes |= {"*": Sparse.pack(sum(was.values()))}
    baseline = msgspec.structs.replace(made.baseline, outcomes=outcomes)
    return Performance(msgspec.structs.replace(made, layout=MANY_LAYOUT, baseline=baseline))


def brought(rng, number, apart):
    """A pane; every second part has turned labels, every other one certain scores, if `apart`."""
    ways = [{"flipped": 0.15}, {"low": 0.75, "high": 1.0}] if apart else [{}, {}]
    vectors = {name: rows(rng, 100, **ways[i % 2]).vector for i, name in enumerate(LABELS)}
    vectors = {"*": sum(vectors.values()), **vectors}
    return [Part("1", name, number, late=False, vector=one) for name, one in vectors.items()]


def judged(watch, number, parts, **rest):
    """What the quartiles' detector says."""
    found = watch.close(closing(number, outcomes=parts, cohorts=parts, **rest))
    return said(found, "metric:spread:g", "quartiles")


def test_parts_that_move_apart_alarm_and_a_restored_watch_says_the_same():
    """Silent before the change; a snapshot a few panes after it changes nothing."""
    rng, watch = np.random.default_rng(44), many()
    found = []
    for number in range(60):
        if number == 26:
            again = many()
            again.load(watch.save())
        parts = brought(rng, number, apart=number >= 20)
        found.append(judged(watch, number, parts))
        if number >= 26:
            assert judged(again, number, parts) == found[-1]
    assert 20 < next(number for number, one in enumerate(found) if one.alarm) < 60
    last = found[-1]
    assert ("alert", "*", False) == (last.role, last.segment, last.inside)
    assert ["p25", "p50", "p75"] == [cell.name for cell in last.cells]
    assert last.effect.current - last.effect.baseline == pytest.approx(last.effect.size)
    assert 20 <= last.change_point // PANE < 40


def test_while_the_error_of_the_whole_moves_a_spread_is_silent():
    """It is that incident's; and a restarted detector begins without evidence."""
    rng, watch = np.random.default_rng(45), many()
    for number in range(60):
        parts = brought(rng, number, apart=number >= 20)
        one = judged(watch, number, parts, findings=[error(number)])
        assert not one.alarm
    assert one.statistic >= one.threshold, "it would have"
    watch.restart("1", "*", "metric:spread:g")
    after = judged(watch, 60, brought(rng, 60, apart=True))
    assert after.statistic < one.threshold


def test_segmentations_of_few_parts_have_no_part_of_the_budget():
    assert 1 == alerting(MANY_LAYOUT) - alerting(LAYOUT)
    assert alerting(LAYOUT) == alerting(Layout(GRID))


def swung(rng, number, *, apart):
    """A pane of the whole; every third is worse, every third better than usual, if `apart`."""
    ways = [{}, {"flipped": 0.35}, {"low": 0.8, "high": 1.0}]
    vector = rows(rng, 200, **ways[number % 3 if apart else 0]).vector
    return [Part("1", "*", number, late=False, vector=vector)]


def panes_judged(watch, number, parts, **rest):
    """What is said of the spread over panes."""
    found = watch.close(closing(number, outcomes=parts, cohorts=parts, **rest))
    return said(found, "spread", "quartiles")


def test_panes_that_swing_alarm_and_a_restored_watch_says_the_same():
    """Silent before the change; a snapshot among the swings changes nothing."""
    rng = np.random.default_rng(46)
    watch, found = performance(rows(rng, 20_000)), []
    for number in range(120):
        if number == 60:
            again = performance(rows(np.random.default_rng(46), 20_000))
            again.load(watch.save())
        parts = swung(rng, number, apart=number >= 40)
        found.append(panes_judged(watch, number, parts))
        if number >= 60:
            assert panes_judged(again, number, parts) == found[-1]
    assert [None] * 15 == found[:15], "quartiles of sixteen panes at least"
    assert all(one is not None for one in found[15:])
    assert 40 < next(number for number, one in enumerate(found) if one and one.alarm) < 100
    last = found[-1]
    assert ("alert", "*", False) == (last.role, last.segment, last.inside)
    cells = {cell.name: cell.current for cell in last.cells}
    assert cells == {name: getattr(last.summary, name) for name in ("p25", "p50", "p75")}
    assert cells["p75"] - cells["p25"] == pytest.approx(last.effect.current)
    assert last.effect.current - last.effect.baseline == pytest.approx(last.effect.size)
    assert 40 <= last.change_point // PANE < 100
    assert (70 * PANE, 50 * 200) == (last.window_start, last.rows)
    told = reading(last, "yellow")
    assert cells["p25"] == told.summary.p25


def test_swings_while_the_error_alarms_join_its_incident():
    """They open none; and a restarted detector begins without evidence."""
    rng = np.random.default_rng(47)
    watch = performance(rows(rng, 20_000))
    for number in range(120):
        parts = swung(rng, number, apart=number >= 40)
        one = panes_judged(watch, number, parts, findings=[error(number)])
        assert one is None or not one.alarm
    assert one.joins
    watch.restart("1", "*", "metric:accuracy")
    watch.restart("1", "g", "spread")
    assert panes_judged(watch, 120, swung(rng, 120, apart=True), findings=[error(120)]).joins
    watch.restart("1", "*", "spread")
    after = panes_judged(watch, 121, swung(rng, 121, apart=True))
    assert after.statistic < after.threshold
    assert not after.joins


def test_without_a_reference_panes_are_not_judged():
    rng, watch = np.random.default_rng(48), performance()
    for number in range(40):
        assert panes_judged(watch, number, swung(rng, number, apart=True)) is None
