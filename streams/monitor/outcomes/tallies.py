"""Tallies: how many predictions and labels there are of every stretch of time.

Promises: bounded: where there are too many stretches, the oldest half is merged in pairs; sums
are never lost.
Leaves to others: who trains on them (policy).
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from schemas.log import Millis
from schemas.standing import Tally

MAX_TALLIES: Final = 512


class Tallies:
    """Counts per stretch of panes, all versions together."""

    def __init__(self, pane: Millis) -> None:
        """`pane` is the length of a pane."""
        self._pane = pane
        self._starts: list[Millis] = []
        self._tallies: list[Tally] = []

    def add(self, pane: int, rows: int, labelled: int) -> None:
        """Count rows of a pane."""
        start = pane * self._pane
        at = bisect_right(self._starts, start) - 1
        if at < 0 or self._tallies[at].end <= start:
            at += 1
            self._starts.insert(at, start)
            self._tallies.insert(at, Tally(start, start + self._pane, 0, 0))
        one = self._tallies[at]
        self._tallies[at] = Tally(one.start, one.end, one.rows + rows, one.labelled + labelled)
        if len(self._starts) > MAX_TALLIES:
            self._merge()

    def all(self) -> tuple[Tally, ...]:
        """The stretches in order of time."""
        return tuple(self._tallies)

    def load(self, saved: Sequence[Tally]) -> None:
        """Take what `all` gave up again."""
        self._starts = [one.start for one in saved]
        self._tallies = list(saved)

    def _merge(self) -> None:
        half = MAX_TALLIES // 2
        self._tallies[:half] = [
            Tally(one.start, other.end, one.rows + other.rows, one.labelled + other.labelled)
            for one, other in zip(self._tallies[:half:2], self._tallies[1:half:2], strict=True)
        ]
        self._starts = [one.start for one in self._tallies]
