"""History: count vectors of closed panes, rolled up from panes to hours to days.

Merging is addition, so a rolled-up hour is what one pane of an hour would have counted.

Promises: slots never overlap and their number is bounded; a late row is added to whichever slot
holds its pane; a stretch that was dropped (of an incident) never comes back.
Leaves to others: which stretches make a reference (`sources`).
"""

from typing import Final

import msgspec

from schemas.journal import Counts, Sparse
from schemas.log import Millis

HOUR: Final[Millis] = 3_600_000
DAY: Final[Millis] = 86_400_000

KEPT: Final = (120, 72)
"""Slots of shorter tiers: two hours of minutes, three days of hours."""

LEAST: Final = 60
"""Slots of the longest tier, at least."""


class SavedHistory(msgspec.Struct, frozen=True, array_like=True):
    """A history in a snapshot: (tier, number, vector) of every slot, and its width."""

    width: int
    slots: list[tuple[int, int, Sparse]]
    ends: list[int]


class History:
    """The vectors of one place."""

    def __init__(self, width: int, pane: Millis, reach: Millis) -> None:
        """`width` of the vectors; the longest tier is kept for `reach`, and 60 slots at least."""
        self._width = width
        self._spans = [pane] + [span for span in (HOUR, DAY) if span > pane and not span % pane]
        self._panes = [span // pane for span in self._spans]
        longest = max(-(-reach // self._spans[-1]) + 1, LEAST)
        self._keep = [*KEPT[: len(self._spans) - 1], longest]
        self._tiers: list[dict[int, Counts]] = [{} for _ in self._spans]
        self._ends = [-1] * len(self._spans)
        """Of each tier the first pane after what has been rolled up out of it."""

    def add(self, pane: int, row: Counts) -> None:
        """Add the counts (width,) of a pane, on time or late; what is older than all is let go."""
        for tier, each in enumerate(self._panes):
            if pane >= self._ends[tier]:
                self._put(tier, pane // each, row)
                break
        self._roll()

    def drop(self, first: int, last: int) -> bool:
        """Forget the panes first..last, with the hours and days they have become part of."""
        gone = False
        for slots, each in zip(self._tiers, self._panes, strict=True):
            for number in [n for n in slots if n * each <= last and first < (n + 1) * each]:
                del slots[number]
                gone = True
        return gone

    def rows(self, first: int, before: int) -> list[Counts]:
        """Vectors of all slots that lie wholly in the panes from `first` to before `before`."""
        found = [
            (number * each, row)
            for slots, each in zip(self._tiers, self._panes, strict=True)
            for number, row in slots.items()
            if first <= number * each and (number + 1) * each <= before
        ]
        return [row for _, row in sorted(found, key=lambda one: one[0])]

    def __len__(self) -> int:
        return sum(map(len, self._tiers))

    def _put(self, tier: int, number: int, row: Counts) -> None:
        slots = self._tiers[tier]
        slots[number] = slots[number] + row if number in slots else row.copy()

    def _roll(self) -> None:
        """Let the oldest slots of a tier become part of the next, a whole slot of it at a time."""
        for tier, (slots, keep) in enumerate(zip(self._tiers, self._keep, strict=True)):
            while len(slots) > keep:
                oldest = min(slots)
                if tier + 1 == len(self._tiers):
                    del slots[oldest]
                    self._ends[tier] = max(self._ends[tier], (oldest + 1) * self._panes[tier])
                    continue
                each = self._panes[tier + 1] // self._panes[tier]
                number = oldest // each
                for old in [n for n in slots if n // each == number]:
                    self._put(tier + 1, number, slots.pop(old))
                self._ends[tier] = max(self._ends[tier], (number + 1) * self._panes[tier + 1])

    def save(self) -> SavedHistory:
        """The state, for a snapshot."""
        return SavedHistory(
            self._width,
            [
                (tier, number, Sparse.pack(slots[number]))
                for tier, slots in enumerate(self._tiers)
                for number in sorted(slots)
            ],
            list(self._ends),
        )

    def load(self, saved: SavedHistory) -> None:
        """Take a snapshot up, if it is of vectors and panes like ours."""
        if saved.width != self._width or len(saved.ends) != len(self._ends):
            return
        self._ends = list(saved.ends)
        for tier, number, row in saved.slots:
            self._tiers[tier][number] = row.full(saved.width)
