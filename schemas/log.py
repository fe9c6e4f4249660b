"""What a log hands to a machine and takes from it: records in, outputs out.

Promises: nothing here knows what carries a log. Kafka, SQLite and memory hand over the same
records, so live, replay and test drive the same two machines.
Leaves to others: where a log is stored (`streams/runtime`), what its bytes mean (`envelope`).
"""

from collections.abc import Sequence
from typing import Final, Literal, Protocol

import msgspec

Millis = int
"""An instant or a span in integer milliseconds (instants: since the epoch, UTC)."""

Headers = Sequence[tuple[str, bytes]]

InputLog = Literal["predictions", "labels", "metrics", "model-events"]
INPUT_LOGS: Final[tuple[InputLog, ...]] = ("predictions", "labels", "metrics", "model-events")

OutputTopic = Literal[
    "journal",
    "references",
    "readings",
    "drift-events",
    "alerts",
    "retrain-requests",
    "rollback-requests",
    "dead-letters",
]

DAWN: Final[Millis] = -(1 << 62)
"""The watermark of a log of which nothing has been heard: before every instant."""

DUSK: Final[Millis] = 1 << 62
"""The watermark of a log that has ended: after every instant."""


class LogRecord(Protocol):
    """One record of a log; aiokafka's and kafka-python's records have this shape already."""

    @property
    def offset(self) -> int:
        """Position in its log partition, growing, not always by one."""

    @property
    def timestamp(self) -> Millis:
        """Broker time (append time) in epoch milliseconds."""

    @property
    def key(self) -> bytes | None:
        """The producer's key, or None."""

    @property
    def value(self) -> bytes | None:
        """The payload, or None for a tombstone."""

    @property
    def headers(self) -> Headers:
        """The producer's headers, in order."""


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A log record of our own logs (SQLite, memory, tests)."""

    offset: int
    timestamp: Millis
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """A record a machine wants appended. `partition` None: by key, as the topic does it."""

    topic: OutputTopic
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None
    timestamp: Millis | None = None
