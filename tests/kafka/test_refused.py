"""Twenty kinds of bad records in front of a thousand good ones, through a broker and workers."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.load import load_text
from streams import snapshot as slots
from streams.runtime import topics
from streams.runtime.partitions import partition_of
from streams.runtime.roles import ProfilerRole
from tests.refused import (
    ACCOUNTS,
    CONFIG,
    ROWS,
    expected,
    good,
    headers,
    kinds,
    now,
    outcomes,
    told,
)

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 2
SECONDS = 60


@pytest.fixture
def config(broker, topic_prefix, tmp_path):
    """The config, in a file too; its topics are on the broker."""
    text = CONFIG.format(bootstrap=broker.bootstrap, prefix=topic_prefix, partitions=PARTITIONS)
    text += f"app: {topic_prefix}app\n"
    (tmp_path / "windage.yaml").write_text(text)
    config = load_text(text, {}, lambda name: Path(name).read_text())
    topics.create(config)
    return config


@pytest.fixture
def workers(config, tmp_path):
    """Return `windage worker` running, and the file of what it says."""
    log = tmp_path / "worker.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "streams.cli", "worker", "-c", str(tmp_path / "windage.yaml")],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=dict(os.environ),
            start_new_session=True,
        )
    yield process, log
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


async def test_bad_records_are_dead_letters_and_good_ones_count(config, workers):
    """Bytes, headers and codes of all twenty, each once; no worker ever had to be started again."""
    process, log = workers
    at = now()
    bad = kinds(at)
    records = [(kind.encode(), value, headers(kind)) for kind, (value, _) in bad.items()]
    records += [(*good(number, at), ()) for number in range(ROWS)]
    await write(config, records)
    deadline = time.monotonic() + SECONDS
    accounts = {}
    while accounts != ACCOUNTS:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, (accounts, log.read_text())
        await asyncio.sleep(0.3)
        accounts = outcomes({"predictions": await accounted(config)})
    assert expected(bad) == told(
        (r.key, r.value, r.headers) for r in await read(config, "dead-letters")
    )
    process.send_signal(signal.SIGTERM)
    assert 0 == await asyncio.to_thread(process.wait, 40)
    assert "starting it again" not in log.read_text()
    assert 20 == len(await read(config, "dead-letters"))


async def write(config, records):
    """Write records in order, the bad ones in front of every partition's good ones."""
    topic = config.topics.name("predictions")
    async with AIOKafkaProducer(
        bootstrap_servers=config.kafka.bootstrap, acks="all", enable_idempotence=True
    ) as producer:
        for key, value, said in records:
            await producer.send(
                topic,
                value,
                key=key,
                headers=list(said),
                partition=partition_of(key, PARTITIONS),
            )


async def read(config, topic):
    """Every record of a topic, in the order of its partitions."""
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
                found += records
        return sorted(found, key=lambda record: (record.partition, record.offset))
    finally:
        await consumer.stop()


async def accounted(config):
    """What the profilers' states say became of the predictions, over all partitions."""
    total = {}
    stored = await read(config, "profiler-state")
    for number in range(PARTITIONS):
        own = [slots.SlotRecord(r.key, r.value) for r in stored if r.partition == number]
        found = slots.assemble(own)
        if found is None:
            continue
        machine = ProfilerRole(config, {}).restored(number, PARTITIONS, found.snapshot)
        for outcome, count in msgspec.to_builtins(machine.accounting()["predictions"]).items():
            total[outcome] = total.get(outcome, 0) + count
    return total
