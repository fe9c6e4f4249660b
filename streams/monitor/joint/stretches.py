"""Stretches: sums of panes that are to become a reference, few of them however many panes come.

Promises: a function of the panes and what is in them, in their order; at most `MOST` sums, of panes
or, of longer stretches, of 2, 4, 8 ... neighbouring ones.
Leaves to others: which panes belong, what is made of them (`detectors.components`).
"""

from typing import Final

import msgspec

from schemas.journal import Counts, Sparse

MOST: Final = 128


class SavedStretches(msgspec.Struct, frozen=True, array_like=True):
    """Stretches in a snapshot: panes in each, and the sums by number."""

    every: int
    sums: dict[int, Sparse]


class Stretches:
    """Sums of neighbouring panes."""

    def __init__(self) -> None:
        """Of none yet."""
        self._every = 1
        self._sums: dict[int, Counts] = {}

    def add(self, pane: int, vector: Counts) -> None:
        """Add the sums (width,) of some rows of a pane."""
        place = pane // self._every
        held = self._sums.get(place)
        self._sums[place] = vector.copy() if held is None else held + vector
        if len(self._sums) > MOST:
            self._halve()

    def _halve(self) -> None:
        """Two neighbours become one."""
        self._every *= 2
        merged: dict[int, Counts] = {}
        for place, vector in self._sums.items():
            half = place // 2
            merged[half] = merged[half] + vector if half in merged else vector
        self._sums = merged

    @property
    def sums(self) -> list[Counts]:
        """All of them, in the order of time."""
        return [self._sums[place] for place in sorted(self._sums)]

    def save(self) -> SavedStretches:
        """The state, for a snapshot."""
        packed = {place: Sparse.pack(self._sums[place]) for place in sorted(self._sums)}
        return SavedStretches(self._every, packed)

    def load(self, saved: SavedStretches, width: int) -> None:
        """Take a snapshot up."""
        self._every = saved.every
        self._sums = {place: one.full(width) for place, one in saved.sums.items()}
