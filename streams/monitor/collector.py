"""The collector: pane counts of one lane that are to become the reference.

Promises: one pane one vector a segment and signal, whatever versions it came from.
Leaves to others: when to collect (`model`), dispersion (`detectors.reference`).
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from schemas.baseline import Normal
from schemas.grid import WHOLE
from schemas.journal import Counts
from streams.signals import Signal


class SavedCollector(msgspec.Struct, frozen=True, kw_only=True):
    """A collector in a snapshot: per segment, pane and signal the counts."""

    panes: dict[str, dict[int, list[bytes]]]
    since: int
    every: int = 1


class Collector:
    """Counts of the panes that describe what is normal."""

    def __init__(self, signals: Sequence[Signal], since: int = 0, every: int = 1) -> None:
        """`signals` in the order of the counts; rows of panes before `since` are left out.

        `every`: of so many panes one is taken, where they are more than can be kept one by one.
        """
        self._signals, self._since, self._every = signals, since, every
        self._panes: dict[str, dict[int, list[Counts]]] = {}

    def add(self, segment: str, pane: int, counts: Sequence[Counts]) -> None:
        """Add the rows of a pane to a segment."""
        if pane < self._since or (pane - self._since) % self._every:
            return
        held = self._panes.setdefault(segment, {}).get(pane)
        if held is None:
            self._panes[segment][pane] = [vector.copy() for vector in counts]
            return
        for vector, more in zip(held, counts, strict=True):
            np.add(vector, more, out=vector)

    @property
    def panes(self) -> int:
        """Panes with rows."""
        return len(self._panes.get(WHOLE, {}))

    @property
    def rows(self) -> int:
        """Rows in all panes."""
        if not self._signals:
            return 0
        return sum(int(vectors[0].sum()) for vectors in self._panes.get(WHOLE, {}).values())

    def normals(self) -> dict[str, dict[str, Normal]]:
        """What is normal, by segment and signal."""
        return {
            segment: {
                signal.name: Normal.of(
                    signal.kind, np.array([panes[pane][i] for pane in sorted(panes)])
                )
                for i, signal in enumerate(self._signals)
            }
            for segment, panes in sorted(self._panes.items())
        }

    def save(self) -> SavedCollector:
        """The state, for a snapshot."""
        return SavedCollector(
            since=self._since,
            every=self._every,
            panes={
                segment: {p: [v.tobytes() for v in vectors] for p, vectors in panes.items()}
                for segment, panes in self._panes.items()
            },
        )

    def load(self, saved: SavedCollector) -> None:
        """Take a snapshot up."""
        self._since, self._every = saved.since, saved.every
        self._panes = {
            segment: {
                p: [np.frombuffer(v, np.int64).copy() for v in vectors]
                for p, vectors in panes.items()
            }
            for segment, panes in saved.panes.items()
        }
