"""`windage worker` as an operator starts it, and what it leaves on the broker.

One model `m` under the broker's clock, learning; two partitions.
"""

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
from streams import snapshot as snapshots
from streams.cli.configured import load_baselines
from streams.runtime import topics
from streams.runtime.assembly import Profilers
from streams.runtime.partitions import partition_of
from streams.snapshot import SnapshotError
from tests.refused import CONFIG, outcomes

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 2
STOP_SECONDS = 40
COUNT_SECONDS = 60


class Command:
    """One config with its topics, and the processes started with it."""

    def __init__(self, bootstrap, prefix, folder):
        text = CONFIG.format(bootstrap=bootstrap, prefix=prefix, partitions=PARTITIONS)
        self._folder = folder
        self._log = folder / "worker.log"
        self.configure("windage.yaml", text + f"app: {prefix}app\n")
        topics.create(self.config)
        self.process = None

    def text(self):
        """The config it is started with."""
        return self._path.read_text()

    def configure(self, name, text):
        """Start with this config from now on, in a file of this name."""
        self._path = self._folder / name
        self._path.write_text(text)
        self.config = load_text(text, {}, lambda name: Path(name).read_text())

    def start(self, *options):
        """Start the command; its workers are its children."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streams.cli", "worker", "-c", str(self._path), *options],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(os.environ),
            )

    def stop(self):
        """Stop it in order; gives its exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def said(self):
        """What it has written for its operator."""
        return self._log.read_text()

    async def write(self, records):
        """Write (key, value, headers) into predictions, in order within each partition."""
        topic = self.config.topics.name("predictions")
        async with AIOKafkaProducer(
            bootstrap_servers=self.config.kafka.bootstrap, acks="all", enable_idempotence=True
        ) as producer:
            for key, value, said in records:
                await producer.send(
                    topic,
                    value,
                    key=key,
                    headers=list(said),
                    partition=partition_of(key, PARTITIONS),
                )

    async def read(self, topic):
        """Every record of a topic, in the order of its partitions."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.config.kafka.bootstrap,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            name = self.config.topics.name(topic)
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

    async def accounts(self):
        """What the profilers' states say became of the predictions, over all partitions."""
        total = {}
        stored = await self.read("profiler-state")
        for number in range(PARTITIONS):
            own = [snapshots.StateRecord(r.key, r.value) for r in stored if r.partition == number]
            found = snapshots.assemble(own)
            if found is None or not found.snapshot:  # a reset leaves an empty one
                continue
            role = Profilers(self.config, load_baselines(self.config, self._folder))
            role.know([r.value for r in await self.read("references")])
            try:
                machine = role.restored(number, PARTITIONS, found.snapshot)
            except SnapshotError:  # that of another config, which a reset has not replaced yet
                continue
            for outcome, count in msgspec.to_builtins(machine.accounting()["predictions"]).items():
                total[outcome] = total.get(outcome, 0) + count
        return total

    async def until(self, accounts):
        """Wait until that is what became of the predictions; the command must not end before."""
        deadline = time.monotonic() + COUNT_SECONDS
        found = None
        while accounts != found:
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, (found, self.said())
            await asyncio.sleep(0.3)
            found = outcomes({"predictions": await self.accounts()})


@pytest.fixture
def command(broker, topic_prefix, tmp_path):
    """Return a command on topics of its own, not started."""
    command = Command(broker.bootstrap, topic_prefix, tmp_path)
    yield command
    command.stop()
