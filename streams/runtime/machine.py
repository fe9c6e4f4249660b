"""What a runtime needs of a machine, and no more; profiler and monitor both look like this.

Promises: a runtime that knows only this can carry either machine, and a counting one in tests.
Leaves to others: what a machine counts, and where its records come from.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

from schemas.log import LogRecord, Millis, Output

LogName = Any
"""One of the role's `inputs`; each machine has literals of its own for them."""


class Machine(Protocol):
    """A deterministic reader of the logs of one partition number.

    The order of every runtime: step* > flush > append all outputs durably > store the snapshot
    that was taken together with the flush > acknowledge.
    """

    def positions(self) -> Mapping[LogName, int]:
        """Return the offset each log must be read from next; it may move back (re-reading)."""

    def step(self, log: LogName, records: Sequence[LogRecord], /) -> None:
        """Take records of one log in offset order; what was counted already is skipped."""

    def tick(self, log: LogName, now: Millis, /) -> None:
        """The log was read to its end, and nothing older than `now` (broker time) can come."""

    def adopt(self, reference: bytes, /) -> None:
        """Take a record of the `references` topic."""

    def flush(self) -> list[Output]:
        """Return what has changed since the last flush; empty while re-reading."""

    def snapshot(self) -> bytes | None:
        """Return the whole state, or None while re-reading."""

    def order(self) -> tuple[int, ...]:
        """Return the rank of the state among snapshots: epoch, has a grid, source offsets, ..."""

    def paused(self) -> Collection[LogName]:
        """Return the logs that must wait for another one; a hint."""


UNSENT_BYTES: Final = 16 << 20
"""What may wait to be sent; with more, a runtime reads nothing until it is durable."""


@runtime_checkable
class Burdened(Protocol):
    """A machine that keeps what it has to say until a flush: dead letters, which can be many."""

    @property
    def unsent_bytes(self) -> int:
        """Memory of what waits, about."""


def unsent(machine: Machine) -> int:
    """Bytes that wait in a machine to be flushed."""
    return machine.unsent_bytes if isinstance(machine, Burdened) else 0


@runtime_checkable
class Learns(Protocol):
    """A machine that may go back to its first records once a model has learned its grid."""

    @property
    def learning(self) -> bool:
        """Whether one has not yet."""


class Role(Protocol):
    """Makes the machines of one kind. `inputs` are the logs each of them reads."""

    @property
    def name(self) -> str:
        """`profiler` or `monitor`: names the consumer group and the state topic."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The logical names of the topics read; all must have the same number of partitions."""

    def fresh(self, partition: int, partitions: int, /) -> Machine:
        """Return a machine that has read nothing."""

    def restored(self, partition: int, partitions: int, snapshot: bytes, /) -> Machine:
        """Return the machine of a snapshot; SnapshotError with the reason if it cannot be."""
