"""Limits: how large a record may be, what it may hold, and how one is refused.

Promises: sizes are judged before anything is decoded.
Leaves to others: where the limits come from (`schemas/counting`).
"""

from typing import NamedTuple

from schemas.counting import Counting
from schemas.log import LogRecord
from schemas.vocabulary import Task, TimestampUnit


class Limits(NamedTuple):
    """What a record may be at most: bytes (of one event, of a batch), features a prediction.

    `timestamps` is how instants are written; `task`: what answers and labels look like.
    """

    event_bytes: int
    features: int
    batch_bytes: int = 8 << 20
    timestamps: TimestampUnit = "auto"
    depth: int = 32
    task: Task = "binary"

    @classmethod
    def of(cls, counting: Counting) -> "Limits":
        """The limits of one model."""
        one = counting
        sizes = one.event_bytes, one.features, one.batch_bytes
        return cls(*sizes, one.timestamps, one.depth, one.task)

    @property
    def ranked(self) -> bool:
        """Whether answers and labels are lists."""
        return self.task == "ranking"

    def weigh(self, record: LogRecord) -> None:
        """RefusedError if a record is too large, and certainly no batch if that would do."""
        value = record.value or b""
        if len(value) > self.event_bytes and (
            len(value) > self.batch_bytes or not (record.headers or b'"columns"' in value)
        ):
            raise RefusedError("too_large", "the record exceeds the size limit")


class RefusedError(Exception):
    """A record that is not ours to count, with its code; never leaves this room."""

    def __init__(self, code: str, message: str) -> None:
        """`code` and `message` are of the fixed vocabulary."""
        super().__init__(message)
        self.code = code
