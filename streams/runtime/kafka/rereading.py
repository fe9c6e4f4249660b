"""Re-reading: how much of its logs a restored state asks to be read again, until nothing is left.

The pending store is in no snapshot; it is rebuilt from the input topics (see ARCHITECTURE,
decision 2). So restoring has two parts: the states are read, then the records before them.

Promises: one line when the states are there, which says how much is to be read again; one when
that is done, with the seconds since the partitions were given out. Time is the caller's.
Leaves to others: the reading itself (`worker`), refusing what retention has deleted (`restore`).
"""

import logging
from collections.abc import Collection
from typing import Final

from streams.runtime.kafka.pulse import Pulse
from streams.runtime.kafka.tenure import Tenure

_log: Final = logging.getLogger(__name__)


class Rereading:
    """Of the tenures of one assignment, which began at `begun` (seconds)."""

    def __init__(self, tenures: Collection[Tenure], begun: float, now: float, pulse: Pulse) -> None:
        """The states are there at `now`; `pulse` is kept up to date."""
        self._goals = [(one, log, upto) for one in tenures for log, upto in one.durable.items()]
        self._begun, self._over, self._pulse = begun, False, pulse
        self.offsets = self.left
        """What had to be read again at first."""
        pulse.restored_s, pulse.reread_s, pulse.unread = now - begun, 0.0, self.offsets
        numbers = sorted(one.partition for one in tenures)
        words = "owns partitions %s, restored in %.1f s; %d offsets are read again"
        _log.info(words, numbers, pulse.restored_s, self.offsets)

    @property
    def left(self) -> int:
        """Offsets before the snapshots that are still to be read."""
        return sum(max(0, upto - tenure.wanted(log)) for tenure, log, upto in self._goals)

    def look(self, now: float) -> None:
        """Say, once, that everything was read again."""
        if self._over:
            return
        self._pulse.unread = self.left
        if self._pulse.unread:
            return
        self._over, self._pulse.reread_s = True, now - self._begun
        if self.offsets:
            said = self.offsets, self._pulse.reread_s
            _log.info("%d offsets were read again after %.1f s", *said)
