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
        self._first: list[int] = []
        self._counts: list[list[int]] = []
        """Last pane, rows, labelled of each stretch that begins at `_first`."""

    def add(self, pane: int, rows: int, labelled: int) -> None:
        """Count rows of a pane."""
        at = bisect_right(self._first, pane) - 1
        if at < 0 or self._counts[at][0] < pane:
            at += 1
            self._first.insert(at, pane)
            self._counts.insert(at, [pane, 0, 0])
        self._counts[at][1] += rows
        self._counts[at][2] += labelled
        if len(self._first) > MAX_TALLIES:
            self._merge()

    def all(self) -> tuple[Tally, ...]:
        """The stretches in order of time."""
        return tuple(
            Tally(first * self._pane, (last + 1) * self._pane, rows, labelled)
            for first, (last, rows, labelled) in zip(self._first, self._counts, strict=True)
        )

    def load(self, saved: Sequence[Tally]) -> None:
        """Take what `all` gave up again."""
        self._first = [one.start // self._pane for one in saved]
        self._counts = [[one.end // self._pane - 1, one.rows, one.labelled] for one in saved]

    def _merge(self) -> None:
        half = MAX_TALLIES // 2
        old = list(zip(self._first[:half], self._counts[:half], strict=True))
        pairs = [(old[i], old[i + 1]) for i in range(0, half - 1, 2)]
        self._first[:half] = [one[0] for one, _ in pairs]
        self._counts[:half] = [
            [after[1][0], one[1][1] + after[1][1], one[1][2] + after[1][2]] for one, after in pairs
        ]
