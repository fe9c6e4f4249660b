"""Where a sink's messages come from, and where it is written down how far it has come.

Promises (of every source): records come in the order of their partition, each again after a restart
unless `done` or `refused` had returned for it; of those that were done before, the newest `KEPT` of
each partition come first, as `told`, so that memory can be made of them.
Leaves to others: what the records mean (`message`).
"""

from typing import Final, Literal, Protocol

import msgspec

from schemas.vocabulary import UNDELIVERED
from streams.runtime.installation.reading import Located
from streams.sinks.memory import IDS

KEPT: Final = IDS
Standing = Literal["new", "told", "missed"]
"""`told`: done before. `missed`: there before the sink was read for for the first time."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far a sink has come in one partition, as it is written down.

    `began`: where the partition ended when the sink was read for for the first time; `done`: the
    offset behind the last record that is done with.
    """

    began: int
    done: int = 0

    def standing(self, offset: int) -> Standing:
        """How a record stands to the sink."""
        if offset < self.done:
            return "told"
        return "missed" if offset < self.began else "new"

    @property
    def first(self) -> int:
        """The offset from which on records are read, so that memory can be made of them."""
        return max(0, self.done - KEPT)

    def waiting(self, end: int) -> int:
        """New records below `end`."""
        return max(0, end - max(self.began, self.done))


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """A record, and how it stands to the sink."""

    record: Located
    standing: Standing


class Source(Protocol):
    """The topics of one sink."""

    async def next(self, seconds: float) -> Arrived | None:
        """The next record; None: nothing came for so long."""

    def owns(self, arrived: Arrived) -> bool:
        """Whether it is still for us to send."""

    async def done(self, arrived: Arrived) -> None:
        """It was sent, or needed not be; durably, so that it does not come again."""

    async def refused(self, arrived: Arrived, reason: str) -> None:
        """It was not taken: it becomes a dead letter, and is done."""

    def waiting(self) -> int:
        """Records not done yet."""

    async def close(self) -> None:
        """Let go of connections."""


def reasons(record: Located, sink: str, reason: str) -> tuple[tuple[str, bytes], ...]:
    """The headers of a dead letter: those of the record, and why it is one."""
    said = {
        "windage.error.code": UNDELIVERED,
        "windage.error.message": reason,
        "windage.error.stage": f"sink {sink}",
        "windage.error.version": "1",
        "__connect.errors.topic": record.topic,
        "__connect.errors.partition": str(record.partition),
        "__connect.errors.offset": str(record.offset),
        "__connect.errors.exception.class.name": f"windage.{UNDELIVERED}",
        "__connect.errors.exception.message": reason,
    }
    return (*record.headers, *((name, text.encode()) for name, text in said.items()))
