"""Every signal shows what it looks like, drifting or not: coarse, at times, and as counted."""

import json

import numpy as np
import pytest

from detectors.grid import NumericGrid
from detectors.reference import reference_of
from schemas.outputs import encode
from streams.monitor.effects import SPECIAL, Bars
from streams.monitor.panel import WINDOW_PANES
from streams.monitor.portrait import BARS, EVERY
from streams.monitor.saying import reading
from streams.signals import Signal
from tests.laws.world import BASELINE
from tests.monitor.closing import closing
from tests.monitor.test_lane import ROWS, lane, part

PANES = WINDOW_PANES + 2 * EVERY


@pytest.fixture(scope="module")
def said():
    """Return the findings of a lane whose rows are all in the second cells: pane, finding."""
    one = lane()
    return [
        (pane, found)
        for pane in range(PANES)
        for found in one.close(closing(pane, predictions=[part("1", pane)]))
        if found.detector == "shiryaev_roberts"
    ]


def signal(kind, names):
    return Signal("feature:a", kind, names, None, important=True)


def test_each_signal_has_one_soon_and_then_every_32_panes(said):
    """In a pane of its own turn, so that no pane carries the portraits of all."""
    turns = {}
    for pane, one in said:
        if one.portrait:
            turns.setdefault(one.signal, []).append(pane + 1)
    names = list(dict.fromkeys(one.signal for _, one in said))
    assert names == list(turns)
    for index, name in enumerate(names):
        own = {n for n in range(1, PANES + 1) if (n + index) % EVERY == 0}
        assert sorted({1, 2, 4, 8, 16} | own) == turns[name]
    later = [pane for panes in turns.values() for pane in panes if pane > EVERY]
    assert 1 == max(later.count(pane) for pane in later)


def test_it_is_of_the_window_and_the_reference_that_the_reading_names(said):
    """All rows lie in the second cell; a reading says them with the rows they are shares of."""
    pane, one = next(
        (pane, one) for pane, one in said if one.portrait and one.signal.startswith("feature:")
    )
    now = {cell.name: cell.current for cell in one.portrait}
    assert 1.0 == pytest.approx(sum(now.values()))
    assert {0.0, 1.0} == set(now.values())
    assert (pane + 1) * ROWS == one.rows
    normal = BASELINE.normals["*"][one.signal].reference()
    was = [cell.reference for cell in one.portrait]
    assert sorted(normal.shares) == pytest.approx(sorted(was), abs=1e-4)
    told = json.loads(encode(reading(one, None)))["current"]
    assert one.rows == told["rows"]
    assert [cell.current for cell in one.portrait] == told["histograms"]["current"]
    quiet = next(one for _, one in said if not one.portrait)
    assert "histograms" not in json.loads(encode(reading(quiet, None)))["current"]


@pytest.mark.parametrize("most", [BARS, 64])
@pytest.mark.parametrize("cells", [2, 13, 14, 29, 61, 62, 64])
def test_numbers_are_folded_to_so_many_bars(cells, most):
    """Nothing is lost, bars say from where to where, and missing values stay apart."""
    grid = NumericGrid(tuple(float(edge) for edge in range(0, 10 * (cells + 1), 10)))
    rng = np.random.default_rng(cells)
    panes = rng.multinomial(1000, np.full(grid.width, 1 / grid.width), size=30)
    bars = Bars(signal("numeric", grid.names), reference_of("numeric", panes), most)
    window = np.arange(grid.width)
    seen = bars.cells(window)
    assert min(grid.width, SPECIAL + cells // -(-cells // (most - SPECIAL))) <= len(seen) <= most
    assert 1.0 == pytest.approx(sum(cell.current for cell in seen))
    assert 1.0 == pytest.approx(sum(cell.reference for cell in seen))
    assert (grid.names[0], *grid.names[-2:]) == tuple(seen[i].name for i in (0, -2, -1))
    assert window[-1] / window.sum() == seen[-1].current
    assert f"to {10 * cells}" in seen[-3].name
    first = seen[1].name.split(" to ")
    wide = -(-cells // (most - SPECIAL)) if grid.width > most else 1
    assert "0" == first[0]
    assert wide < cells
    assert str(10 * wide - 1) == first[1], "cells of whole numbers end before the next edge"


def test_of_many_categories_the_commonest_are_shown():
    """Then or now; the rarest are left out, as they are in drift events."""
    names = tuple(f"c{i}" for i in range(40))
    shares = np.arange(40, 0, -1) / np.arange(40, 0, -1).sum()
    panes = np.random.default_rng(1).multinomial(20_000, shares, size=30)
    bars = Bars(signal("categorical", names), reference_of("categorical", panes), BARS)
    window = np.zeros(40, np.int64)
    window[39] = 1000
    shown = [cell.name for cell in bars.cells(window)]
    assert [f"c{i}" for i in range(BARS - 1)] + ["c39"] == shown
