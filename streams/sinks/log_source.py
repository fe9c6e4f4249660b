"""The messages of a sink from the SQLite log of the process that serves it.

Promises: how far the sink has come is a state in the log itself, written in one transaction with a
dead letter; the file is read and written off the event loop.
Leaves to others: what becomes of a message (`courier`).
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.config_sinks import SinkTopic
from schemas.log import Output
from streams.runtime.installation.reading import Located
from streams.runtime.sqlite_log import SqliteLog
from streams.sinks.source import Arrived, Mark, reasons

_PAGE: Final = 200
_DECODER: Final = msgspec.json.Decoder(dict[str, Mark])


class LogSource:
    """The topics `topics` for the sink `name`, whose outputs have one partition."""

    def __init__(self, log: SqliteLog, name: str, topics: Sequence[SinkTopic]) -> None:
        self._log = log
        self._name = name
        self._topics = topics
        self._state = f"sink-{name}"
        self._marks: dict[str, Mark] = _DECODER.decode(log.state(self._state) or b"{}")
        fresh: dict[str, Mark] = {
            topic: Mark(began=log.end(topic)) for topic in topics if topic not in self._marks
        }
        if fresh:
            # At once: what is written from now on is new, whatever becomes of this process.
            self._marks |= fresh
            log.commit([], {self._state: msgspec.json.encode(self._marks)})
        self._read = {topic: self._marks[topic].first for topic in topics}
        self._ready: deque[Arrived] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Something was written; may be called from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._rung.set)

    async def next(self, seconds: float) -> Arrived | None:
        """The next record; None: nothing came for so long."""
        self._loop = asyncio.get_running_loop()
        if not self._ready:
            self._rung.clear()  # before reading, so that what is written meanwhile rings it
            await asyncio.to_thread(self._fetch)
        if not self._ready:
            try:
                await asyncio.wait_for(self._rung.wait(), seconds)
            except TimeoutError:
                return None
            await asyncio.to_thread(self._fetch)
        return self._ready.popleft() if self._ready else None

    def owns(self, arrived: Arrived) -> bool:  # noqa: ARG002 - one process has the log
        """Always: one process has the log."""
        return True

    async def done(self, arrived: Arrived) -> None:
        """Write down that it was sent, or needed not be."""
        await self._store(arrived, [])

    async def refused(self, arrived: Arrived, reason: str) -> None:
        """Write its dead letter, and that it is done."""
        record = arrived.record
        letter = Output(
            topic="dead-letters",
            key=record.key,
            value=record.value or b"",
            headers=reasons(record, self._name, reason),
        )
        await self._store(arrived, [(letter, 0)])

    def waiting(self) -> int:
        """Records not done yet."""
        return sum(self._marks[topic].waiting(self._log.end(topic)) for topic in self._topics)

    async def close(self) -> None:
        """Nothing is open: the log belongs to the runtime."""

    async def _store(self, arrived: Arrived, letters: Sequence[tuple[Output, int]]) -> None:
        record = arrived.record
        mark = self._marks[record.topic]
        marks = {
            **self._marks,
            record.topic: msgspec.structs.replace(mark, done=max(mark.done, record.offset + 1)),
        }
        states = {self._state: msgspec.json.encode(marks)}
        await asyncio.to_thread(self._log.commit, letters, states)
        self._marks = marks

    def _fetch(self) -> None:
        """Read a page of each topic."""
        for topic in self._topics:
            records = self._log.read(topic, 0, self._read[topic], _PAGE, connection="view")
            for record in records:
                self._read[topic] = record.offset + 1
                self._ready.append(
                    Arrived(
                        record=Located(
                            topic=topic,
                            partition=0,
                            offset=record.offset,
                            timestamp=record.timestamp,
                            key=record.key,
                            value=record.value,
                            headers=record.headers,
                        ),
                        standing=self._marks[topic].standing(record.offset),
                    )
                )
