"""Effect: how far a window is from its reference, in units of the tolerance, and where.

Promises: numeric signals as shift of the mean and ratio of spreads of normal scores, every signal
as shifts of shares in angle units (see `arcsine`); each with a standard error that contains the
window's rows, the reference's rows and dispersion. None where there is nothing to judge.
Leaves to others: names of cells; severity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import sqrt
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import special

from detectors.alternatives import CAREFUL
from detectors.arcsine import angle
from detectors.arrays import Codes, Counts, Floats
from detectors.reference import SignalReference

_Number = TypeVar("_Number", np.int64, np.intp, np.float64)

_DOUBT = 0.1
"""Chance that some cell of an unchanged signal looks outside, shared by its cells."""


class CellShift(NamedTuple):
    """Neighbouring cells first..last together: shares then and now, shift in angle units."""

    first: int
    last: int
    reference_ratio: float
    current_ratio: float
    shift: float
    error: float


@dataclass(frozen=True, kw_only=True)
class MomentShift:
    """Shift of the mean in standard deviations, or relative change of spread (ratio - 1)."""

    shift: float
    error: float


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The effect of one signal; `leading` are all cells, the furthest first."""

    rows: int
    mean: MomentShift | None
    spread: MomentShift | None
    leading: tuple[CellShift, ...]

    @property
    def size(self) -> float:
        """The largest of all shifts, in units of the tolerance."""
        return max(abs(part.shift) for part in self._parts)

    @property
    def error(self) -> float:
        """Standard error of the largest shift."""
        return max(self._parts, key=lambda part: abs(part.shift)).error

    @property
    def spread_ratio(self) -> float | None:
        """Standard deviation now over then, in normal scores."""
        return None if self.spread is None else 1 + self.spread.shift

    def inside(self, tolerance: float) -> bool:
        """Whether no shift is beyond the tolerance by more than its own noise.

        Of many cells the largest is always somewhat off, so their margin grows with their number.
        """
        margin = _margin(len(self.leading))
        moments = all(
            abs(part.shift) <= tolerance + CAREFUL * part.error
            for part in (self.mean, self.spread)
            if part is not None
        )
        cells = (abs(cell.shift) <= tolerance + margin * cell.error for cell in self.leading)
        return moments and all(cells)

    @property
    def _parts(self) -> tuple[MomentShift | CellShift, ...]:
        moments = tuple(part for part in (self.mean, self.spread) if part is not None)
        return (*moments, *self.leading)


@lru_cache(maxsize=1024)
def _margin(cells: int) -> float:
    """Standard errors that the largest of so many unchanged cells may be off."""
    return float(special.ndtri(1 - _DOUBT / (2 * max(1, cells))))


def effect(current: Counts, reference: SignalReference) -> Effect | None:
    """The effect of merged counts (width,) of a window; None without rows on either side."""
    bank = EffectBank([reference])
    return bank.of(0, bank.look(current))


class Look(NamedTuple):
    """Windows of all signals beside their references: rows (S,), and flat over their stretches."""

    row: Counts
    rows: list[int]
    now: Floats
    shift: Floats
    error: Floats


class EffectBank:
    """Effects of many signals: shares of all of them at once, the rest one by one as asked."""

    def __init__(self, references: Sequence[SignalReference]) -> None:
        """The references of S signals, whose windows come as one vector, cells after cells."""
        self._references = list(references)
        cells = np.cumsum([0, *(one.width for one in references)])
        stretches = [one.stretches for one in references]
        sizes = [len(first) for first, _, _ in stretches]
        self._cells = cells
        self._spans = [slice(a, b) for a, b in pairwise(cells.tolist())]
        ends = np.cumsum([0, *sizes]).tolist()
        self._own = [slice(a, b) for a, b in pairwise(ends)]
        self._owner: Codes = np.repeat(np.arange(len(sizes)), sizes)
        begin = cells[self._owner]
        self._low: Codes = begin + _flat([first for first, _, _ in stretches], np.intp)
        self._high: Codes = begin + _flat([last for _, last, _ in stretches], np.intp) + 1
        self._places = [(first.tolist(), last.tolist()) for first, last, _ in stretches]
        self._root = np.sqrt(_flat([phi for _, _, phi in stretches], np.float64))
        self._known = [one.rows > 0 and int(one.counts.sum()) > 0 for one in references]
        then = self._ratios(_flat([one.counts for one in references], np.int64))
        self._then, self._before = then, angle(then)
        self._scales = [_scale(one) for one in references]
        self._each = np.array([1 / one.rows if one.rows > 0 else 0.0 for one in references])

    def look(self, row: Counts) -> Look:
        """What one vector of windows (all cells,) shows of the shares of every signal."""
        now = self._ratios(row)
        rows = np.add.reduceat(row, self._cells[:-1]) if len(row) else row
        noise = np.sqrt(1 / np.maximum(rows, 1) + self._each)
        return Look(
            row, rows.tolist(), now, angle(now) - self._before, noise[self._owner] * self._root
        )

    def of(self, signal: int, look: Look) -> Effect | None:
        """The effect of one signal; None without rows on either side."""
        if look.rows[signal] <= 0 or not self._known[signal]:
            return None
        own = self._own[signal]
        first, last = self._places[signal]
        columns = (self._then, look.now, look.shift, look.error)
        shown = (column[own].tolist() for column in columns)
        cells = (CellShift(*one) for one in zip(first, last, *shown, strict=True))
        leading = sorted(cells, key=lambda cell: -abs(cell.shift))
        mean, spread = self._moments(signal, look.row[self._spans[signal]])
        return Effect(rows=look.rows[signal], mean=mean, spread=spread, leading=tuple(leading))

    def yes(self, signal: int, look: Look) -> CellShift | None:
        """The shift of the last cell of an indicator, as it stands in its effect, and nothing else.

        None without rows on either side.
        """
        if look.rows[signal] <= 0 or not self._known[signal]:
            return None
        at = self._own[signal].stop - 1
        first, last = self._places[signal]
        columns = (self._then, look.now, look.shift, look.error)
        return CellShift(first[-1], last[-1], *(float(column[at]) for column in columns))

    def _ratios(self, row: Counts) -> Floats:
        """Shares of all stretches among the rows of their signals; 0 without rows."""
        cumulated = np.zeros(len(row) + 1, np.int64)
        np.cumsum(row, out=cumulated[1:])
        at = cumulated[self._cells]
        rows = np.maximum(at[1:] - at[:-1], 1)
        return np.asarray((cumulated[self._high] - cumulated[self._low]) / rows[self._owner])

    def _moments(
        self, signal: int, current: Counts
    ) -> tuple[MomentShift | None, MomentShift | None]:
        """Shifts of mean and spread of normal scores, missing values left out."""
        scale = self._scales[signal]
        n = int(current[:-1].sum()) if scale is not None else 0
        if scale is None or n == 0:
            return None, None
        c = current[:-1] / n
        mean = float(c @ scale.scores)
        now = max(float(c @ scale.squares) - mean**2, 0.0)
        noise = 1 / n + 1 / scale.rows
        return (
            MomentShift(shift=(mean - scale.mean) / scale.unit, error=sqrt(scale.in_mean * noise)),
            # the variance of a variance is 2 sigma^4 / n, that of a standard deviation half n
            MomentShift(shift=sqrt(now) / scale.unit - 1, error=sqrt(scale.in_spread * noise / 2)),
        )


class _Scale(NamedTuple):
    """What the moments of a numeric signal are measured by."""

    scores: Floats
    squares: Floats
    mean: float
    unit: float
    rows: int
    in_mean: float
    in_spread: float


def _scale(reference: SignalReference) -> _Scale | None:
    """Of a numeric reference that has rows and varies; None of others."""
    rows = int(reference.counts[:-1].sum())
    if reference.kind != "numeric" or rows == 0:
        return None
    z, p = reference.scores, reference.present
    squares, mean = z**2, float(p @ z)
    variance = float(p @ squares) - mean**2
    if variance <= 0:
        return None
    in_mean, in_spread = (float(phi) for phi in reference.pattern_dispersion[:2])
    return _Scale(z, squares, mean, sqrt(variance), rows, in_mean, in_spread)


def _flat(parts: Sequence[npt.NDArray[_Number]], kind: type[_Number]) -> npt.NDArray[_Number]:
    """Vectors one after the other."""
    return np.concatenate(parts).astype(kind) if parts else np.zeros(0, kind)
