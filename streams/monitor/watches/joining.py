"""Joining: whether the store in which predictions wait for their labels can be asked.

While it is away, predictions are counted and judged as always; what would have had to be looked up
is not joined. That is told in a reading `operational:join` of every pane in which it is so, and in
one more that says it is over.
Promises: readings only; they page nobody and spend nothing. Outcomes are missing then, and a metric
is of those that there are.
Leaves to others: counting what was missed (the profiler), health of the process (`streams/web`).
"""

from typing import Final

import msgspec

from schemas.finding import Finding
from schemas.grid import WHOLE
from streams.monitor.outcomes.telling import Teller
from streams.monitor.watch import Closing, Setting

SIGNAL: Final = "operational:join"


class SavedJoining(msgspec.Struct, frozen=True, array_like=True):
    """The watch in a snapshot."""

    missed: int
    told: bool


class Joining:
    """The joins of one model."""

    def __init__(self, setting: Setting) -> None:
        """Nothing was missed yet."""
        self._model = setting.judging.model
        self._missed = 0
        self._told = False
        """Whether the last pane's reading said that something is wrong."""

    def close(self, closing: Closing) -> list[Finding]:
        """One reading while rows are missed, and one when that is over."""
        missed, whole = closing.joins
        # A worker that took over may count fewer than the one before it: that is no news.
        more, self._missed = max(missed - self._missed, 0), missed
        wrong = more > 0 or not whole
        if not (wrong or self._told):
            return []
        self._told = wrong
        teller = Teller(
            model=self._model,
            version="",
            segment=WHOLE,
            span=closing.span,
            reference_id="",
            reference_rows=0,
        )
        count = float(more)
        return [
            teller.tell(SIGNAL, "store", statistic=count, threshold=0.0, rows=more, breach=wrong)
        ]

    def save(self) -> bytes:
        """The state, for a snapshot."""
        return msgspec.msgpack.encode(SavedJoining(self._missed, self._told))

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""
        one = msgspec.msgpack.decode(saved, type=SavedJoining)
        self._missed, self._told = one.missed, one.told
