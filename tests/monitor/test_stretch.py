"""A reference made of a stretch of the topic: neither what is before it nor what is after."""

import json

import pytest
from pydantic import ValidationError

from schemas.config_model import ModelConfig
from schemas.instants import rfc3339
from streams.monitor import lane, model
from tests.monitor.absence import EVERY, PANE, T0, Live, config, stream, told

START, END = T0 + 40 * PANE, T0 + 100 * PANE
ROWS_A_PANE = PANE // EVERY
STRETCH = {"from": "topic", "start": rfc3339(START), "end": rfc3339(END)}


def changed(rows, first, last):
    """Rows whose `x` is far away from pane `first` to pane `last`."""
    out = []
    for at, value in rows:
        if first <= (at - T0) // PANE < last:
            event = json.loads(value)
            event["features"]["x"] += 50.0
            out.append((at, json.dumps(event).encode()))
        else:
            out.append((at, value))
    return out


def judged(said):
    """The ends of the panes in which `feature:x` was judged against the reference."""
    return [
        one["current"]["window"]["end"]
        for one in said["readings"]
        if (one["signal"], one["detector"], one["state"])
        == ("feature:x", "shiryaev_roberts", "judged")
    ]


@pytest.mark.parametrize("partitions", [1, 3])
def test_what_lies_in_front_of_the_stretch_is_not_normal(partitions):
    """With the first rows as the reference, the stretch itself would be a change."""
    rows = changed(stream(160 * ROWS_A_PANE), 0, 35)
    said = Live(config(reference=STRETCH), partitions).run(rows, 20_000)
    assert [] == told(said, "feature:x")
    assert rfc3339(END + PANE) == min(judged(said))
    first = {"from": "first", "rows": 700, "min_duration": "10s"}
    assert told(Live(config(reference=first), partitions).run(rows, 20_000), "feature:x")


def test_a_change_after_the_stretch_is_found():
    rows = changed(stream(160 * ROWS_A_PANE), 120, 160)
    opened = told(Live(config(reference=STRETCH)).run(rows, 20_000), "feature:x")
    assert ["opened"] == [transition for transition, _ in opened]


def test_a_stretch_with_too_few_panes_goes_on_until_it_has_enough():
    """Half of its panes have no row, so it lasts thirty panes with rows."""
    rows = [
        (at, value) for at, value in stream(200 * ROWS_A_PANE) if not START <= at < END - 10 * PANE
    ]
    said = Live(config(reference=STRETCH, silent_after="off")).run(rows, 20_000)
    assert rfc3339(END + 21 * PANE) == min(judged(said))


def test_of_a_long_stretch_panes_are_taken_evenly(monkeypatch):
    """Of sixty panes every third: what is kept of a month of minutes is bounded."""
    monkeypatch.setattr(lane, "MOST_PANES", 20)
    monkeypatch.setattr(model, "MIN_PANES", 15)
    live = Live(config(reference=STRETCH))
    live.run(stream(110 * ROWS_A_PANE), 20_000)
    normal = live.monitor._models["m"]._lanes()[0].normals["*"]["feature:x"]
    assert 20 * ROWS_A_PANE <= normal.rows <= 21 * ROWS_A_PANE


def test_a_stretch_of_fewer_panes_than_make_a_reference_is_refused():
    with pytest.raises(ValidationError, match=r"must be 30 panes after start, not 20"):
        ModelConfig.model_validate({"task": "none", "pane": "30s", "reference": STRETCH})
