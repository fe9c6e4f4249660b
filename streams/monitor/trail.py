"""A trail: what the panes of one place counted, the further back the coarser.

Neighbouring panes become one stretch, two stretches one of twice as many panes, and so on. So few
stretches reach far back, and a change is seen as finely as it is recent.

Promises: at most `TIERS` times `KEPT` stretches, in order, of whole panes; merging is addition.
Leaves to others: what is read in them (`forms`).
"""

from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np

from schemas.journal import Counts

KEPT: Final = 6
"""Stretches of one length."""

TIERS: Final = 8
"""Lengths: 1, 2, 4, .. 128 panes with rows."""


class Stretch(msgspec.Struct):
    """The panes first..last together; `tier` times two stretches were made one."""

    first: int
    last: int
    tier: int
    row: Counts


class SavedTrail(msgspec.Struct, frozen=True, array_like=True):
    """A trail in a snapshot: (first, last, tier) of each stretch, bytes a count, all counts."""

    stretches: list[tuple[int, int, int]] = []
    width: int = 8
    counts: bytes = b""


class Trail:
    """The stretches of one place, oldest first."""

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self._stretches: list[Stretch] = []

    def take(self, pane: int, row: Counts) -> None:
        """Take the counts (width,) of a pane, which is later than those before."""
        kept = self._stretches
        kept.append(Stretch(pane, pane, 0, row))
        for tier in range(TIERS):
            own = [at for at, one in enumerate(kept) if one.tier == tier]
            if len(own) <= KEPT:
                return
            oldest, next_one = kept[own[0]], kept[own[0] + 1]
            del kept[own[0]]
            if tier + 1 < TIERS:
                row = oldest.row + next_one.row
                kept[own[0]] = Stretch(oldest.first, next_one.last, tier + 1, row)

    def correct(self, pane: int, row: Counts) -> None:
        """Add late rows to the stretch that holds their pane."""
        for one in self._stretches:
            if one.first <= pane <= one.last:
                one.row = one.row + row

    def forget(self, cells: slice) -> None:
        """Take these cells' counts out of all stretches."""
        for one in self._stretches:
            one.row = one.row.copy()
            one.row[cells] = 0

    def since(self, pane: int) -> list[Stretch]:
        """The stretches that begin at `pane` or later."""
        return [one for one in self._stretches if one.first >= pane]

    def __iter__(self) -> Iterator[Stretch]:
        """All stretches, oldest first."""
        return iter(self._stretches)

    def save(self) -> SavedTrail:
        """The state, for a snapshot."""
        if not self._stretches:
            return SavedTrail()
        rows = np.stack([one.row for one in self._stretches])
        most = int(rows.max(initial=0))
        width = next(size for size in (1, 2, 4, 8) if most < 1 << (8 * size - 1))
        return SavedTrail(
            [(one.first, one.last, one.tier) for one in self._stretches],
            width,
            rows.astype(f"<i{width}").tobytes(),
        )

    def load(self, saved: SavedTrail, cells: int) -> None:
        """Take a snapshot up, if it is of as many `cells` as are counted now."""
        rows = np.frombuffer(saved.counts, f"<i{saved.width}").astype(np.int64)
        if len(rows) != cells * len(saved.stretches):
            return
        self._stretches = [
            Stretch(*one, row)
            for one, row in zip(saved.stretches, rows.reshape(-1, cells), strict=True)
        ]
