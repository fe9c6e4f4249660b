"""An index: from hashes to row numbers, many at a time, in a few bytes a row.

Promises: finds the row that was entered under a hash, or none; a row below `start` is not found
any more. Hashes entered are all different: who has two identifiers of one hash keeps the second
elsewhere.
Leaves to others: whether the row found is the one that is meant (`ledger` compares the bytes).
Source: open addressing with triangular probing (Knuth, TAOCP 3, 6.4).
"""

from typing import Final

import numpy as np

from schemas.frames.ids import Hashes, Rows

NONE: Final = -1
_EMPTY: Final = -1
_FIRST_SLOTS: Final = 2048
_FULL: Final = 0.4
"""Share of slots taken at which a larger table is made."""


class Index:
    """Slots hold row numbers less `base`, in 32 bits; those of dropped rows go with a rebuild."""

    def __init__(self) -> None:
        self._slots = np.full(_FIRST_SLOTS, _EMPTY, np.int32)
        self._mask = np.uint64(_FIRST_SLOTS - 1)
        self._taken = 0
        self._base = 0

    @property
    def nbytes(self) -> int:
        """Memory of the slots."""
        return self._slots.nbytes

    def crowded(self, more: int) -> bool:
        """Whether `more` rows want a new table first (`rebuild`)."""
        return self._taken + more > _FULL * len(self._slots)

    def clear(self, count: int, *, start: int) -> None:
        """Forget all, and have space for `count` rows from `start` on, to be entered."""
        size = _FIRST_SLOTS
        while count > _FULL / 1.25 * size:
            size *= 2
        self._slots = np.zeros(0, np.int32)  # the old ones go before the new ones come
        self._slots = np.full(size, _EMPTY, np.int32)
        self._mask = np.uint64(size - 1)
        self._taken = 0
        self._base = start

    def find(self, hashes: Hashes, known: Hashes, start: int) -> tuple[Rows, Rows]:
        """Rows (n,) entered under `hashes`, or NONE, and the slots of those found (n,).

        Of those not found it gives the slot where they may be entered (`enter`).
        `known` (kept,) are the hashes of rows from `start` on.
        """
        found = np.full(len(hashes), NONE, np.int64)
        places, step, mask = (hashes & self._mask).astype(np.int64), 0, int(self._mask)
        slots, held = places, self._slots[places]
        left = np.flatnonzero(held != _EMPTY) if len(known) else np.zeros(0, np.int64)
        places, held = places[left], held[left]
        while len(left):
            rows = held + np.int64(self._base)
            # A row that was dropped is compared with one that was not; it is no hit all the same.
            hit = known[np.maximum(rows - start, 0)] == hashes[left]
            hit &= rows >= start
            found[left[hit]] = rows[hit]
            step += 1
            places = (places[~hit] + step) & mask
            left, held = left[~hit], self._slots[places]
            slots[left] = places
            on = held != _EMPTY
            left, places, held = left[on], places[on], held[on]
        return found, slots

    def move(self, slots: Rows, rows: Rows) -> None:
        """Let slots that `find` gave hold newer rows of the same identifiers."""
        self._slots[slots] = rows - self._base

    def enter(self, hashes: Hashes, rows: Rows, slots: Rows | None = None) -> None:
        """Enter rows (n,) under hashes that are not there and all differ.

        `slots` (n,) are those that `find` gave for them, if nothing was entered since.
        """
        numbers = (rows - self._base).astype(np.int32)
        if slots is not None:
            self._slots[slots] = numbers
            late = np.flatnonzero(self._slots[slots] != numbers)  # two of them found one slot
            self._taken += len(rows) - len(late)
            hashes, rows, numbers = hashes[late], rows[late], numbers[late]
        places, step, mask = (hashes & self._mask).astype(np.int64), 0, int(self._mask)
        self._taken += len(rows)
        while len(numbers):
            free = self._slots[places] == _EMPTY
            self._slots[places[free]] = numbers[free]
            on = self._slots[places] != numbers
            step += 1
            numbers, places = numbers[on], (places[on] + step) & mask
