"""The run's topics: made, read whole, and hurt.

Promises: a topic is read from its first offset to its end as it stood when reading began.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import KafkaError

from schemas.config import Config
from schemas.topics import plan
from scripts.storm.progress import Watcher
from streams import snapshot as snapshots

LETTERS: Final = "dead-letters"
JOURNAL: Final = "journal"
STATES: Final = "profiler-state"
NARROW: Final = "60"
PATIENCE_S: Final = 60.0


class Read(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record as it stands in its log."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class RunTopics:
    """The topics of one run, past the proxy."""

    def __init__(self, direct: int, config: Config, watcher: Watcher) -> None:
        self._server = f"127.0.0.1:{direct}"
        self._planned = {one.name: one for one in plan(config)}
        self._watcher = watcher
        self.rescued: list[Read] = []
        """Dead letters that were read before their topic was deleted."""

    async def create(self) -> None:
        """Make all of them."""
        await asyncio.to_thread(self._make, list(self._planned))

    async def narrow(self) -> None:
        """Let the journal take no record of useful size."""
        await asyncio.to_thread(self._limit, NARROW)

    async def widen(self) -> None:
        """Let it take them again."""
        usual = self._planned[JOURNAL].configs["max.message.bytes"]
        await asyncio.to_thread(self._limit, usual)

    async def rescue_and_delete(self) -> None:
        """Read the dead letters to their end, and delete their topic."""
        self.rescued += await self.read(LETTERS)
        await asyncio.to_thread(self._delete)

    async def make_again(self) -> None:
        """Make the dead letters' topic."""
        await asyncio.to_thread(self._make, [LETTERS])

    async def committed(self) -> dict[tuple[str, int], int]:
        """The profilers' committed offsets by log and partition, as of now."""
        view = await self._watcher.newer(time.monotonic())
        marks = view.committed["storm-profiler"]
        return {(tp.topic, tp.partition): at for tp, at in marks.items()}

    async def kept(self) -> dict[tuple[str, int], int]:
        """The offsets up to which the profilers' newest snapshots reach."""
        found = newest(await self.read(STATES))
        return {
            (log, number): at
            for number, one in found.items()
            for log, at in one.meta.positions.items()
        }

    async def letters(self) -> list[Read]:
        """Every dead letter there ever was."""
        return [*self.rescued, *await self.read(LETTERS)]

    async def read(self, topic: str) -> list[Read]:
        """Every record of a topic, by partition and offset."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._server,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_partition_fetch_bytes=8 << 20,
        )
        await consumer.start()
        try:
            tps = [TopicPartition(topic, n) for n in range(self._planned[topic].partitions)]
            found = [one for tp in tps for one in await _read(consumer, tp)]
        finally:
            await consumer.stop()
        return found

    def _make(self, names: Sequence[str]) -> None:
        with closing(KafkaAdminClient(bootstrap_servers=self._server)) as admin:
            for name in names:
                planned = self._planned[name]
                new = NewTopic(
                    name, planned.partitions, planned.replication, topic_configs=planned.configs
                )
                _insist(admin, new)
            admin.wait_for_topics(list(names))

    def _delete(self) -> None:
        with closing(KafkaAdminClient(bootstrap_servers=self._server)) as admin:
            admin.delete_topics([LETTERS])

    def _limit(self, size: str) -> None:
        with closing(KafkaAdminClient(bootstrap_servers=self._server)) as admin:
            wanted = self._planned[JOURNAL].configs | {"max.message.bytes": size}
            resource = ConfigResource(ConfigResourceType.TOPIC, JOURNAL, configs=wanted)
            admin.alter_configs([resource])


def newest(stored: Sequence[Read]) -> dict[int, snapshots.Found]:
    """The newest whole snapshot of each partition of a state topic that has one."""
    own: dict[int, list[snapshots.StateRecord]] = {}
    for one in stored:
        record = snapshots.StateRecord(one.key or b"", one.value)
        own.setdefault(one.partition, []).append(record)
    found = {number: snapshots.assemble(records) for number, records in own.items()}
    return {number: one for number, one in found.items() if one is not None}


def _insist(admin: KafkaAdminClient, new: NewTopic) -> None:
    """Create a topic; one of its name may still be on its way out."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            admin.create_topics([new])
        except KafkaError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


async def _read(consumer: AIOKafkaConsumer, tp: TopicPartition) -> list[Read]:
    consumer.assign([tp])
    end = (await consumer.end_offsets([tp]))[tp]
    await consumer.seek_to_beginning(tp)
    found: list[Read] = []
    deadline = time.monotonic() + PATIENCE_S
    while await consumer.position(tp) < end:
        for record in (await consumer.getmany(tp, timeout_ms=500)).get(tp, []):
            deadline = time.monotonic() + PATIENCE_S
            if record.offset < end:
                found.append(
                    Read(
                        partition=tp.partition,
                        offset=record.offset,
                        timestamp=record.timestamp,
                        key=record.key,
                        value=record.value,
                        headers=tuple(record.headers),
                    )
                )
        if time.monotonic() > deadline:
            raise TimeoutError(f"{tp.topic}[{tp.partition}] cannot be read to {end}")
    return found
