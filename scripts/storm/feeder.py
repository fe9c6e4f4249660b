"""Writes a world into the input topics, past the proxy, at the pace of the faults.

Promises: each record is written once and in order within its partition, also over restarts of the
broker (an idempotent producer that waits).
Leaves to others: what is written (`world`).
"""

import asyncio
import time
from contextlib import suppress
from typing import Final

import orjson
from aiokafka import AIOKafkaProducer

from schemas.log import INPUT_LOGS
from scripts.storm.world import BASE_MS, EVENT_TIMED, PARTITIONS, STEP_MS, World
from streams.runtime.partitions import partition_of
from streams.runtime.replay import END_HEADERS

PATIENCE_MS: Final = 240_000
STOP_S: Final = 60.0
SLICE_S: Final = 0.05
END_KEY: Final = b"end"


class Feeder:
    """A producer and the rest of the world."""

    def __init__(self, direct: int, world: World, events: int) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=f"127.0.0.1:{direct}",
            acks="all",
            enable_idempotence=True,
            linger_ms=20,
            max_batch_size=256 << 10,
            request_timeout_ms=PATIENCE_MS,
        )
        self._records = world.records()
        self._events = events
        self._failure: BaseException | None = None
        self.sent = 0

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()

    async def stop(self) -> None:
        """Let go of the broker; of one that is gone, without what it has not taken."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._producer.stop(), STOP_S)

    async def feed(self, count: int, seconds: float) -> None:
        """Write the next `count` records, spread over so many seconds."""
        begun = time.monotonic()
        done = 0
        while done < count:
            due = count if seconds <= 0 else int(count * (time.monotonic() - begun) / seconds) + 1
            for _ in range(min(due, count) - done):
                await self._send()
                done += 1
            await asyncio.sleep(SLICE_S if seconds > 0 else 0)
            if self._failure is not None:
                raise self._failure

    async def _send(self) -> None:
        record = next(self._records)
        future = await self._producer.send(
            record.topic,
            record.value,
            key=record.key,
            partition=partition_of(record.key, PARTITIONS),
        )
        future.add_done_callback(self._look)
        self.sent += 1

    def _look(self, future: "asyncio.Future[object]") -> None:
        if not future.cancelled() and future.exception() is not None:
            self._failure = future.exception()

    async def end(self) -> None:
        """End the streams of event time, and wait until everything is written."""
        await self._producer.flush()
        for model in EVENT_TIMED:
            body = {
                "model": model,
                "type": "end_of_stream",
                "timestamp": BASE_MS + self._events * STEP_MS,
                "id": "end-of-stream",
            }
            for topic in INPUT_LOGS:
                for partition in range(PARTITIONS):
                    await self._producer.send_and_wait(
                        topic,
                        orjson.dumps(body),
                        key=END_KEY,
                        partition=partition,
                        headers=list(END_HEADERS),
                    )
