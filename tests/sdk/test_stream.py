"""`subscribe` and `on_retrain` over the stream of server-sent events, as `serve` writes it."""

import json
import threading
import time
from datetime import UTC, datetime

import pytest

import windage
from streams.web.stream import read_cursor, write_cursor
from tests.sdk.conftest import Intake

SECONDS = 20


class Stream(Intake):
    """Events of one topic in the form of `streams.web.stream`; may break off after some."""

    def __init__(self):
        super().__init__()
        self.topic = "alerts"
        self.records = []
        self.break_after = None
        self.asked = []
        stream = self
        handler = self.server.RequestHandlerClass

        class Handler(handler):
            def do_GET(self):  # noqa: N802 - the name is http.server's
                said = self.headers.get("Last-Event-ID")
                stream.asked.append((self.path, said))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                self.close_connection = True
                place = read_cursor(said, [stream.topic])[stream.topic] + 1 if said else 0
                self.wfile.write(b"retry: 2000\n\n: alive\n\n")
                for offset in range(place, len(stream.records)):
                    cursor = write_cursor({stream.topic: offset})
                    text = json.dumps(stream.records[offset])
                    self.wfile.write(f"id: {cursor}\nevent: {stream.topic}\n".encode())
                    self.wfile.write(f"data: {text}\n\n".encode())
                    if offset + 1 == stream.break_after:
                        return
                self.wfile.flush()
                while not stream.ended.wait(0.05):
                    pass

        self.ended = threading.Event()
        self.server.RequestHandlerClass = Handler

    def close(self):
        self.ended.set()
        super().close()


@pytest.fixture
def stream():
    """Return a server that streams what it is given."""
    made = Stream()
    yield made
    made.close()


def taken(stream, count, **options):
    """The first events, of which the last counts as not handled."""
    events = windage.subscribe(
        stream.url, stream.topic, group="ops", start="earliest", idle_s=SECONDS, **options
    )
    try:
        return [next(events) for _ in range(count)]
    finally:
        events.close()


def test_events_come_in_order_also_over_a_line_that_breaks(stream):
    """A new connection goes on behind the last event."""
    stream.records = [{"model": "m", "n": n} for n in range(4)]
    stream.break_after = 2
    assert [0, 1, 2, 3] == [event["n"] for event in taken(stream, 4)]
    assert [None, "alerts:1"] == [said for _, said in stream.asked]
    assert "from=start" in stream.asked[0][0]


def test_a_cursor_file_keeps_the_place(stream, tmp_path):
    """What was not handled comes again, what was does not."""
    stream.records = [{"model": "m", "n": n} for n in range(4)]
    place = str(tmp_path / "place")
    assert [0, 1, 2] == [event["n"] for event in taken(stream, 3, cursor=place)]
    assert [2, 3] == [event["n"] for event in taken(stream, 2, cursor=place)]


def test_other_models_are_left_out_and_ids_are_cursors(stream):
    """As asked for."""
    stream.records = [{"model": "m" if n % 2 else "other", "n": n} for n in range(4)]
    found = taken(stream, 2, models=["m"])
    assert [("alerts:1", 1), ("alerts:3", 3)] == [(event.id, event["n"]) for event in found]


def test_it_ends_when_it_is_told_to(stream):
    """By the event, or after a while without events."""
    stop = threading.Event()
    stop.set()
    assert [] == list(windage.subscribe(stream.url, "alerts", group="ops", stop=stop))
    assert [] == list(windage.subscribe(stream.url, "alerts", group="ops", idle_s=0.2))


def test_who_may_not_read_is_told(intake):
    """Not again and again."""

    def refuse(handler):
        handler.send_response(401)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    intake.server.RequestHandlerClass.do_GET = refuse
    with pytest.raises(PermissionError, match="401"):
        next(windage.subscribe(intake.url, "alerts", group="ops", idle_s=5))


def test_a_trainer_answers_over_http_once_a_request(stream, tmp_path):
    """Also after a restart, with a file to remember by."""
    stream.topic = "retrain-requests"
    stream.records = [{"request_id": about, "model": "m", "version": "3"} for about in "aba"]
    ran = []

    def train(asked):
        ran.append(asked["request_id"])
        return asked.done(version="4")

    for expected in (["a", "b"], ["a", "b", "c"]):
        trainer = windage.on_retrain(stream.url, group="trainer", remember=str(tmp_path / "place"))(
            train
        )
        deadline = time.monotonic() + SECONDS
        while ran != expected or len(stream.events()) < 2 * len(expected):
            assert time.monotonic() < deadline, (ran, stream.events())
            time.sleep(0.05)
        trainer.stop(SECONDS)
        stream.records.append({"request_id": "c", "model": "m", "version": "3"})
        stream.records.append({"request_id": "b", "model": "m", "version": "3"})
    said = [(event["request_id"], event["type"]) for event in stream.events()]
    ends = ("retraining_started", "retraining_finished")
    assert [(about, end) for about in "abc" for end in ends] == said


def test_a_trainer_may_live_in_another_time(stream, tmp_path):
    """What the clock says decides what is early or expired, and is what answers carry."""
    stream.topic = "retrain-requests"
    then = datetime(2020, 1, 2, tzinfo=UTC)
    stream.records = [
        {"request_id": "over", "model": "m", "version": "3", "expires_at": "2020-01-01T00:00:00Z"},
        {"request_id": "due", "model": "m", "version": "3", "expires_at": "2020-01-03T00:00:00Z"},
    ]
    seen = []

    def train(asked):
        seen.append((asked["request_id"], trainer.busy))
        return asked.done(version="4")

    trainer = windage.on_retrain(
        stream.url,
        group="trainer",
        begin=False,
        remember=str(tmp_path / "place"),
        clock=lambda: then,
    )(train)
    trainer.start()
    deadline = time.monotonic() + SECONDS
    while len(stream.events()) < 2 or trainer.busy:
        assert time.monotonic() < deadline, (seen, stream.events())
        time.sleep(0.05)
    trainer.stop(SECONDS)
    assert [("due", True)] == seen
    said = [(event["type"], event["timestamp"]) for event in stream.events()]
    instant = "2020-01-02T00:00:00.000Z"
    assert [("retraining_started", instant), ("retraining_finished", instant)] == said


def test_the_stream_of_a_real_server_is_read(serve):
    """It sends no events here, and says that it is alive."""
    assert [] == list(
        windage.subscribe(serve.url, "alerts", group="ops", start="earliest", idle_s=0.5)
    )
