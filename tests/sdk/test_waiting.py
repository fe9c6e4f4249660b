"""Servers that refuse, hang, break off and come back; processes that fork and end.

Whatever they do, publishing returns in time, and every event is in one account.
"""

import json
import logging
import os
import subprocess
import sys
import threading
import time

import pytest

import windage
from windage.buffer import Buffer, Limits
from windage.composing import Message

BLOCK_MS = 50
SLACK_MS = 1000  # of a busy machine; the clients themselves would wait for 5 s and more


def slowest_ms(call, times):
    """Milliseconds of the slowest call."""
    worst = 0.0
    for _ in range(times):
        begun = time.perf_counter()
        call()
        worst = max(worst, 1000 * (time.perf_counter() - begun))
    return worst


def settled(pub, published):
    """Every event is in one account."""
    assert published == pub.counts.sent + pub.dropped + pub.counts.sampled_out
    return pub.counts.reasons


@pytest.mark.parametrize("scheme", ["kafka", "http"])
@pytest.mark.parametrize("server", ["dead", "hanging"])
def test_publishing_never_waits_for_a_dead_or_hanging_server(server, scheme, request):
    """With a full buffer a call waits `max_block_ms` and drops; closing is in time as well."""
    address = request.getfixturevalue(server)
    pub = windage.Publisher(
        f"{scheme}://{address}", model="m", version="1", max_block_ms=BLOCK_MS, max_buffer=20
    )
    worst = slowest_ms(lambda: pub.prediction({"x": 1}, 1), 30)
    worst = max(worst, slowest_ms(lambda: pub.predictions({"x": [1]}, [1]), 3))
    assert worst < BLOCK_MS + SLACK_MS
    assert BLOCK_MS <= worst
    assert 13 <= pub.counts.reasons["buffer_full"]
    assert not pub.flush(0.1)
    begun = time.perf_counter()
    assert not pub.close(0.3)
    assert time.perf_counter() - begun < 1
    assert {"buffer_full", "undelivered"} == set(settled(pub, 33))


def test_a_thread_that_waits_for_room_has_it_when_there_is_some(intake):
    """Nothing is dropped where the server keeps up within `max_block_ms`."""
    with windage.Publisher(
        intake.url, model="m", version="1", max_block_ms=20_000, max_buffer=100
    ) as pub:
        for n in range(1000):
            pub.prediction({"x": n}, 1, id=f"p{n}")
    assert {} == settled(pub, 1000)
    assert [f"p{n}" for n in range(1000)] == [event["prediction_id"] for event in intake.events()]


def test_events_of_many_threads_arrive_once_each(intake):
    """Eight threads, one publisher."""
    pub = windage.Publisher(intake.url, model="m", version="1")

    def work(number):
        for n in range(200):
            pub.prediction({"x": n}, 1, id=f"{number}-{n}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pub.close()
    assert {} == settled(pub, 1600)
    ids = [event["prediction_id"] for event in intake.events()]
    assert {f"{number}-{n}" for number in range(8) for n in range(200)} == set(ids)
    assert 1600 == len(ids)


@pytest.mark.parametrize("answers", [[503, 429], [0], [500, 0, 503]], ids=str)
def test_what_was_not_acknowledged_is_sent_again_under_the_same_key(intake, answers):
    """Also where the server had taken it, and only the answer was lost."""
    intake.answers = list(answers)
    with windage.Publisher(intake.url, model="m", version="1") as pub:
        for n in range(10):
            pub.metric("ctr", n)
        assert pub.flush(20)
    assert len(answers) + 1 == len(intake.requests)
    assert 1 == len({headers["Idempotency-Key"] for _, headers, _ in intake.requests})
    assert list(range(10)) == [event["value"] for event in intake.events()]
    assert {} == settled(pub, 10)


def test_what_is_refused_for_good_is_not_sent_again(intake, caplog):
    """Counted, and logged once."""
    intake.answers = [401]
    with (
        caplog.at_level(logging.WARNING, "windage"),
        windage.Publisher(intake.url, model="m", version="1") as pub,
    ):
        pub.prediction({}, 1)
        pub.prediction({}, 1)
        assert pub.flush(10)
        pub.prediction({}, 1)
        assert pub.flush(10)
    assert {"rejected": 2} == settled(pub, 3)
    assert 1 == sum("HTTP 401" in line for line in caplog.messages)


def test_a_body_that_is_too_large_is_halved(intake):
    """Until the server takes it; what it never takes is dropped by itself."""
    intake.answers = [413, 202, 413]
    with windage.Publisher(intake.url, model="m", version="1") as pub:
        for n in range(2):
            pub.metric("ctr", n)
        assert pub.flush(10)
    assert {"too_large": 1} == settled(pub, 2)
    assert [2, 1, 1] == [len(body.splitlines()) for _, _, body in intake.requests]


def test_a_server_that_comes_up_later_has_everything(dead):
    """What waited is sent as soon as there is somebody."""
    from tests.sdk.conftest import Intake

    pub = windage.Publisher(f"http://{dead}", model="m", version="1")
    for n in range(5):
        pub.prediction({"x": n}, 1)
    assert not pub.flush(0.3)
    intake = Intake()
    try:
        pub._outbox._connect = windage.Publisher(intake.url, model="m")._outbox._connect
        assert pub.flush(20)
        assert 5 == len(intake.events())
        assert pub.close()
    finally:
        intake.close()
    assert {} == settled(pub, 5)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_publishes_its_own_and_only_its_own(intake):
    """Before, while and after the parent publishes; nothing is sent twice, nobody hangs."""
    program = f"""
import os, sys, windage
pub = windage.Publisher({intake.url!r}, model="m", version="1")
pub.prediction({{}}, 1, id="before")
pub.flush(20)
pub.prediction({{}}, 1, id="waiting")
child = os.fork()
name = "parent" if child else "child"
for n in range(50):
    pub.prediction({{}}, 1, id=f"{{name}}-{{n}}")
assert pub.close(20), pub.counts.reasons
assert pub.counts.sent == (52 if child else 50), pub.counts.sent
if child:
    assert os.waitpid(child, 0)[1] == 0
else:
    os._exit(0)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=60)
    ids = [event["prediction_id"] for event in intake.events()]
    own = {f"{name}-{n}" for name in ("parent", "child") for n in range(50)}
    assert {"before", "waiting", *own} == set(ids)
    assert 102 == len(ids)


def test_a_process_that_ends_sends_first(intake):
    """Without close, right after the first event."""
    program = f"""
import windage
pub = windage.Publisher({intake.url!r}, model="m", version="1")
for n in range(500):
    pub.prediction({{"x": n}}, 1)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert 500 == len(intake.events())


@pytest.mark.parametrize("scheme", ["kafka", "http"])
def test_a_process_ends_in_time_where_nobody_listens(dead, scheme):
    """After `close_timeout_s`, with one line about it."""
    program = f"""
import windage
pub = windage.Publisher("{scheme}://{dead}", model="m", version="1", close_timeout_s=0.2)
pub.prediction({{"x": 1}}, 1)
"""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, timeout=60, capture_output=True, text=True
    )
    assert time.monotonic() - begun < 10
    assert 1 == done.stderr.count("undelivered")
    assert "Traceback" not in done.stderr


def message(size):
    return Message("predictions", b"k", b"x" * size)


def test_the_buffer_is_bounded_by_events_and_by_bytes():
    """An empty one takes anything."""
    buffer = Buffer(Limits(events=3, size=100))
    assert buffer.has_room(message(1000))
    for _ in range(3):
        assert buffer.has_room(message(10))
        buffer.put(message(10))
    assert not buffer.has_room(message(10))
    buffer.take()
    assert 3 == len(buffer.underway)
    assert not buffer.has_room(message(10))
    buffer.keep([])
    buffer.put(message(95))
    assert buffer.has_room(message(5))
    assert not buffer.has_room(message(6))


def test_a_token_is_sent_and_never_shown(intake):
    """As a bearer token."""
    with windage.Publisher(intake.url, model="m", version="1", token="s3cret") as pub:
        pub.prediction({}, 1)
        pub.flush(10)
    assert "Bearer s3cret" == intake.requests[0][1]["Authorization"]
    assert "s3cret" not in json.dumps(repr(vars(pub)))
