"""Turns: the loop's time, and the order in which its parts act in it.

Promises: time moves only when every service rests, so that what is said at an instant does not
depend on which thread was quicker.
Leaves to others: what is done in a turn.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

PATIENCE_S: Final = 120.0


class StoppedError(Exception):
    """There will be no further turn."""


class Turns:
    """One who moves time (`advance`, `settle`), and one service that acts in it (`rest`)."""

    def __init__(self, begin: datetime) -> None:
        self._changed = threading.Condition()
        self._now = begin
        self._resting = False
        self._over = False

    def present(self) -> datetime:
        """The instant up to which rows have come."""
        return self._now

    def rest(self) -> None:
        """Called by the service: wait for the next turn. StoppedError: there is none."""
        with self._changed:
            self._resting = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._resting or self._over)
            if self._over:
                raise StoppedError

    def advance(self, now: datetime) -> None:
        """Time has moved on; nobody is woken yet."""
        self._now = now

    def settle(self, idle: Callable[[], bool]) -> None:
        """Give the service its turn, and wait until it rests again or has nothing to do.

        RuntimeError if it does neither for long.
        """
        with self._changed:
            self._resting = False
            self._changed.notify_all()
        waited = 0.0
        while waited < PATIENCE_S:
            with self._changed:
                if self._changed.wait_for(lambda: self._resting, 0.02):
                    return
            if idle():
                return
            waited += 0.02
        raise RuntimeError("the retrain service is stuck")

    def end(self) -> None:
        """No further turn."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
