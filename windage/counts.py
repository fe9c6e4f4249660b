"""What became of the events of a publisher: sent, dropped and why, repaired.

Promises: every event given to a publisher ends in exactly one of `sent`, `dropped` (with a reason)
and `sampled_out`, or waits still; each kind of fault is logged once, because a log line a request
would be a fault of its own.
Leaves to others: deciding what is dropped.
"""

import threading
from collections import Counter
from typing import Final, Literal

Reason = Literal[
    "bad_argument",
    "buffer_full",
    "closed",
    "failed",
    "no_topic",
    "rejected",
    "too_large",
    "undelivered",
]
"""`rejected`: the other side will never take it. `undelivered`: still waiting at close, so that it
may or may not have arrived. `failed`: a fault of this library."""

REMEMBERED: Final = 1000
"""Kinds of faults; beyond it none is logged any more, all are counted."""


class Counts:
    """Counters that may be read at any time, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reasons: Counter[str] = Counter()
        self._told: set[str] = set()
        self.sent = 0
        """Events the other side has said to have."""
        self.sampled_out = 0
        """Events left out because of `sample`."""
        self.repaired = 0
        """Feature values that could not be said in JSON and were sent as missing."""

    @property
    def dropped(self) -> int:
        """Events that were not sent, or not for certain."""
        with self._lock:
            return self._reasons.total()

    @property
    def reasons(self) -> dict[str, int]:
        """`dropped` by reason."""
        with self._lock:
            return dict(self._reasons)

    def drop(self, reason: Reason, events: int, why: str) -> None:
        """Count dropped events; `why` is logged the first time it is given for this reason."""
        with self._lock:
            self._reasons[reason] += events
        self.tell(f"dropped ({reason}): {why}")

    def send(self, events: int) -> None:
        """Count events that have arrived."""
        with self._lock:
            self.sent += events

    def skip(self, events: int) -> None:
        """Count events that sampling has left out."""
        with self._lock:
            self.sampled_out += events

    def repair(self, values: int, where: str) -> None:
        """Count values made missing, and say where the first time."""
        with self._lock:
            self.repaired += values
        self.tell(f"{where} has values that JSON cannot say; they are sent as missing")

    def tell(self, what: str) -> None:
        """Log a fault once."""
        with self._lock:
            if what in self._told or len(self._told) >= REMEMBERED:
                return
            self._told.add(what)
        import logging  # noqa: PLC0415 - most processes never get here

        logging.getLogger("windage").warning("%s", what)

    def after_fork(self) -> None:
        """Begin anew in a child process, whatever the parent was doing."""
        self.__init__()  # type: ignore[misc]
