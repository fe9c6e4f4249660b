"""Windows: the newest panes of each version and segment, merged, as wide as they need be.

Promises: a window holds the fewest newest panes with enough rows, so many at most; a correction
reaches only what a window still holds.
Leaves to others: what is read from the sums.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import msgspec
import numpy as np

from schemas.journal import Counts, Sparse

WINDOW_ROWS: Final = 1000
"""Rows that a window should hold, so that a metric is worth reading (as in `panel`)."""

WINDOW_PANES: Final = 50
"""Panes that a window holds at most."""

MAX_VERSIONS: Final = 16
"""Versions kept; the one not heard for longest gives way, but none of this pane."""

Place = tuple[str, str]
"""Version and segment."""


class Window(NamedTuple):
    """First and last pane of a window, and the sum of its vectors."""

    first: int
    last: int
    counts: Counts


class SavedWindows(msgspec.Struct, frozen=True, array_like=True):
    """Windows in a snapshot: per place its panes."""

    width: int
    places: list[tuple[str, str, list[tuple[int, Sparse]]]]


class Windows:
    """One window per version and segment."""

    def __init__(self, width: int, rows: Callable[[Counts], int]) -> None:
        """`rows` says how many rows a vector (width,) stands for."""
        self._width, self._rows = width, rows
        self._panes: dict[Place, deque[tuple[int, Counts]]] = {}
        self._sums: dict[Place, Counts] = {}
        """Of each window its sum, where it is known; vectors are not changed once given away."""
        self._held: dict[Place, deque[int]] = {}
        """Of each window its panes' rows, where they are known."""

    def add(self, place: Place, pane: int, counts: Counts) -> None:
        """Take a pane's vector, if there is room for its version; panes come in order."""
        if place not in self._panes and not self._has_room(place[0], pane):
            return
        window = self._panes.setdefault(place, deque())
        rows = self._held.get(place)
        if rows is None:
            rows = self._held[place] = deque(self._rows(vector) for _, vector in window)
        total = self.sum(place).counts + counts if window else counts.copy()
        window.append((pane, counts.copy()))
        rows.append(self._rows(counts))
        held = sum(rows)
        while len(rows) > 1 and (len(rows) > WINDOW_PANES or held - rows[0] >= WINDOW_ROWS):
            held -= rows.popleft()
            total = total - window.popleft()[1]
        self._sums[place] = total

    def correct(self, place: Place, pane: int, counts: Counts) -> None:
        """Add late rows to the pane that still holds theirs."""
        for held, vector in self._panes.get(place, ()):
            if held == pane:
                np.add(vector, counts, out=vector)
        self._unknown(place)

    def revise(self, place: Place, counts: Counts) -> None:
        """Add signed counts of corrected labels, if the window still holds what they correct."""
        window = self._panes.get(place)
        if not window or (self.sum(place).counts + counts < 0).any():
            return
        # Which pane held the rows is not known, and only the sum is read. No pane may be left with
        # less than nothing: it would be the sum once the panes before it have gone.
        self._unknown(place)
        pane, vector = window[-1]
        window[-1] = pane, vector + np.maximum(counts, 0)
        missing = np.minimum(counts, 0)
        for at in range(len(window) - 1, -1, -1):
            pane, vector = window[at]
            taken = np.maximum(missing, -vector)
            window[at] = pane, vector + taken
            missing = missing - taken

    def sum(self, place: Place) -> Window:
        """The merged vector of a place that has a window."""
        window = self._panes[place]
        total = self._sums.get(place)
        if total is None:
            total = np.sum([vector for _, vector in window], axis=0, dtype=np.int64)
            self._sums[place] = total
        return Window(window[0][0], window[-1][0], total)

    def _unknown(self, place: Place) -> None:
        """What a window holds has changed."""
        self._sums.pop(place, None)
        self._held.pop(place, None)

    def __contains__(self, place: Place) -> bool:
        """Whether there is a window."""
        return place in self._panes

    @property
    def versions(self) -> frozenset[str]:
        """The versions that have a window."""
        return frozenset(version for version, _ in self._panes)

    def __iter__(self) -> Iterator[Place]:
        """The places in order, wholes before segments of a version."""
        return iter(sorted(self._panes, key=lambda place: (place[0], place[1] != "*", place[1])))

    def _has_room(self, version: str, pane: int) -> bool:
        """Whether a version can be kept; one that was not heard in this pane may give way."""
        newest: dict[str, int] = {}
        for (name, _), window in self._panes.items():
            newest[name] = max(newest.get(name, window[-1][0]), window[-1][0])
        if version in newest or len(newest) < MAX_VERSIONS:
            return True
        seen, oldest = min((at, name) for name, at in newest.items())
        if seen >= pane:
            return False
        for place in [place for place in self._panes if place[0] == oldest]:
            del self._panes[place]
            self._unknown(place)
        return True

    def save(self) -> SavedWindows:
        """The state, for a snapshot."""
        return SavedWindows(
            self._width,
            [
                (*place, [(pane, Sparse.pack(vector)) for pane, vector in self._panes[place]])
                for place in self
            ],
        )

    def load(self, saved: SavedWindows) -> None:
        """Take a snapshot up."""
        self._panes = {
            (version, segment): deque((pane, vector.full(self._width)) for pane, vector in panes)
            for version, segment, panes in saved.places
        }
        self._sums, self._held = {}, {}
