"""Slices: which values of the features the errors concentrate in, against the reference.

A value stands out if more errors beyond the reference's rate fell into it than its part of the
rows makes plausible. It is evidence for a finding, never an alarm of its own.

Promises: bounded windows; the values named are few, the clearest first.
Leaves to others: whether errors have risen at all (`lane`).
"""

from typing import Final

import numpy as np

from schemas.finding import Slice
from schemas.grid import Layout
from schemas.journal import Counts
from streams.monitor.outcomes.windows import Place, SavedWindows, Windows

MOST: Final = 3
"""Values named."""

SURE: Final = 3.0
"""Standard errors by which a value must stand out."""

MIN_ROWS: Final = 30
"""Rows in the window from which a value is looked at."""


class Slices:
    """Right and wrong rows of every feature cell, in windows."""

    def __init__(self, layout: Layout) -> None:
        """Of a model whose errors are counted by feature cell."""
        self._names: list[tuple[str, str]] = []
        self._spans: list[slice] = []
        cells: list[int] = []
        for name, block in layout.outcomes.items():
            kind, _, feature = name.partition(":")
            if kind != "slice":
                continue
            self._spans.append(slice(len(self._names), len(self._names) + block.width // 2))
            self._names += [(feature, cell) for cell in layout.features[feature].names]
            cells += range(block.start, block.start + block.width)
        self._cells = np.array(cells, np.intp)
        self._windows = Windows(len(cells), self._rows)

    def _rows(self, counts: Counts) -> int:
        return int(counts[: 2 * (self._spans[0].stop)].sum()) if self._spans else 0

    def add(self, place: Place, pane: int, vector: Counts) -> None:
        """Take the outcomes' vector of a pane."""
        if self._spans:
            self._windows.add(place, pane, vector[self._cells])

    def revise(self, place: Place, vector: Counts) -> None:
        """Take the signed counts of corrected labels."""
        if self._spans:
            self._windows.revise(place, vector[self._cells])

    def leading(self, place: Place, reference: Counts) -> tuple[Slice, ...]:
        """The values in which errors concentrate; `reference` is a whole outcomes' vector."""
        if place not in self._windows:
            return ()
        now, was = (
            counts.reshape(-1, 2).astype(float)
            for counts in (self._windows.sum(place).counts, reference[self._cells])
        )
        rows, before = now.sum(axis=1), was.sum(axis=1)
        # Half an error more or less: a cell the reference hardly knew expects what little it saw.
        rate = (was[:, 1] + 0.5) / (before + 1)
        excess = now[:, 1] - rows * rate
        apart, noise, whole = np.zeros(len(rows)), np.ones(len(rows)), np.ones(len(rows))
        for span in self._spans:
            n, total = rows[span], float(excess[span].sum())
            if n.sum() > 0 and total > 0:
                p = now[span, 1].sum() / n.sum()
                part = n / n.sum()
                apart[span] = excess[span] - total * part
                finite = n * p * (1 - p) * (1 - part) + n**2 * rate[span] / (before[span] + 1)
                noise[span] = np.sqrt(np.maximum(finite, 1e-9))
                whole[span] = float(np.maximum(excess[span], 0.0).sum())
        score = np.where(rows >= MIN_ROWS, apart / noise, 0.0)
        order = np.argsort(-score, kind="stable")[:MOST]
        return tuple(
            Slice(
                feature=self._names[i][0],
                value=self._names[i][1],
                rows=int(rows[i]),
                reference=float(was[i, 1] / before[i]) if before[i] else 0.0,
                current=float(now[i, 1] / rows[i]),
                excess=float(max(excess[i], 0.0) / whole[i]),
            )
            for i in order.tolist()
            if score[i] >= SURE
        )

    def save(self) -> SavedWindows:
        """The state, for a snapshot."""
        return self._windows.save()

    def load(self, saved: SavedWindows) -> None:
        """Take a snapshot up."""
        self._windows.load(saved)
