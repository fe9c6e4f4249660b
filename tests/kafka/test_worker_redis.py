"""Workers whose predictions wait in a real Redis say what a replay in memory says (law 3)."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from schemas.load import load_text
from schemas.log import INPUT_LOGS
from streams.runtime import topics
from streams.runtime.assembly import open_replay
from streams.runtime.partitions import partition_of
from streams.runtime.recordings.mapping import Columns
from streams.runtime.recordings.recording import Recording
from streams.runtime.replay import END_HEADERS
from tests.kafka.test_worker_machines import (
    CONFIG,
    PARTITIONS,
    ROOT,
    read,
    recorded,
    said,
    write,
    write_rows,
)
from tests.stores.conftest import Server, need_redis


@pytest.fixture
def redis(tmp_path):
    """A running Redis."""
    need_redis()
    server = Server(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.mark.slow
async def test_the_same_drift_events_though_a_profiler_is_killed_twice(
    broker, redis, topic_prefix, tmp_path
):
    """Killed while it reads; afterwards every partition's predictions and labels lie in Redis."""
    text = CONFIG.format(bootstrap=broker.bootstrap, prefix=topic_prefix, partitions=PARTITIONS)
    memory = load_text(text, {}, lambda name: Path(name).read_text())
    text += f'redis: {{url: "{redis.url}", timeout: 3s}}\napp: {topic_prefix}app\n'
    path = tmp_path / "windage.yaml"
    path.write_text(text)
    config = load_text(text, {}, lambda name: Path(name).read_text())
    topics.create(config)
    write_rows(tmp_path / "rows.csv")
    replayed = list(open_replay(memory, {}).run(recorded(tmp_path).chunks(), ["m"]))
    expected = said((o.headers, o.value) for o in replayed if o.topic == "drift-events")
    assert expected, "the recording holds a drift"
    started, log = [], (tmp_path / "said.txt").open("wb")

    def start(role):
        command = [sys.executable, "-m", "streams.cli", "worker", "--config", str(path)]
        started.append(
            subprocess.Popen([*command, "--role", role], cwd=ROOT, stderr=log, env=dict(os.environ))
        )
        return started[-1]

    try:
        profiler = start("profiler")
        start("monitor")
        await write(config, recorded(tmp_path))
        deadline, kills, found = time.monotonic() + 120, 0, {}
        while found.keys() != expected.keys() or kills < 2:
            assert time.monotonic() < deadline, (found.keys(), expected.keys())
            keys = redis.client().dbsize()
            if kills < 2 and keys > kills * 3_000:
                kills += 1
                profiler.send_signal(signal.SIGKILL)
                profiler.wait()
                profiler = start("profiler")
            found = said(await read(config, "drift-events"))
            await asyncio.sleep(0.2)
        assert expected == found
        assert redis.client().dbsize() > 5_000
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
            process.wait()
        log.close()
    assert "labels are joined from memory" not in (tmp_path / "said.txt").read_text()


EVERY_MS = 20
DELAY_MS = 1_500 * EVERY_MS
"""Labels come fifteen panes after their predictions, which have long left memory by then."""


def quick(folder):
    """The rows as records, a hundred in each pane of two seconds."""
    return Recording(folder / "rows.csv", model="m", columns=Columns(id="id", every=EVERY_MS))


def waves(folder):
    """Predictions and labels in the order of their times, as (time, log, key, value)."""
    found = []
    for chunk in quick(folder).chunks():
        for log, entries in chunk.entries.items():
            for key, value in zip(entries.keys, entries.values, strict=True):
                event = orjson.loads(value)
                event["timestamp"] += DELAY_MS * (log == "labels")
                found.append((event["timestamp"], log, key, orjson.dumps(event)))
    return sorted(found, key=lambda one: one[0])


async def send(config, events):
    """Write events, each to the partition of its key."""
    async with AIOKafkaProducer(bootstrap_servers=config.kafka.bootstrap) as producer:
        for _, log, key, value in events:
            number = partition_of(key, PARTITIONS)
            await producer.send(config.topics.name(log), value, key=key, partition=number)


async def end(config, at):
    """End every log of every partition."""
    event = orjson.dumps({"model": "m", "type": "end_of_stream", "timestamp": at, "id": "end"})
    async with AIOKafkaProducer(bootstrap_servers=config.kafka.bootstrap) as producer:
        for log in INPUT_LOGS:
            for number in range(PARTITIONS):
                await producer.send_and_wait(
                    config.topics.name(log),
                    event,
                    key=b"m",
                    partition=number,
                    headers=list(END_HEADERS),
                )


def window(reading):
    """The end of the window that a reading is of."""
    return reading["current"]["window"]["end"]


def judged(values):
    """What was said of the feature `x`: statistic and rows by segment, detector and window."""
    readings = [orjson.loads(value) for value in values]
    return {
        (one["segment"], one["monitor"], one["current"]["window"]["start"], window(one)): (
            one["statistic"],
            one["current"]["rows"],
        )
        for one in readings
        if one["signal"] == "feature:x"
    }


JOIN = "operational:join"


async def joins(config):
    """The readings that tell of the joins, the newest at the end."""
    readings = [orjson.loads(value) for _, value in await read(config, "readings")]
    once = {one["current"]["window"]["end"]: one for one in readings if one["signal"] == JOIN}
    return [once[end] for end in sorted(once)]


async def _several(config, events):
    """Whether the panes are judged whose predictions and labels are written."""
    last = datetime.fromtimestamp(events[-1][0] / 1000 - 4, UTC).isoformat()
    said = judged(value for _, value in await read(config, "readings"))
    return said and max(end for *_, end in said) >= last


async def _breach(config):
    said = await joins(config)
    return next((one for one in said if one["breach"] and one["current"]["rows"]), None)


async def _whole(config, told):
    said = await joins(config)
    return said[-1] if window(said[-1]) > window(told) and not said[-1]["breach"] else None


async def until(condition, what):
    """Wait until a coroutine says something true; what it said."""
    deadline = time.monotonic() + 120
    while not (said := await condition()):
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.3)
    return said


@pytest.mark.slow
async def test_redis_killed_while_workers_run_costs_joins_and_nothing_else(
    broker, redis, topic_prefix, tmp_path
):
    """Features are judged as without a fault, the join says what it missed, and is whole again."""
    text = CONFIG.format(bootstrap=broker.bootstrap, prefix=topic_prefix, partitions=PARTITIONS)
    text = text.replace("first, rows: 3000", "first, rows: 1000").replace("100s", "2s")
    text += f'redis: {{url: "{redis.url}", timeout: 500ms}}\napp: {topic_prefix}app\n'
    path = tmp_path / "windage.yaml"
    path.write_text(text)
    config = load_text(text, {}, lambda name: Path(name).read_text())
    topics.create(config)
    write_rows(tmp_path / "rows.csv")
    events = waves(tmp_path)
    first = events[0][0]
    parts = [first + row * EVERY_MS for row in (4_500, 6_000)]
    before = [one for one in events if one[0] < parts[0]]
    during = [one for one in events if parts[0] <= one[0] < parts[1]]
    after = [one for one in events if parts[1] <= one[0]]
    command = [sys.executable, "-m", "streams.cli", "worker", "--config", str(path)]
    worker = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=dict(os.environ))
    try:
        await send(config, before)
        await until(lambda: _several(config, before), "panes before the fault are judged")
        assert redis.client().dbsize() > 2_000
        redis.kill()
        await send(config, during)
        told = await until(lambda: _breach(config), "the join says what it missed")
        redis.start()
        await asyncio.sleep(6)  # the breaker's pause doubles up to 5 s
        await send(config, after)
        await end(config, events[-1][0])
        whole = await until(lambda: _whole(config, told), "the join is whole again")
        assert window(whole) > window(told)
        assert worker.returncode is None
        found = judged(value for _, value in await read(config, "readings"))
    finally:
        worker.terminate()
        await worker.wait()
    replayed = open_replay(config, {}).run(quick(tmp_path).chunks(), ["m"])
    expected = judged(o.value for o in replayed if o.topic == "readings")
    assert len(expected) > 50
    assert expected == found
