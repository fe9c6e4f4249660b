"""Effect: how far a window is from its reference, in units of the tolerance, and where.

Promises: numeric signals as shift of the mean and ratio of spreads of normal scores, every signal
as shifts of shares in angle units (see `arcsine`); each with a standard error that contains the
window's rows, the reference's rows and dispersion. None where there is nothing to judge.
Leaves to others: names of cells; severity.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import special

from detectors.alternatives import CAREFUL
from detectors.arcsine import angle
from detectors.arrays import Codes, Counts, Floats
from detectors.reference import SignalReference

_DOUBT = 0.1
"""Chance that some cell of an unchanged signal looks outside, shared by its cells."""


@dataclass(frozen=True, kw_only=True)
class CellShift:
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
        margin = float(special.ndtri(1 - _DOUBT / (2 * max(1, len(self.leading)))))
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


def effect(current: Counts, reference: SignalReference) -> Effect | None:
    """The effect of merged counts (width,) of a window; None without rows on either side."""
    n, m = int(current.sum()), reference.rows
    if n <= 0 or m <= 0 or reference.counts.sum() <= 0:
        return None
    noise = sqrt(1 / n + 1 / m)
    leading = sorted(_cells(current, reference, noise), key=lambda cell: -abs(cell.shift))
    mean, spread = _moments(current, reference)
    return Effect(rows=n, mean=mean, spread=spread, leading=tuple(leading))


def _cells(current: Counts, reference: SignalReference, noise: float) -> list[CellShift]:
    first, last, phi = reference.stretches
    then, now = (_ratios(counts, first, last) for counts in (reference.counts, current))
    shift, error = angle(now) - angle(then), noise * np.sqrt(phi)
    columns = (first, last, then, now, shift, error)
    return [
        CellShift(
            first=one, last=other, reference_ratio=was, current_ratio=is_, shift=by, error=off
        )
        for one, other, was, is_, by, off in zip(*(c.tolist() for c in columns), strict=True)
    ]


def _ratios(counts: Counts, first: Codes, last: Codes) -> Floats:
    """Shares of stretches of cells first..last (k,)."""
    cumulated = np.append(0, np.cumsum(counts))
    return np.asarray((cumulated[last + 1] - cumulated[first]) / cumulated[-1])


def _moments(
    current: Counts, reference: SignalReference
) -> tuple[MomentShift | None, MomentShift | None]:
    """Shifts of mean and spread of normal scores, missing values left out."""
    n, m = int(current[:-1].sum()), int(reference.counts[:-1].sum())
    if reference.kind != "numeric" or n == 0 or m == 0:
        return None, None
    z, p, c = reference.scores, reference.present, current[:-1] / n
    mean, was = float(c @ z), float(p @ z)
    before = float(p @ z**2) - was**2
    now = max(float(c @ z**2) - mean**2, 0.0)
    if before <= 0:
        return None, None
    noise = 1 / n + 1 / m
    in_mean, in_spread = (float(phi) for phi in reference.pattern_dispersion[:2])
    unit = sqrt(before)
    return (
        MomentShift(shift=(mean - was) / unit, error=sqrt(in_mean * noise)),
        # the variance of a variance is 2 sigma^4 / n, so that of a standard deviation is half n
        MomentShift(shift=sqrt(now) / unit - 1, error=sqrt(in_spread * noise / 2)),
    )
