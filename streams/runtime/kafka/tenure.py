"""A tenure: the time in which this worker owns one partition number, and what it owes for it.

Promises: outputs, snapshot and acknowledgement happen in one order, numbered below, and each only
after the one before it is durable; whoever lost the partition acknowledges nothing more.
Leaves to others: how records come (`intake`), who owns what (`worker`), restoring (`restore`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata

from schemas.log import Millis, Output
from streams import snapshot as snapshots
from streams.runtime.kafka import bulk
from streams.runtime.kafka.batch import Batch
from streams.runtime.machine import Machine
from streams.snapshot import Meta, StateRecord

_APPEND_TIME: Final = 1
"""Kafka's timestamp type of a topic whose records carry the broker's clock."""


class Acknowledged(Protocol):
    """A Faust event: may be acknowledged once everything before it is durable."""

    def ack(self) -> bool:
        """Let the group's offset move past it."""


class CutOffError(Exception):
    """An earlier cycle was broken off: what it took from the machine may never have been sent."""


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """What stays the same for all tenures of a worker: topic names and identities, secrets."""

    state_topic: str
    names: Mapping[str, str]  # logical name > topic
    topics: Mapping[str, str]  # logical name > identity given by the broker
    config: str = ""
    chunk_bytes: int = snapshots.CHUNK_BYTES
    secret: bytes = b""


class Stored(msgspec.Struct, kw_only=True):
    """What the state topic holds of us.

    `kept`: the keys of each snapshot still needed, the newest first. `litter`: keys of what others
    have left, to be deleted once a snapshot of ours is there.
    """

    sequence: int = 0
    digest: bytes = b""
    kept: tuple[tuple[bytes, ...], ...] = ()
    litter: tuple[bytes, ...] = ()


class Tenure:
    """One partition: its machine, and the events that wait for the next snapshot."""

    def __init__(
        self,
        partition: int,
        machine: Machine,
        ledger: Ledger,
        *,
        start: Mapping[str, int],
        resets: int,
        stored: Stored,
    ) -> None:
        self.partition = partition
        self.machine = machine
        self.start = dict(start)
        self.resets = resets
        self.stored = stored
        self.durable: Mapping[str, int] = {}  # what the newest snapshot has read, by log
        self.owned = True
        self.owes = False  # an output may be lost with this process: never use the state again
        self._ledger = ledger
        self._changed = False  # something may have to be sent
        self._unstored = False  # something may have to be stored
        self._events: list[Acknowledged] = []
        self._lock = asyncio.Lock()

    def wanted(self, log: str) -> int:
        """Return the offset of `log` that must be read next."""
        return self.wants().get(log, 0)

    def wants(self) -> dict[str, int]:
        """Return the offset that must be read next of every log of the machine."""
        wants: dict[str, int] = {**self.machine.positions()}
        for log, at in self.start.items():
            if wants.setdefault(log, at) < at:
                wants[log] = at
        return wants

    def take(self, log: str, batch: Batch, event: Acknowledged) -> None:
        """Step the machine; the event is acknowledged by a later cycle."""
        self.machine.step(log, batch.log_records())
        batch.let_go()  # the event, which holds it, waits for the next snapshot
        self._events.append(event)
        self._changed = True

    def tick(self, log: str, now: int) -> None:
        """Tell the machine that `log` was read to its end at `now`."""
        self.machine.tick(log, now)
        self._changed = True

    def adopt(self, reference: bytes) -> None:
        """Hand over a reference."""
        self.machine.adopt(reference)
        self._changed = True

    def idle(self, *, store: bool) -> bool:
        """Whether a cycle would do nothing, and none is under way."""
        if self.owes or self._lock.locked():
            return False
        return not (self.owned and (self._changed or (store and self._unstored)))

    async def cycle(
        self,
        producer: AIOKafkaProducer,
        *,
        store: bool,
        told: Callable[[Sequence[Output]], None] | None = None,
    ) -> Millis | None:
        """Make outputs durable; with `store` also the state, and then acknowledge what it covers.

        `told` is given the outputs once they are durable. Returns the broker's time of the
        snapshot, None if there was none or the broker does not say. An exception means that
        something was not delivered: the process must end without another acknowledgement.
        CutOffError: a cycle before this one was cancelled. A snapshot now would claim outputs that
        nobody has sent, so there never is one again; the next owner repeats from the last.
        """
        async with self._lock:
            if self.owes:
                raise CutOffError(f"partition {self.partition}: a cycle was cut off before")
            if not (self.owned and (self._changed or (store and self._unstored))):
                return None
            self._changed, self._unstored, self.owes = False, True, True
            # 1. flush. In the same step as the snapshot and the list of events: what is read
            # while we wait below belongs to the next cycle.
            outputs = self.machine.flush()
            state = self.machine.snapshot() if store else None
            meta, covered = self._meta(), len(self._events)
            # 2. outputs sent, 3. outputs awaited
            await _delivered(await self._sent(producer, outputs))
            if told is not None:
                told(outputs)
            stamped = None
            if state is not None and self.owned:
                # 4. snapshot sent, 5. snapshot awaited
                stamped = await self._store(producer, state, meta)
                self._unstored, self.durable = False, meta.positions
                # 6. ack
                if self.owned:
                    for event in self._events[:covered]:
                        event.ack()
                    del self._events[:covered]
            self.owes = False
            return stamped

    def _meta(self) -> Meta:
        positions = self.machine.positions()
        return Meta(
            order=(self.resets, *self.machine.order()),
            positions={log: max(at, self.start.get(log, 0)) for log, at in positions.items()},
            start=self.start,
            topics=self._ledger.topics,
            config=self._ledger.config,
            sequence=self.stored.sequence + 1,
        )

    async def _sent(
        self, producer: AIOKafkaProducer, outputs: Sequence[Output]
    ) -> list[Awaitable[Any]]:
        """Hand outputs to the producer, many dead letters in bulk; gives the acknowledgements."""
        letters = [output for output in outputs if output.topic == "dead-letters"]
        if len(letters) < bulk.MANY:
            return [await self._send(producer, output) for output in outputs]
        others = [output for output in outputs if output.topic != "dead-letters"]
        sent = await bulk.send_many(producer, self._ledger.names["dead-letters"], letters)
        return [*sent, *[await self._send(producer, output) for output in others]]

    async def _send(
        self, producer: AIOKafkaProducer, output: Output
    ) -> "asyncio.Future[RecordMetadata]":
        """Hand one output to the producer; the future is its acknowledgement."""
        future: asyncio.Future[RecordMetadata] = await producer.send(
            self._ledger.names[output.topic],
            output.value,
            key=output.key,
            partition=output.partition,
            # Retention goes by this time: an event about the past must not be deleted at once.
            timestamp_ms=output.timestamp if output.topic == "dead-letters" else None,
            headers=list(output.headers),
        )
        return future

    async def _store(self, producer: AIOKafkaProducer, state: bytes, meta: Meta) -> Millis | None:
        """Write `state` beside the newest snapshot, then delete what is older; the broker's time.

        Whatever a stale writer does meanwhile, one of ours is always whole: keys are contents.
        """
        ledger = self._ledger
        cut = snapshots.split(state, meta, limit=ledger.chunk_bytes, secret=ledger.secret)
        # The manifest seals the chunks, so it is sent only when they are durable.
        await _delivered([await self._keep(producer, record) for record in cut.records])
        sealed = await (await self._keep(producer, cut.manifest))
        kept = (cut.keys, *self.stored.kept)[: snapshots.KEPT]
        over = (*self.stored.kept[snapshots.KEPT - 1 :], self.stored.litter)
        # A stale writer may have begun the very same snapshot: it is ours now.
        needed = {key for keys in kept for key in keys}
        gone = [key for keys in over for key in keys if key not in needed]
        await _delivered([await self._keep(producer, StateRecord(key, None)) for key in gone])
        self.stored = Stored(sequence=meta.sequence, digest=cut.digest, kept=kept)
        return int(sealed.timestamp) if sealed.timestamp_type == _APPEND_TIME else None

    def end(self) -> None:
        """The partition is no longer ours: acknowledge nothing more."""
        self.owned = False
        self._events.clear()

    def resume(self) -> None:
        """The partition came back, and nobody has stored anything meanwhile."""
        assert not self.owes
        self.owned = True

    async def _keep(
        self, producer: AIOKafkaProducer, record: StateRecord
    ) -> "asyncio.Future[RecordMetadata]":
        future: asyncio.Future[RecordMetadata] = await producer.send(
            self._ledger.state_topic, record.value, key=record.key, partition=self.partition
        )
        return future


async def _delivered(acknowledgements: Sequence[Awaitable[Any]]) -> None:
    """Wait until the broker has taken everything; the first failure is raised."""
    if acknowledgements:
        await asyncio.gather(*acknowledgements)
