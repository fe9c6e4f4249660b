"""Forms: what a departure looks like. Its shape: at once or gradual; its breadth: all, or a part.

Each panel keeps a trail of its signals' cells, numeric ones merged to the few whose shares are
watched. Once a signal moves, that which has moved most since the change (mean, spread or one cell)
is followed through the panes from before the change on: that is its shape (`detectors.course`).
The parts of a segmentation are asked for the same: that is its breadth.

Promises: bounded; a function of the panes alone; looked at when a signal begins to move and 1, 2,
4, .. panes later, because more panes tell more. What cannot be told anew stays as it was said, and
what was gradual stays so: later the trail shows its beginning less finely.
Leaves to others: whether a signal moves (`panel`), and since when.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import sqrt
from typing import Final, NamedTuple

import msgspec
import numpy as np

from detectors.alternatives import CONSTANT_WIDTH
from detectors.arcsine import angle
from detectors.course import Course, pace
from detectors.reference import SignalReference
from schemas.journal import Counts
from schemas.vocabulary import Breadth, Shape
from streams.monitor.trail import SavedTrail, Trail

BEFORE: Final = 12
"""Panes looked at from before the change, beside as many as there are since."""

MOST_LOOKS: Final = 32
"""Signals of a panel that are looked at in one pane, those that alarm first; a look takes 2 ms."""

LAST_LOOK: Final = 32
"""Panes after which a signal that still moves is not looked at again."""

CERTAIN: Final = 3.0
"""Errors that the shift must be, in a part's rows, for the part to have a say: then a part that
moved as much and one that did not lie 1.5 errors from the border between them, on either side."""

MOVED: Final = 0.5
"""Of the shift: what a part must have moved by to have moved, too."""

SPOKEN: Final = 0.5
"""Of a segmentation's rows: what the parts that have a say must hold."""

UNIFORM: Final = 0.8
"""Of the rows of parts that have a say: what those that moved must hold to be all."""

_MEAN, _SPREAD = -2, -1
"""Numbers of the directions that are no cell."""


class Partition:
    """Which cells are counted together: of the whole's reference, for all segments alike."""

    def __init__(self, references: Sequence[SignalReference]) -> None:
        """`references` of all signals, whose cells come in one vector."""
        self.low: Counts
        self.high: Counts
        cells = np.cumsum([0, *(one.width for one in references)])
        stretches = [one.stretches for one in references]
        ends = np.cumsum([0, *(len(first) for first, _, _ in stretches)]).tolist()
        self.spans = [slice(a, b) for a, b in pairwise(ends)]
        at = zip(cells, stretches, strict=False)
        both = [(first + begin, last + begin + 1) for begin, (first, last, _) in at]
        empty = np.zeros(0, np.int64)
        self.low = np.concatenate([empty, *(low for low, _ in both)]).astype(np.int64)
        self.high = np.concatenate([empty, *(high for _, high in both)]).astype(np.int64)
        self.width: int = ends[-1]
        self.places = [(first.tolist(), last.tolist()) for first, last, _ in stretches]

    def merge(self, row: Counts) -> Counts:
        """The counts (all cells,) as those of this partition."""
        cumulated = np.zeros(len(row) + 1, np.int64)
        np.cumsum(row, out=cumulated[1:])
        merged: Counts = cumulated[self.high] - cumulated[self.low]
        return merged


class Shift(NamedTuple):
    """By how much something moved (standard deviations; angle units of a cell), and the error."""

    size: float
    error: float
    rows: int


class Gauge:
    """What one signal's merged cells say of mean, spread and each cell, beside the reference."""

    def __init__(
        self, reference: SignalReference, places: tuple[list[int], list[int]], tolerance: float
    ) -> None:
        """`places`: first and last cell of each merged one."""
        self.rows = reference.rows
        self._tolerance = tolerance
        shares, phis = reference.shares, reference.dispersion
        spans = [slice(first, last + 1) for first, last in zip(*places, strict=True)]
        self._was = np.array([shares[one].sum() for one in spans])
        self._loads = np.eye(len(spans))
        self._phi = np.array([phis[one].max() for one in spans])
        self.directions = list(range(len(spans)))
        if reference.kind == "numeric" and reference.width > CONSTANT_WIDTH and self.rows:
            self._add_moments(reference, spans)
        p = self._was / max(float(self._was.sum()), 1e-12)
        self._mean = self._loads @ p
        # A cell that was never seen may have had half a row.
        least = 0.5 / (self.rows + 1)
        self._variance = np.maximum(self._loads**2 @ p - self._mean**2, least * (1 - least))

    def _add_moments(self, reference: SignalReference, spans: list[slice]) -> None:
        """Mean and spread of normal scores; a missing value says nothing of either."""
        p, scores = reference.present, reference.scores
        mean = float(p @ scores)
        values = [reference.width - 1 not in range(one.start, one.stop) for one in spans]
        z = [
            float(np.average(scores[one], weights=p[one])) if is_value else mean
            for one, is_value in zip(spans, values, strict=True)
        ]
        square = float(p @ (scores - mean) ** 2)
        squares = [
            float(np.average((scores[one] - mean) ** 2, weights=p[one])) if is_value else square
            for one, is_value in zip(spans, values, strict=True)
        ]
        self._loads = np.vstack([z, squares, self._loads])
        self._phi = np.append(reference.pattern_dispersion[:2], self._phi)
        self.directions = [_MEAN, _SPREAD, *self.directions]

    def leading(self, counts: Counts) -> int | None:
        """What moved most, in errors, in these counts; None if nothing is there."""
        if not self.rows or not counts.sum():
            return None
        shifts = [self.shift(counts, one) for one in self.directions]
        ratios = [abs(one.size) / one.error for one in shifts]
        return self.directions[int(np.argmax(ratios))]

    def shift(self, counts: Counts, direction: int) -> Shift:
        """By how much the counts (merged cells,), which are not empty, moved in a direction."""
        at, n = self.directions.index(direction), int(counts.sum())
        now = float(self._loads[at] @ counts) / n
        error = sqrt(float(self._phi[at]) * (1 / n + 1 / self.rows))
        if direction < 0:
            return Shift((now - self._mean[at]) / sqrt(self._variance[at]), error, n)
        return Shift(float(angle(now) - angle(self._mean[at])), error, n)

    def course(
        self, stretches: Sequence[tuple[int, int, Counts]], recent: Counts, direction: int
    ) -> Course:
        """The means of stretches (first pane, last pane, counts with rows) in a direction."""
        at = self.directions.index(direction)
        load, phi = self._loads[at], float(self._phi[at])
        counts = np.array([row for _, _, row in stretches], float)
        rows = counts.sum(axis=1)
        p = recent / recent.sum()
        now = float(load**2 @ p - (load @ p) ** 2)
        variance = phi * max(now, float(self._variance[at]))
        own = float(self._variance[at])
        return Course(
            begins=np.array([float(first) for first, _, _ in stretches]),
            ends=np.array([last + 1.0 for _, last, _ in stretches]),
            means=counts @ load / rows - self._mean[at],
            variances=variance / rows,
            doubt=own * (phi / self.rows + self._tolerance**2),
        )


class Form(msgspec.Struct, frozen=True, array_like=True):
    """What is said of a signal that has moved for so many panes."""

    panes: int = 0
    shape: Shape | None = None
    breadth: Breadth | None = None


class SavedForms(msgspec.Struct, frozen=True, array_like=True):
    """The forms of a panel in a snapshot."""

    trail: SavedTrail = SavedTrail()
    said: dict[int, Form] = {}


class Forms:
    """The trail of one panel, and what was said of its signals."""

    def __init__(
        self, partition: Partition, references: Sequence[SignalReference], tolerances: list[float]
    ) -> None:
        """`references` of the panel's own segment."""
        self._partition, self._references = partition, references
        self._tolerances = tolerances
        self._gauges: dict[int, Gauge] = {}
        self._trail = Trail()
        self.said: dict[int, Form] = {}

    def take(self, pane: int, row: Counts) -> None:
        """Take a pane's on-time counts (all cells,)."""
        self._trail.take(pane, self._partition.merge(row))

    def correct(self, pane: int, row: Counts) -> None:
        """Add late rows of a pane that is kept."""
        self._trail.correct(pane, self._partition.merge(row))

    def restart(self, index: int) -> None:
        """What was counted of a signal belongs to an incident that is over."""
        self._trail.forget(self._partition.spans[index])
        self.said.pop(index, None)

    def due(self, moved: Sequence[int]) -> list[int]:
        """The signals to look at now, of `moved` (signals,): 0 at rest, 1 it joins, 2 it alarms."""
        due = []
        for index, level in enumerate(moved):
            before = self.said.get(index)
            if not level:
                self.said.pop(index, None)
            elif before is None:
                self.said[index] = Form()
                due.append(index)
            elif before.panes < LAST_LOOK:
                now = before.panes + 1
                self.said[index] = msgspec.structs.replace(before, panes=now)
                if not now & (now - 1):
                    due.append(index)
        return sorted(due, key=lambda index: -moved[index])[:MOST_LOOKS]

    def look(self, index: int, change: int, pane: int, parts: Iterable[Sequence["Forms"]]) -> None:
        """Look at a signal that changed about the pane `change`.

        `parts`: of each segmentation that matters the forms of its segments.
        """
        recent = self._since(index, change)
        direction = None if recent is None else self._gauge(index).leading(recent)
        if recent is None or direction is None:
            return
        span, reach = self._partition.spans[index], max(change - (pane - change), 0) - BEFORE
        held = [
            (one.first, one.last, one.row[span])
            for one in self._trail
            if one.last >= reach and one.row[span].any()
        ]
        gauge, before = self._gauge(index), self.said[index]
        shift = gauge.shift(recent, direction)
        found = {
            _breadth(shift, [one.moved(index, change, direction) for one in segments])
            for segments in parts
        }
        breadth: Breadth | None = "uniform" if "uniform" in found else None
        shape = before.shape
        if shape != "gradual":
            shape = pace(gauge.course(held, recent, direction)) or shape
        self.said[index] = Form(
            before.panes,
            shape,
            "localised" if "localised" in found else breadth or before.breadth,
        )

    def moved(self, index: int, change: int, direction: int) -> Shift | None:
        """By how much a signal has moved since `change` in a direction; None without rows."""
        recent, gauge = self._since(index, change), self._gauge(index)
        if recent is None or not gauge.rows or direction not in gauge.directions:
            return None
        return gauge.shift(recent, direction)

    def _since(self, index: int, change: int) -> Counts | None:
        span = self._partition.spans[index]
        rows = [one.row[span] for one in self._trail.since(change)]
        total = np.zeros(span.stop - span.start, np.int64)
        for row in rows:
            total += row
        return total if total.any() else None

    def _gauge(self, index: int) -> Gauge:
        if index not in self._gauges:
            place = self._partition.places[index]
            self._gauges[index] = Gauge(self._references[index], place, self._tolerances[index])
        return self._gauges[index]

    def save(self) -> SavedForms:
        """The state, for a snapshot."""
        return SavedForms(self._trail.save(), self.said)

    def load(self, saved: SavedForms) -> None:
        """Take a snapshot up."""
        self._trail.load(saved.trail, self._partition.width)
        self.said = dict(saved.said)


def _breadth(shift: Shift, parts: Sequence[Shift | None]) -> Breadth | None:
    """Whether the parts of a segmentation moved like `shift`: all of them, some; None: not known.

    Parts are weighed by their rows since the change. Where no part moved in itself, their mix did,
    and that is neither.
    """
    known = [one for one in parts if one is not None]
    say = [one for one in known if CERTAIN * one.error <= abs(shift.size)]
    rows, all_rows = sum(one.rows for one in say), sum(one.rows for one in known)
    if len(known) < 2 or rows < SPOKEN * all_rows:  # noqa: PLR2004 - a part of two
        return None
    moved = sum(one.rows for one in say if one.size / shift.size >= MOVED)
    if not moved:
        return None
    return "uniform" if moved >= UNIFORM * rows else "localised"
