"""A broker in memory: append, fetch, compact, and what is on its way to it.

Promises: records of one sender reach one partition in the order of sending and nothing else is in
order; what has not arrived when its sender dies may arrive or be lost; compaction keeps the last
record of each key.
Leaves to others: who sends and when anything arrives (`fleet`, `simulation`).
"""

import asyncio
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, NamedTuple

from aiokafka.structs import TopicPartition

from schemas.log import Headers, Millis, Record

Place = tuple[str, int]
STATES = ("profiler-state", "monitor-state")

_offset, _time = attrgetter("offset"), attrgetter("timestamp")


class Broker:
    """Logs by topic and partition. Records of the future are there and cannot be seen yet."""

    latest: "Broker"
    """The one that runs, for mutations that look at the clock."""

    def __init__(self, logs: Mapping[Place, Sequence[Record]], now: Millis) -> None:
        self.logs: dict[Place, list[Record]] = {place: list(rs) for place, rs in logs.items()}
        self.now = now
        self.heard: Callable[[Place, Record], None] = lambda place, record: None
        """Called with every record appended."""
        self.gates: list[asyncio.Future[None]] = []
        """Restores that wait to be let in."""
        self.gated = False
        self._answer = SimpleNamespace(timestamp=now, timestamp_type=1, offset=0)

    @property
    def answer(self) -> SimpleNamespace:
        """What is told who has appended something."""
        if self._answer.timestamp != self.now:
            self._answer = SimpleNamespace(timestamp=self.now, timestamp_type=1, offset=0)
        return self._answer

    def log(self, place: Place) -> list[Record]:
        """Return one log, also one that nobody has written to."""
        return self.logs.setdefault(place, [])

    def append(self, place: Place, key: bytes | None, value: bytes | None, headers: Headers) -> int:
        """Append a record; return its offset."""
        log = self.log(place)
        offset = log[-1].offset + 1 if log else 0
        record = Record(offset=offset, timestamp=self.now, key=key, value=value, headers=headers)
        log.append(record)
        self.heard(place, record)
        return offset

    def fetch(self, place: Place, offset: int, limit: int) -> list[Record]:
        """Return at most `limit` records from `offset` on that have come by now."""
        log = self.log(place)
        first = bisect_left(log, offset, key=_offset)
        return [r for r in log[first : first + limit] if r.timestamp <= self.now]

    def end(self, place: Place) -> int:
        """Return the offset after the last record that has come."""
        log = self.log(place)
        come = bisect_right(log, self.now, key=_time)
        return log[come - 1].offset + 1 if come else self.begin(place)

    def begin(self, place: Place) -> int:
        """Return the first offset."""
        log = self.log(place)
        return log[0].offset if log else 0

    def compact(self, place: Place, upto: float) -> None:
        """Keep the last record of each key among the first share `upto` of a log."""
        log = self.log(place)
        cut = min(int(len(log) * upto), len(log) - 1)
        last = {record.key: record.offset for record in log[:cut]}
        kept = [r for r in log[:cut] if last[r.key] == r.offset]
        self.logs[place] = kept + log[cut:]


class Send(NamedTuple):
    """A record on its way: `future` is what its sender waits for."""

    place: Place
    key: bytes | None
    value: bytes | None
    headers: Headers
    future: "asyncio.Future[Any]"

    @property
    def kind(self) -> str:
        """What it is for its sender: output, chunk, manifest or leftover."""
        if self.place[0] not in STATES:
            return "output"
        if self.value is None:
            return "leftover"
        return "manifest" if (self.key or b"").endswith(b"manifest") else "chunk"


class Producer:
    """What one process has sent: on its way, or in the log and not acknowledged yet."""

    def __init__(self, broker: Broker, loop: asyncio.AbstractEventLoop) -> None:
        self.broker, self.loop = broker, loop
        self.queued: dict[Place, deque[Send]] = {}
        self.logged: deque[Send] = deque()
        self.stored: Callable[[Send], None] = lambda send: None
        """Called with every part of a state that is sent."""

    async def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        partition: int | None = None,
        timestamp_ms: Millis | None = None,
        headers: Iterable[tuple[str, bytes]] = (),
    ) -> "asyncio.Future[Any]":
        """As aiokafka's: the future is the acknowledgement."""
        del timestamp_ms
        place = topic, partition or 0
        send = Send(place, key, value, tuple(headers), self.loop.create_future())
        self.queued.setdefault(place, deque()).append(send)
        if topic in STATES:
            self.stored(send)
        return send.future

    def land(self, place: Place) -> None:
        """The first record on its way to `place` is appended."""
        send = self.queued[place].popleft()
        if not self.queued[place]:
            del self.queued[place]
        self.broker.append(place, send.key, send.value, send.headers)
        self.logged.append(send)

    def confirm(self) -> None:
        """The broker's answer about the oldest appended record arrives."""
        send = self.logged.popleft()
        if not send.future.done():
            send.future.set_result(self.broker.answer)

    def fail(self, place: Place, error: Exception) -> None:
        """The first record on its way to `place` is not delivered, nor anything behind it."""
        for send in self.queued.pop(place):
            if not send.future.done():
                send.future.set_exception(error)

    def stage(self) -> tuple[str, str]:
        """Return kind of the record and how far it is, of what is in flight; else two blanks."""
        for log in self.queued.values():
            return log[0].kind, "sent"
        return (self.logged[0].kind, "logged") if self.logged else ("", "")


class Detached:
    """A consumer of no group, as `restore` uses it."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._at: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        """Wait for the broker's first answer."""
        if self._broker.gated:
            gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._broker.gates.append(gate)
            await gate

    async def stop(self) -> None:
        """Nothing to stop."""

    async def beginning_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the first offsets."""
        return {tp: self._broker.begin(tuple(tp)) for tp in tps}

    async def end_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offsets after the last."""
        return {tp: self._broker.end(tuple(tp)) for tp in tps}

    def assign(self, tps: Iterable[TopicPartition]) -> None:
        """Read these."""
        self._at = dict.fromkeys(tps, 0)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Read on from there."""
        self._at[tp] = offset

    async def getmany(self, *tps: TopicPartition, timeout_ms: int) -> dict[Any, list[Record]]:
        """Return everything there is."""
        del timeout_ms
        got = {}
        for tp in tps:
            records = self._broker.fetch(tuple(tp), self._at[tp], 1 << 30)
            if records:
                got[tp] = records
                self._at[tp] = records[-1].offset + 1
        return got

    async def position(self, tp: TopicPartition) -> int:
        """Return where the next read begins."""
        return self._at[tp]
