"""The file of an incident, what was said of it, and saying something from a page."""

import json

import pytest
from msgspec.structs import replace
from multidict import MultiDict

from schemas.output_parts import (
    Current,
    Detector,
    Evidence,
    EvidenceRange,
    Histograms,
    ReferenceRef,
    Window,
)  # fmt: skip
from schemas.outputs import DriftEvent, RetrainRequest
from streams.web.board import Board
from streams.web.charts import shapes
from tests.web.test_history import one
from tests.web.test_lamps import alert, get, write

WINDOW = Window(start="2026-01-01T00:00:00Z", end="2026-01-01T01:00:00Z")
NOTE = {
    "model": "m", "type": "annotation", "timestamp": "2026-01-01T00:30:00Z", "note": "a new form",
    "incident_id": "i1",
}  # fmt: skip


def drift(first, last, *, transition="opened", histograms=True, **changes):
    shares = Histograms(labels=("a", "b"), reference=(0.5, 0.5), current=(0.1, 0.9))
    ranges = (EvidenceRange(topic="predictions", partition=0, from_=first, to=last),)
    fields = {
        "incident_id": "i1", "transition": transition, "model": "m", "version": "1",
        "segment": "*", "kind": "covariate_drift", "severity": "red", "monitor": "feature:age/sr",
        "signal": "feature:age", "detector": Detector(name="sr", statistic=9.0, threshold=3.0),
        "reference": ReferenceRef(id="r", rows=5000),
        "current": Current(rows=10, window=WINDOW, histograms=shares if histograms else None),
        "evidence": Evidence(ranges=ranges if first is not None else ()),
        "reason": "it moved", "explanation": "age moved", "change_point": "2026-01-01T00:10:00Z",
    }  # fmt: skip
    return DriftEvent(**fields | changes)


async def test_the_file_of_an_incident(client, runtime):
    """Why, since when, which rows (joined), what was asked for; also after its end."""
    write(runtime, "alerts", alert())
    write(
        runtime, "drift-events",
        drift(10, 19), drift(15, 29, transition="escalated"), drift(40, 49, segment="eu"),
        drift(None, None, transition="resolved", histograms=False), drift(1, 2, incident_id="i2"),
    )  # fmt: skip
    request = RetrainRequest(
        request_id="q", model="m", version="1", incident_ids=("i1",), trigger="drift",
        urgency="normal", reason="age moved", requested_at="2026-01-01T00:20:00Z",
    )  # fmt: skip
    write(runtime, "retrain-requests", request)
    file = await get(client, "/v1/incidents/i1")
    assert "Something drifted" == file["incident"]["title"]
    assert ["escalated", "opened"] == [one["transition"] for one in file["events"]]
    assert [(10, 29), (40, 49)] == [(one["from"], one["to"]) for one in file["rows"]]
    command = "windage tail predictions --partition 0 --from 10 --to 29 --json"
    assert command == file["rows"][0]["command"]
    assert ["q"] == [one["request_id"] for one in file["retrain_requests"]]
    assert "2026-01-01T00:10:00Z" == file["change_point"]
    assert 404 == (await client.get("/v1/incidents/i9")).status


async def test_what_was_said_is_a_mark(client, runtime):
    """Events of the model in the time asked for; the end of a stream is none."""
    end = NOTE | {"type": "end_of_stream"}
    for said in (NOTE, NOTE | {"model": "other"}, end, {"no": "event"}):
        runtime.append("model-events", b"m", json.dumps(said).encode())
    span = "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z"
    (mark,) = (await get(client, f"/v1/marks?model=m&{span}"))["marks"]
    assert ("annotation", "a new form", NOTE["timestamp"]) == (
        mark["type"],
        mark["note"],
        mark["at"],
    )
    later = span.replace("2026", "2027")
    assert [] == (await get(client, f"/v1/marks?model=m&{later}"))["marks"]


async def test_the_latest_shape_of_a_signal(client, runtime):
    """The newest drift event with histograms, of the signals asked for."""
    write(
        runtime, "drift-events",
        drift(1, 2, explanation="old"), drift(3, 4), drift(5, 6, signal="score"),
        drift(7, 8, transition="resolved", histograms=False),
    )  # fmt: skip
    (found,) = (await get(client, "/v1/shape?model=m&signal=feature:*"))["events"]
    assert ("age moved", [0.1, 0.9]) == (
        found["explanation"],
        found["current"]["histograms"]["current"],
    )


def portrait(pane, now, **changes):
    """A reading that shows what its signal looks like."""
    shares = Histograms(labels=("a", "b"), reference=(0.5, 0.5), current=(now, 1 - now))
    plain = one(pane, **changes)
    return replace(plain, current=replace(plain.current, histograms=shares))


async def test_the_latest_portrait_of_a_signal_outlives_later_readings(client, runtime):
    """As it was written, with its rows and window, and after a restart: it is in the readings."""
    write(
        runtime, "readings",
        portrait(0, 0.2), portrait(1, 0.3), one(2), portrait(1, 0.4, version="2"),
        portrait(1, 0.6, signal="label"), portrait(0, 0.1, model="other"),
    )  # fmt: skip
    found = await get(client, "/v1/shape?model=m&signal=feature:*")
    assert [] == found["events"]
    shares = {seen["version"]: seen["current"]["histograms"] for seen in found["readings"]}
    assert {"1": [0.3, 0.7], "2": [0.4, 0.6]} == {v: h["current"] for v, h in shares.items()}
    latest = found["readings"][-1]
    assert one(1).current.window.end == latest["current"]["window"]["end"]
    fresh = Board(runtime)
    assert fresh.refresh()
    again = shapes(fresh, MultiDict({"model": "m", "signal": "feature:*"}))
    assert [json.loads(bytes(seen)) for seen in again.readings] == found["readings"]


def test_portraits_are_bounded(runtime, monkeypatch):
    """The signal that showed none for longest gives way."""
    monkeypatch.setattr("streams.web.board.SHAPES", 2)
    write(runtime, "readings", *(portrait(0, 0.5, signal=name) for name in "abac"))
    board = Board(runtime)
    board.refresh()
    assert ["a", "c"] == [signal for *_, signal in board.portraits]


@pytest.mark.parametrize(
    ("browser", "word", "expected"),
    [(True, None, 403), (True, "guess", 403), (True, "right", 202), (False, None, 202)],
)
async def test_a_page_proves_that_it_is_ours(client, browser, word, expected):
    """A browser sends the word of the session; programs, which send no origin, need none."""
    session = await get(client, "/v1/session")
    assert session["may_write"]
    headers = {"Content-Type": "application/json"}
    if browser:
        headers["Origin"] = f"http://{client.host}:{client.port}"
    if word is not None:
        headers["X-Windage-Word"] = session["word"] if word == "right" else word
    body = json.dumps(NOTE)
    assert expected == (await client.post("/v1/model-events", data=body, headers=headers)).status


async def test_a_reader_is_told_that_reading_is_all(connect):
    """The session says what the token may do."""
    from streams.web.access import Access

    client = await connect(Access(loopback=False, read="r" * 20, write="w" * 20))
    may = []
    for token in ("r" * 20, "w" * 20):
        headers = {"Authorization": f"Bearer {token}"}
        response = await client.get("/v1/session", headers=headers)
        may.append((await response.json())["may_write"])
    assert [False, True] == may


async def test_the_pipeline(client, runtime):
    """Lag, what became of records, refused ones by reason."""
    from schemas.log import Output

    letter = Output(
        topic="dead-letters", key=b"k", value=b"x", headers=(("windage.error.code", b"malformed"),)
    )
    runtime.log.commit([(letter, 0)], {})
    found = await get(client, "/v1/pipeline")
    assert ("ok", {"malformed": 1}) == (found["status"], found["dead_letters"])
    assert found["complete"]
    assert 0 == found["backlog"]["predictions"]
