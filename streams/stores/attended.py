"""A profiler attended by a store: for runtimes it is a machine like any other.

The order, seen from a crash: step, rows to the store, flush, outputs durable, snapshot durable,
acknowledge. A snapshot asks for nothing to be read again that the store has taken before it; what
the store has taken after it is read again and stored under the same names.
Promises: the machine itself does no input or output; a store that does not answer holds nothing up
for longer than its own patience.
Leaves to others: what is wanted (`streams/join/shelf`), patience (`redis_store`).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from schemas.log import InputLog, LogRecord, Millis, Output
from streams.profiler import Profiler
from streams.stores.store import Store


class Attended:
    """A profiler whose predictions wait in a store."""

    def __init__(self, profiler: Profiler, store: Store) -> None:
        self.profiler = profiler
        self._store = store

    @property
    def partition(self) -> int:
        """The number of the partition that is read."""
        return self.profiler.partition

    @property
    def learning(self) -> bool:
        """Whether a model has no grid yet."""
        return self.profiler.learning

    def step(self, log: InputLog, records: Sequence[LogRecord]) -> None:
        """Take records of one log; what waits for their ids is fetched while they are read."""
        for wanted in self.profiler.steps(log, records):
            self.profiler.recall(wanted, self._store.fetch(wanted))

    def flush(self) -> list[Output]:
        """What has changed; before it, what is new is put into the store."""
        for leaving in self.profiler.leaving():
            self.profiler.left(leaving, self._store.put(leaving))
        return self.profiler.flush()

    def positions(self) -> Mapping[InputLog, int]:
        """The offset that each log must be read from next."""
        return self.profiler.positions()

    def tick(self, log: InputLog, now: Millis) -> None:
        """The log was read to its end at broker time `now`."""
        self.profiler.tick(log, now)

    def adopt(self, reference: bytes) -> None:
        """Take a record of the `references` topic."""
        self.profiler.adopt(reference)

    def snapshot(self) -> bytes | None:
        """The whole state but for what is in the store; None while re-reading."""
        return self.profiler.snapshot()

    def order(self) -> tuple[int, ...]:
        """The rank of the state among snapshots."""
        return self.profiler.order()

    def paused(self) -> Collection[InputLog]:
        """Logs that should wait for another one."""
        return self.profiler.paused()

    def accounting(self) -> Mapping[Any, msgspec.Struct]:
        """What became of every record read."""
        return self.profiler.accounting()

    @property
    def rebuilding(self) -> bool:
        """Whether records before the snapshot are being re-read."""
        return self.profiler.rebuilding

    @property
    def pending_bytes(self) -> int:
        """Memory of what waits here."""
        return self.profiler.pending_bytes

    @property
    def unsent_bytes(self) -> int:
        """Memory of dead letters that wait for a flush."""
        return self.profiler.unsent_bytes

    def trouble(self) -> str | None:
        """Why the store does not serve at present; None while it does."""
        return self._store.trouble()
