"""The real machines on a real broker say what a replay says (law 3)."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.load import load_text
from schemas.log import INPUT_LOGS
from streams.runtime import topics
from streams.runtime.assembly import open_replay
from streams.runtime.partitions import partition_of
from streams.runtime.recordings.mapping import Columns
from streams.runtime.recordings.recording import Recording
from streams.runtime.replay import END_HEADERS

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 4
ROWS = 6000
CONFIG = """
version: 1
kafka: {{bootstrap: "{bootstrap}"}}
topics: {{prefix: "{prefix}", partitions: {partitions}}}
state: {{every: 1s}}
models:
  m:
    task: binary
    pane: 100s
    lateness: 0s
    clock: event
    labels: {{horizon: 1d}}
    segments: [{{feature: city}}]
    reference: {{from: first, rows: 3000, min_duration: 0s}}
    false_alarms: 1 per 30d
"""


def write_rows(path):
    """Two numbers and a city; from row 4000 on the first number is larger by one sd."""
    chance = random.Random(1)
    lines = ["id,x,y,city,prediction,score,label"]
    for row in range(ROWS):
        x = chance.gauss(1.0 if row >= 4000 else 0.0, 1.0)
        score = min(max(chance.gauss(0.5, 0.2), 0.01), 0.99)
        label = int(chance.random() < score)
        city = chance.choice(["rome", "oslo"])
        lines.append(
            f"{row},{x:.6f},{chance.random():.6f},{city},{int(score > 0.5)},{score:.6f},{label}"
        )
    path.write_text("\n".join(lines) + "\n")


def said(records):
    """Drift events once by id, without what may differ: `sequence` and evidence offsets."""
    found = {}
    for headers, value in records:
        event = orjson.loads(value)
        event.pop("sequence", None)
        event.pop("evidence", None)
        repeated = found.setdefault(dict(headers)["ce_id"], event)
        assert event == repeated, "one id never has two payloads"
    return found


def recorded(folder):
    """The rows as records; read once, because its clock goes on."""
    return Recording(folder / "rows.csv", model="m", columns=Columns(id="id", every=1000))


async def write(config, recording):
    """Write a recording into the input topics, and end every log of every partition."""
    last = 0
    async with AIOKafkaProducer(
        bootstrap_servers=config.kafka.bootstrap, acks="all", enable_idempotence=True
    ) as producer:
        for chunk in recording.chunks():
            last = chunk.last
            for log, entries in chunk.entries.items():
                for key, value in zip(entries.keys, entries.values, strict=True):
                    await producer.send(
                        config.topics.name(log),
                        value,
                        key=key,
                        partition=partition_of(key, PARTITIONS),
                    )
        end = {"model": "m", "type": "end_of_stream", "timestamp": last, "id": "end-of-stream"}
        for log in INPUT_LOGS:
            for partition in range(PARTITIONS):
                await producer.send_and_wait(
                    config.topics.name(log),
                    orjson.dumps(end),
                    key=b"m",
                    partition=partition,
                    headers=list(END_HEADERS),
                )


async def read(config, topic):
    """Every record of a topic as (headers, value)."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=config.kafka.bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        name = config.topics.name(topic)
        tps = [TopicPartition(name, number) for number in range(PARTITIONS)]
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        found = []
        while any([await consumer.position(tp) < ends[tp] for tp in tps]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [(record.headers, record.value) for record in records]
        return found
    finally:
        await consumer.stop()


@pytest.mark.parametrize(
    "model", ["m", pytest.param('"*"', id="not named", marks=pytest.mark.slow)]
)
async def test_workers_say_what_a_replay_says_also_when_killed(
    model, broker, topic_prefix, tmp_path
):
    """Profilers and monitor as processes, one of each killed half-way: the same drift events."""
    text = CONFIG.format(bootstrap=broker.bootstrap, prefix=topic_prefix, partitions=PARTITIONS)
    text = text.replace("  m:\n", f"  {model}:\n")
    path = tmp_path / "windage.yaml"
    path.write_text(text)
    config = load_text(text, {}, lambda name: Path(name).read_text())
    topics.create(config)
    write_rows(tmp_path / "rows.csv")
    replayed = list(open_replay(config, {}).run(recorded(tmp_path).chunks(), ["m"]))
    expected = said((o.headers, o.value) for o in replayed if o.topic == "drift-events")
    assert expected, "the recording holds a drift"

    started = []

    def start(role):
        arguments = [sys.executable, "-m", "streams.cli", "worker", "--config", str(path)]
        started.append(
            subprocess.Popen(
                [*arguments, "--role", role], cwd=ROOT, stderr=subprocess.PIPE, env=dict(os.environ)
            )
        )
        return started[-1]

    try:
        roles = {role: start(role) for role in ("profiler", "monitor")}
        await write(config, recorded(tmp_path))
        deadline = time.monotonic() + 150  # a busy machine starts four Pythons slowly
        killed = set()
        found = {}
        while found.keys() != expected.keys() or len(killed) < 2:
            assert time.monotonic() < deadline, (found.keys(), expected.keys())
            for role, process in roles.items():
                assert process.poll() is None, process.stderr.read().decode()
                topic = {"profiler": "journal", "monitor": "readings"}[role]
                if role not in killed and await read(config, topic):
                    killed.add(role)
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    roles[role] = start(role)
            found = said(await read(config, "drift-events"))
            await asyncio.sleep(0.2)
        assert expected == found
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stderr.close()
