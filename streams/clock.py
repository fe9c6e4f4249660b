"""Watermarks: how far a log has come, as a function of that log alone.

Promises: the watermark of a log is the running maximum of its records' times; ticks are kept
apart, because a tick may close a pane but never decide which pane a row belongs to.
Leaves to others: reading the wall clock (runtimes), what a watermark closes (`panes`, monitor).
"""

import numpy as np
import numpy.typing as npt

from schemas.log import DAWN, DUSK, Millis

Instants = npt.NDArray[np.int64]


class LogClock:
    """The time of one log of one model; lateness is subtracted in every reading."""

    def __init__(self, lateness: Millis, largest: Millis = DAWN, ticked: Millis = DAWN) -> None:
        """`largest` and `ticked` resume a clock from a snapshot."""
        self._lateness = lateness
        self.largest = largest
        self.ticked = ticked

    def advance(self, times: Instants) -> Instants:
        """Read records with `times` (n,); gives the watermark at each, itself included (n,)."""
        running = np.maximum.accumulate(times)
        np.maximum(running, self.largest, out=running)
        if len(running):
            self.largest = int(running[-1])
        return running - self._lateness

    def end(self) -> None:
        """The log has ended: nothing comes after."""
        self.largest = DUSK + self._lateness

    def tick(self, now: Millis) -> None:
        """The log was read to its end at broker time `now`."""
        self.ticked = max(self.ticked, now)

    @property
    def rows(self) -> Millis:
        """The watermark by rows alone."""
        return self.largest - self._lateness if self.largest > DAWN else DAWN

    @property
    def now(self) -> Millis:
        """The watermark by rows and ticks: no later row is on time before this."""
        largest = max(self.largest, self.ticked)
        return largest - self._lateness if largest > DAWN else DAWN

    def forgettable(self, margin: Millis) -> Millis:
        """Before this, nothing that still comes can refer back.

        Ticks count `margin` late: a store may forget by a tick only if no plausible clock skew
        could let a row in again.
        """
        ticked = self.ticked - self._lateness - margin if self.ticked > DAWN else DAWN
        return max(self.rows, ticked)
