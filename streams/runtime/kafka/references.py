"""The `references` topic, read from its beginning and then followed: every profiler needs all.

Promises: at start everything up to the end of the topic is known before a machine runs; later
records are handed on in log order; of one key the last record counts.
Leaves to others: what a reference is (the machine).
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from streams.runtime.kafka.connection import Connection
from streams.runtime.kafka.exits import UnreachableError, leave_because
from streams.runtime.kafka.restore import PATIENCE_SECONDS, detached_consumer


class References:
    """Follows one topic in the background."""

    def __init__(
        self, connection: Connection, topic: str, partitions: int, tell: Callable[[bytes], None]
    ) -> None:
        self._connection = connection
        self._tps = [TopicPartition(topic, number) for number in range(partitions)]
        self._tell = tell
        self._known: dict[bytes, bytes] = {}
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None

    def known(self) -> Sequence[bytes]:
        """Return the references known now, oldest first."""
        return tuple(self._known.values())

    async def start(self) -> None:
        """Read to the present end, then follow."""
        consumer = self._consumer = detached_consumer(self._connection)
        await consumer.start()
        consumer.assign(self._tps)
        await consumer.seek_to_beginning(*self._tps)
        ends = await consumer.end_offsets(self._tps)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any([await consumer.position(tp) < ends[tp] for tp in self._tps]):
            if await self._read(500):
                deadline = time.monotonic() + PATIENCE_SECONDS
            if time.monotonic() > deadline:
                raise UnreachableError(f"{self._tps[0].topic} cannot be read to its end")
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
        if self._consumer is not None:
            await self._consumer.stop()

    async def _follow(self) -> None:
        try:
            while True:
                for value in await self._read(1000):
                    self._tell(value)
        except Exception as error:  # noqa: BLE001 - a worker without references is wrong silently
            leave_because(error, "reading references")

    async def _read(self, timeout_ms: int) -> list[bytes]:
        """Return new references in log order, and remember them."""
        assert self._consumer is not None
        got: dict[TopicPartition, list[Any]] = await self._consumer.getmany(timeout_ms=timeout_ms)
        fresh = []
        for records in got.values():
            for record in records:
                key = record.key or b""
                self._known.pop(key, None)  # so that the order is that of the last records
                if record.value is not None:
                    self._known[key] = record.value
                    fresh.append(record.value)
        return fresh
