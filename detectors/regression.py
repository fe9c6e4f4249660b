"""Regression: errors of numeric predictions from exact sums.

Promises and interface: `summary`; resolution and winsorising as in `fixed`.
Leaves to others: choosing centre and scale (mean and standard deviation of reference labels).
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from detectors.arrays import Codes, Counts, Floats, sum_integers
from detectors.fixed import LARGEST, STEPS, quantise


@dataclass(frozen=True, kw_only=True)
class RegressionQuality:
    """Errors in the label's own unit; R2 is None while labels do not vary."""

    rows: int
    bias: float | None
    mae: float | None
    rmse: float | None
    r2: float | None


@dataclass(frozen=True)
class Regression:
    """Six integers: rows, sums of residual, |residual|, residual squared, y and y squared.

    The residual is prediction - label. Rows where either is NaN are not counted. Raises
    ValueError unless center is finite and scale positive.
    """

    center: float
    scale: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.center) and np.isfinite(self.scale) and self.scale > 0):
            raise ValueError("center must be finite and scale positive")

    @property
    def width(self) -> int:
        """Always six."""
        return 6

    def count(self, predictions: Floats, labels: Floats, *, groups: Codes, n_groups: int) -> Counts:
        """Exact sums of the columns (n,) per group: (n_groups, 6)."""
        known = ~(np.isnan(predictions) | np.isnan(labels))
        g = groups[known]
        r = quantise(predictions[known] - labels[known], self.scale)
        y = quantise(labels[known] - self.center, self.scale)
        sums = [np.bincount(g, minlength=n_groups)]
        sums += [
            sum_integers(values, largest, groups=g, n_groups=n_groups)
            for values, largest in (
                (r, LARGEST),
                (np.abs(r), LARGEST),
                (r * r, LARGEST**2),
                (y, LARGEST),
                (y * y, LARGEST**2),
            )
        ]
        return np.column_stack(sums).astype(np.int64, copy=False)

    def read(self, counts: Counts) -> RegressionQuality:
        """Errors from one row on."""
        rows, bias, absolute, square, label, label_square = (int(value) for value in counts)
        if rows <= 0:
            return RegressionQuality(rows=0, bias=None, mae=None, rmse=None, r2=None)
        step = self.scale / STEPS
        spread = rows * label_square - label * label
        return RegressionQuality(
            rows=rows,
            bias=bias / rows * step,
            mae=absolute / rows * step,
            rmse=sqrt(square / rows) * step,
            r2=1 - rows * square / spread if spread > 0 else None,
        )
