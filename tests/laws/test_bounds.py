"""Law 8: what a machine keeps is bounded by its config, whatever is sent to it."""

from collections import Counter

import pytest

from schemas.grid import Layout
from streams.monitor import adaptive, evidence, lane, learner, panel, waiting
from streams.monitor.declared import monitors as declared
from streams.monitor.outcomes import cohorts, tallies, windows
from tests.laws.hostile import HORIZON, VERSIONS, Flood
from tests.laws.world import GRID, PANE

PARTITIONS, ROWS = 2, 15
LAYOUT = Layout(GRID)
CELLS = LAYOUT.width("predictions") + LAYOUT.width("outcomes") + LAYOUT.width("revisions")
SEGMENTS = 1 + sum(len(one.labels()) for one in GRID.segments)
LATE = HORIZON // PANE + 2
"""Panes whose rows may still arrive in one pane."""

OPEN = 4
"""Panes of arrival that wait for a watermark at once, at most."""

KEY = 400
"""Bytes of a vector's key, offsets and lengths."""

VECTOR = 12 * CELLS + KEY
"""Bytes of one vector of each kind; a count takes twelve with its place."""

ROW = 1200
"""Bytes of a row to learn from, with names of features and tags that no other row has."""

FIGURE = 4096
POLICY = 1 << 16
HOUR_PANES = 3_600_000 // PANE


def profiles():
    """Bytes of the open profiles of a partition: each has a row, which counts in two segments."""
    most = VERSIONS * SEGMENTS * LATE * OPEN
    return min(most, 2 * 2 * ROWS * OPEN) * VECTOR


def of_the_monitor():
    """Bytes: profiles held and taken, windows of seven watches, cohorts, figures, policy."""
    versions = lane.MAX_VERSIONS
    windowed = 7 * versions * SEGMENTS * panel.WINDOW_PANES * VECTOR
    cohort = versions * LATE * VECTOR
    figures = 2 * adaptive.MAX_FIGURES * FIGURE
    return 2 * PARTITIONS * profiles() + windowed + cohort + figures + POLICY


def of_a_profiler():
    """Bytes: open profiles, and 9 a record of the last hour for those that were refused."""
    return profiles() + VERSIONS * KEY + 9 * 2 * ROWS * (HOUR_PANES + LATE)


@pytest.fixture
def narrow(monkeypatch):
    """Caps that are reached soon: what still grows behind them has none."""
    for module in (panel, windows):
        monkeypatch.setattr(module, "WINDOW_PANES", 4)
    for module in (lane, windows, cohorts):
        monkeypatch.setattr(module, "MAX_VERSIONS", 3)
    for module in (adaptive, declared):
        monkeypatch.setattr(module, "MAX_FIGURES", 5)
    monkeypatch.setattr(evidence, "KEPT_PANES", 5)
    monkeypatch.setattr(tallies, "MAX_TALLIES", 8)


def test_nothing_grows_behind_its_cap(narrow):
    """With small caps both machines stay under the bound of their config, and stop growing."""
    flood = Flood(partitions=PARTITIONS, rows=ROWS).run(60)
    sizes = flood.sizes["monitor"]
    assert max(sizes[45:]) <= 1.25 * max(sizes[15:30])
    assert max(sizes) <= of_the_monitor()
    assert max(flood.sizes["profiler"]) <= of_a_profiler()
    assert 0 < flood.refused


def test_what_is_learned_from_is_bounded(monkeypatch):
    """Of partitions of which one is never heard, and of panes with very many rows."""
    monkeypatch.setattr(learner, "LEAST_KEPT", 8)
    monkeypatch.setattr(waiting, "MOST", 20)
    stuck = Flood(partitions=2, rows=ROWS, learning=40, heard=1).run(60)
    assert stuck.sizes["monitor"][-1] <= 1.1 * stuck.sizes["monitor"][45]
    assert stuck.sizes["monitor"][-1] < 30 * 2 * 40 * ROW


def test_what_waits_for_its_pane_is_bounded_and_told(monkeypatch):
    """Metrics beyond the cap are passed over; a reading says how many."""
    monkeypatch.setattr(waiting, "MOST", 20)
    flood = Flood(partitions=PARTITIONS, rows=ROWS).run(10)
    told = [one for one in flood.readings if one["signal"] == "operational:metrics"]
    assert 0 < len(told)
    assert all(one["breach"] and one["statistic"] == 20 + one["current"]["rows"] for one in told)
    pending = flood.monitor._models["m"].save().pending
    assert 40 >= len(pending), "of two logs"


def test_versions_that_are_not_judged_are_told():
    """A pane in which there were more than are judged has a reading that says so; no other has."""
    flood = Flood(partitions=PARTITIONS, rows=ROWS).run(10)
    judgement = ("feature:x", "*", "shiryaev_roberts")
    judged, told = Counter(), {}
    for one in flood.readings:
        pane = one["current"]["window"]["end"]
        if one["signal"] == "operational:versions":
            told[pane] = one["statistic"]
        elif (one["signal"], one["segment"], one["detector"]) == judgement:
            judged[pane] += 1
    assert 0 < len(told) < len(judged)
    assert {lane.MAX_VERSIONS} == {judged[pane] for pane in told}
    assert lane.MAX_VERSIONS < min(told.values())
    assert all(judged[pane] <= lane.MAX_VERSIONS for pane in judged)


@pytest.mark.slow
def test_a_long_flood():
    """Hours of it, at the caps that are in force."""
    flood = Flood(partitions=PARTITIONS, rows=ROWS).run(500)
    sizes = flood.sizes["monitor"]
    assert max(sizes[400:]) <= 1.1 * max(sizes[200:300])
    assert max(sizes) <= of_the_monitor()
    assert max(flood.sizes["profiler"]) <= of_a_profiler()
