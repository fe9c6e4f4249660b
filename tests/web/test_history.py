"""History: what is stored is drawn, in bounded space, without losing what is remarkable."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.instants import parse, rfc3339
from schemas.output_parts import Current, Effect, ReferenceRef, Window
from schemas.outputs import Reading
from streams.web.board import Board
from streams.web.history import History, Wanted
from streams.web.series import NEWEST, NOTHING, OLDER, UNJUDGED, Series
from tests.web.test_lamps import get, reading, write

MINUTE = 60_000
START = parse("2026-01-01T00:00:00Z")


def one(pane, statistic=0.1, *, signal="feature:age", state="judged", **changes):
    window = Window(start=rfc3339(START + pane * MINUTE), end=rfc3339(START + (pane + 1) * MINUTE))
    fields = {
        "model": "m", "version": "1", "segment": "*", "monitor": f"{signal}/sr", "signal": signal,
        "detector": "sr", "statistic": statistic, "threshold": 1.0,
        "breach": statistic is not None and statistic > 1, "severity": None,
        "effect": Effect(psi=0.25), "reference": ReferenceRef(id="r", rows=5000),
        "current": Current(rows=500, window=window), "state": state,
    }  # fmt: skip
    return Reading(**fields | changes)


def filled(statistics):
    series = Series(level=False)
    for pane, statistic in enumerate(statistics):
        series.add(one(pane, statistic))
    return series


def whole(series, most=10**6):
    return series.between(0, 2**62, most)


def test_a_short_series_is_as_it_was():
    """Below the limits nothing is thinned."""
    values = [0.1, 0.5, 2.0, 0.2]
    assert values == whole(filled(values))["statistic"].tolist()


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60), st.integers(1, 3000))
def test_no_peak_is_thinned_away(values, repeated):
    """However long, a series is bounded and keeps its first instant's order and its peak."""
    series = filled((values * (repeated // len(values) + 1))[:repeated])
    kept = whole(series)
    assert len(kept) <= NEWEST + 2 * OLDER
    assert max((values * (repeated // len(values) + 1))[:repeated]) == kept["statistic"].max()
    assert (np.diff(kept["at"]) >= 0).all()


def test_a_breach_outlives_a_larger_statistic():
    """Of the points that share a place the breach is kept."""
    series = Series(level=False)
    series.add(one(0, 0.5, breach=True))
    series.add(one(1, 0.9))
    (kept,) = whole(series, most=1)
    assert (0.5, True) == (kept["statistic"], kept["breach"])


def test_a_level_keeps_what_is_farthest_from_normal():
    """Of accuracies the one that fell is kept, not the highest."""
    series = Series(level=True)
    for pane, accuracy in enumerate((0.99, 0.5, 0.98)):
        series.add(one(pane, accuracy))
    assert [0.5] == whole(series, most=1)["statistic"].tolist()


def test_shares_of_the_threshold():
    """Nothing read, too little to judge, quiet, and a breach can be told apart."""
    series = Series(level=False)
    series.add(one(1, None, state="too_few_rows", breach=False))
    series.add(one(2, 0.5))
    series.add(one(3, 2.5))
    edges = START + MINUTE * np.arange(5)
    assert [NOTHING, UNJUDGED, 50, 250] == series.ratios(edges).tolist()


def test_what_has_no_threshold_is_not_called_too_few_rows():
    """A reading that only tells (of rows a second, of latency) comes near to nothing."""
    series = Series(level=False)
    series.add(one(1, 0.5, threshold=None))
    series.add(one(2, None, threshold=None, state="warming_up", breach=False))
    edges = START + MINUTE * np.arange(4)
    assert [NOTHING, NOTHING, UNJUDGED] == series.ratios(edges).tolist()


def test_the_monitor_silent_for_longest_is_forgotten(monkeypatch):
    """Memory is bounded by the number of monitors too."""
    monkeypatch.setattr("streams.web.history.SERIES", 2)
    history = History()
    for signal in ("a", "b", "a", "c"):
        history.add(one(0, signal=signal))
    found = history.points(Wanted(), 0, 2**62, 10)
    assert ["a", "c"] == [place.signal for place, _ in found]


async def test_history_over_http(client, runtime):
    """Columns of one length, only what was asked for, instants in milliseconds."""
    write(runtime, "readings", *(one(pane, pane / 10) for pane in range(5)), one(0, signal="score"))
    answer = await get(client, "/v1/history?model=m&signal=feature:*")
    (series,) = answer["series"]
    assert [START + (pane + 1) * MINUTE for pane in range(5)] == series["at"]
    assert [0.0, 0.1, 0.2, 0.3, 0.4] == series["statistic"]
    assert [0.25] * 5 == series["psi"]
    assert [None] * 5 == series["value"]
    late = await get(client, "/v1/history?model=m&signal=feature:age&from=2026-01-01T00:04:00Z")
    assert [0.3, 0.4] == late["series"][0]["statistic"]
    assert [] == (await get(client, "/v1/history?model=other"))["series"]


async def test_answers_are_bounded(client, runtime, monkeypatch):
    """Many series share the cells of one answer; what is left out is counted."""
    monkeypatch.setattr("streams.web.charts.CELLS", 20)
    monkeypatch.setattr("streams.web.charts.SERIES", 4)
    readings = [one(pane, signal=f"feature:{n}") for n in range(6) for pane in range(10)]
    write(runtime, "readings", *readings)
    answer = await get(client, "/v1/history?model=m&points=9999")
    assert (4, 2) == (len(answer["series"]), answer["left_out"])
    assert all(1 <= len(series["at"]) <= 5 for series in answer["series"])


@pytest.mark.parametrize(
    "query", ["from=never", "points=0", "points=x", "from=2027-01-01T00:00:00Z"]
)
async def test_questions_that_cannot_be_answered(client, runtime, query):
    """They are refused with what is wrong, also where a readings says nothing."""
    write(runtime, "readings", reading())
    response = await client.get(f"/v1/history?model=m&{query}")
    assert (400, "query") == (response.status, (await response.json())["error"]["code"])


async def test_the_heat_strip(client, runtime):
    """The highest of a signal's detectors; metrics, whose threshold is normal, are left out."""
    write(
        runtime, "readings",
        one(0, 0.2), one(0, 0.7, detector="adwin", monitor="x"), one(1, 3.0),
        one(0, 0.9, signal="metric:accuracy"), one(1, 9.0, segment="eu"),
    )  # fmt: skip
    strip = await get(client, "/v1/heat?model=m")
    assert (["feature:age"], [[70, 300]]) == (strip["signals"], strip["shares"])
    assert [START, START + MINUTE, START + 2 * MINUTE] == strip["edges"]


async def test_a_long_log_is_taken_in_over_several_turns(client, runtime, monkeypatch):
    """Nobody waits for all of it, and whoever asks again sees the rest."""
    monkeypatch.setattr("streams.web.board._PAGE", 10)
    board = Board(runtime)
    write(runtime, "readings", *(one(pane) for pane in range(35)))
    turns = 1
    while not board.refresh(0):
        assert not board.complete
        turns += 1
    assert (5, 34) == (turns, board._after["readings"])
