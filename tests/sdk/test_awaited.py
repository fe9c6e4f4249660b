"""`windage.aio.Publisher`: the same guarantees on an event loop."""

import asyncio
import subprocess
import sys
import time

import pytest

import windage
import windage.aio

BLOCK_MS = 50
SLACK_MS = 1000  # of a busy machine; the clients themselves would wait for 5 s and more


async def test_it_publishes_what_the_other_publisher_does(intake):
    """Field by field, over HTTP."""
    at = "2026-01-01T00:00:00Z"
    given = {"model": "m", "version": "1", "sample": 0.5, "batches": "rows"}
    async with windage.aio.Publisher(intake.url, **given) as pub:
        for n in range(20):
            pid = await pub.prediction({"x": n}, 1, 0.5, id=f"p{n}", timestamp=at)
            await pub.label(pid, 0, timestamp=at)
        ids = [f"q{n}" for n in range(10)]
        assert ids == await pub.predictions({"x": ids}, [1] * 10, ids=ids, timestamp=at)
        await pub.labels(ids, [1] * 10, timestamp=at)
        await pub.metric("ctr", 0.1, timestamp=at)
        await pub.event("external", id="e", timestamp=at)
    awaited, intake.requests[:] = intake.events(), []
    with windage.Publisher(intake.url, **given) as other:
        for n in range(20):
            pid = other.prediction({"x": n}, 1, 0.5, id=f"p{n}", timestamp=at)
            other.label(pid, 0, timestamp=at)
        other.predictions({"x": ids}, [1] * 10, ids=ids, timestamp=at)
        other.labels(ids, [1] * 10, timestamp=at)
        other.metric("ctr", 0.1, timestamp=at)
        other.event("external", id="e", timestamp=at)
    assert intake.events() == awaited
    assert (other.counts.sent, other.counts.sampled_out) == (
        pub.counts.sent,
        pub.counts.sampled_out,
    )
    assert len(awaited) == pub.counts.sent


@pytest.mark.parametrize("scheme", ["kafka", "http"])
@pytest.mark.parametrize("server", ["dead", "hanging"])
async def test_publishing_never_waits_for_a_dead_or_hanging_server(server, scheme, request):
    """With a full buffer a call waits `max_block_ms` and drops; the loop is not held up."""
    address = request.getfixturevalue(server)
    pub = windage.aio.Publisher(
        f"{scheme}://{address}", model="m", version="1", max_block_ms=BLOCK_MS, max_buffer=20
    )
    await pub.prediction({"x": 0}, 1)
    await asyncio.sleep(1)  # the client is being imported, in a thread, which takes turns with us
    times = []
    for n in range(30):
        begun = time.perf_counter()
        await pub.prediction({"x": n}, 1)
        times.append(1000 * (time.perf_counter() - begun))
    assert BLOCK_MS <= max(times) < BLOCK_MS + SLACK_MS
    assert {"buffer_full": 11} == pub.counts.reasons
    assert not await pub.flush(0.1)
    assert not await pub.close(0.3)
    assert {"buffer_full": 11, "undelivered": 20} == pub.counts.reasons


@pytest.mark.parametrize("answers", [[503, 429], [0], [500, 0, 503]], ids=str)
async def test_what_was_not_acknowledged_is_sent_again_under_the_same_key(intake, answers):
    """So that it counts once."""
    intake.answers = list(answers)
    async with windage.aio.Publisher(intake.url, model="m", version="1") as pub:
        for n in range(10):
            await pub.metric("ctr", n)
        assert await pub.flush(20)
    assert 1 == len({headers["Idempotency-Key"] for _, headers, _ in intake.requests})
    assert list(range(10)) == [event["value"] for event in intake.events()]
    assert (10, 0) == (pub.counts.sent, pub.dropped)


async def test_what_is_refused_is_counted(intake):
    """For good: not sent again; too large: halved first."""
    intake.answers = [401, 413, 202, 413]
    async with windage.aio.Publisher(intake.url, model="m", version="1") as pub:
        await pub.prediction({}, 1)
        assert await pub.flush(10)
        await pub.metric("ctr", 1)
        await pub.metric("ctr", 2)
        assert await pub.flush(10)
    assert ({"rejected": 1, "too_large": 1}, 1) == (pub.counts.reasons, pub.counts.sent)


async def test_a_wrong_argument_is_counted_or_raised():
    """As `strict` says; after close nothing is taken."""
    pub = windage.aio.Publisher("http://127.0.0.1:9", model="m", version="1")
    assert await pub.prediction([1], 1)
    await pub.label("", 1)
    await pub.event("deploy")
    assert {"bad_argument": 3} == pub.counts.reasons
    assert await pub.close()
    await pub.prediction({}, 1)
    assert 1 == pub.counts.reasons["closed"]
    strict = windage.aio.Publisher("http://127.0.0.1:9", model="m", version="1", strict=True)
    with pytest.raises(windage.ArgumentError):
        await strict.metric("a b", 1)


def test_importing_it_takes_no_client_with_it():
    """They are imported by the task that sends."""
    look = "import sys, windage.aio; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert set() == {"aiokafka", "aiohttp", "kafka", "streams"} & set(done.stdout.split())
