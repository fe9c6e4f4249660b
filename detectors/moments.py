"""Moments: mean and spread of a column from exact sums.

Promises and interface: `summary`; resolution and winsorising as in `fixed`.
Leaves to others: choosing centre and scale (reference mean and standard deviation).
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from detectors.arrays import Codes, Counts, Floats, sum_integers
from detectors.fixed import LARGEST, STEPS, quantise


@dataclass(frozen=True, kw_only=True)
class MeanSpread:
    """Mean and standard deviation (divisor n - 1) in the column's own unit."""

    rows: int
    mean: float | None
    sd: float | None


@dataclass(frozen=True)
class Moments:
    """Three integers: rows, sum of q, sum of q squared, with q = (x - center) / scale * 1024.

    NaN is not counted. Raises ValueError unless center is finite and scale positive.
    """

    center: float
    scale: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.center) and np.isfinite(self.scale) and self.scale > 0):
            raise ValueError("center must be finite and scale positive")

    @property
    def width(self) -> int:
        """Always three."""
        return 3

    def count(self, column: Floats, *, groups: Codes, n_groups: int) -> Counts:
        """Exact sums of a column (n,) per group: (n_groups, 3)."""
        known = ~np.isnan(column)
        q = quantise(column[known] - self.center, self.scale)
        g = groups[known]
        rows = np.bincount(g, minlength=n_groups)
        total = sum_integers(q, LARGEST, groups=g, n_groups=n_groups)
        square = sum_integers(q * q, LARGEST**2, groups=g, n_groups=n_groups)
        return np.column_stack([rows, total, square]).astype(np.int64, copy=False)

    def read(self, counts: Counts) -> MeanSpread:
        """Mean from one row on, standard deviation from two."""
        rows, total, square = (int(value) for value in counts)
        if rows <= 0:
            return MeanSpread(rows=0, mean=None, sd=None)
        step = self.scale / STEPS
        mean = self.center + total / rows * step
        if rows == 1:
            return MeanSpread(rows=1, mean=mean, sd=None)
        # Python integers: rows * square passes 2**63 long before the sums themselves do.
        variance = max(0, rows * square - total * total) / (rows * (rows - 1))
        return MeanSpread(rows=rows, mean=mean, sd=sqrt(variance) * step)
