"""What the pages ask of a runtime, be it embedded or the mirror of one that is elsewhere.

Promises: a mirror and the embedded runtime are served by the same pages.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol

from schemas.lamp import Lamp
from schemas.log import Millis, Record
from streams.runtime.crank import Accounts
from streams.runtime.sqlite_log import Group, Receipt, SqliteLog


class Taking(Protocol):
    """Where groups of records are submitted."""

    def submit(self, group: Group) -> Future[Receipt]:
        """The group's receipt, once it is durable."""


class Runtime(Protocol):
    """What the pages need."""

    log: SqliteLog
    failure: BaseException | None
    progressed: float
    observers: list[Callable[[], None]]

    @property
    def intake(self) -> Taking:
        """Where groups are submitted."""

    @property
    def clock(self) -> Millis:
        """The present instant."""

    def outputs(self, topic: str, after: int = ..., limit: int = ...) -> list[Record]:
        """At most `limit` outputs of `topic` behind offset `after`."""

    def backlog(self) -> dict[str, int]:
        """Records not read yet, by input log."""

    def accounting(self) -> Accounts:
        """Records by input log and outcome."""

    def store(self) -> str | None:
        """How the store is in which predictions wait: `ok`, or what is wrong; None: in memory."""

    def lamps(self) -> Sequence[Lamp]:
        """How each model stands that is judged in this process."""
