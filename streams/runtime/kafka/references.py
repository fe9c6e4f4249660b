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
        self._read_to: dict[TopicPartition, int] = {}
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to read at the beginning, and follow from then on."""
        self._consumer = detached_consumer(self._connection)
        await self._consumer.start()
        self._consumer.assign(self._tps)
        await self._consumer.seek_to_beginning(*self._tps)
        self._task = asyncio.create_task(self._follow(self._consumer))

    async def latest(self) -> Sequence[bytes]:
        """Return the references up to the present end of the topic, oldest first."""
        assert self._consumer is not None, "not started"
        ends = await self._consumer.end_offsets(self._tps)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(self._read_to.get(tp, 0) < end for tp, end in ends.items()):
            if time.monotonic() > deadline:
                raise UnreachableError(f"{self._tps[0].topic} cannot be read to its end")
            await asyncio.sleep(0.01)
        return self.known()

    def known(self) -> Sequence[bytes]:
        """Return the references read so far, oldest first."""
        return tuple(self._known.values())

    async def stop(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
        if self._consumer is not None:
            await self._consumer.stop()

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        try:
            while True:
                got = await consumer.getmany(timeout_ms=1000)
                for records in got.values():
                    for record in records:
                        self._note(record)
                for tp in self._tps:
                    # Not before the records are noted: `latest` waits for this.
                    self._read_to[tp] = await consumer.position(tp)
        except Exception as error:  # noqa: BLE001 - a worker without references is wrong silently
            leave_because(error, "reading references", self._connection.principal)

    def _note(self, record: Any) -> None:  # noqa: ANN401 - aiokafka publishes no types
        """Remember a record, and hand it on."""
        key = record.key or b""
        self._known.pop(key, None)  # so that the order is that of the last records
        if record.value is not None:
            self._known[key] = record.value
            self._tell(record.value)
