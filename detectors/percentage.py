"""Percentage: errors of numeric predictions as shares of the label, from exact sums.

Promises and interface: `summary`; resolution and winsorising as in `fixed`, the unit being the
label itself: an error of more than 256 times the label counts as 256 times.
Leaves to others: intervals (`metrics.numbers`).
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np

from detectors.arrays import Codes, Counts, Floats, sum_integers
from detectors.fixed import LARGEST, STEPS, quantise

_MOST: Final = LARGEST / STEPS


@dataclass(frozen=True, kw_only=True)
class PercentageQuality:
    """Rows whose label is not 0, and mean and root mean square of |residual / label|."""

    rows: int
    mean: float | None
    square: float | None


@dataclass(frozen=True)
class Percentage:
    """Three integers: rows, sum of |residual / label| and of its square.

    The residual is prediction - label. Rows where either is NaN are not counted, nor those whose
    label is 0: there is no share of nothing.
    """

    @property
    def width(self) -> int:
        """Always three."""
        return 3

    def count(self, predictions: Floats, labels: Floats, *, groups: Codes, n_groups: int) -> Counts:
        """Exact sums of the columns (n,) per group: (n_groups, 3)."""
        known = ~(np.isnan(predictions) | np.isnan(labels)) & (labels != 0)
        g, y = groups[known], labels[known]
        # A label next to 0 divides by next to nothing: that overflows, and is winsorised.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            share = np.abs((predictions[known] - y) / y)
        share = quantise(np.where(share < _MOST, share, _MOST), 1.0)
        sums = [
            np.bincount(g, minlength=n_groups),
            sum_integers(share, LARGEST, groups=g, n_groups=n_groups),
            sum_integers(share * share, LARGEST**2, groups=g, n_groups=n_groups),
        ]
        return np.column_stack(sums).astype(np.int64, copy=False)

    def read(self, counts: Counts) -> PercentageQuality:
        """Shares from one row on."""
        rows, total, square = (int(value) for value in counts)
        if rows <= 0:
            return PercentageQuality(rows=0, mean=None, square=None)
        return PercentageQuality(
            rows=rows, mean=total / rows / STEPS, square=sqrt(square / rows) / STEPS
        )
