"""Trend: a slow slope over many panes, with its confidence band.

Promises: None where a slope cannot be judged (fewer than three finite values, or one instant).
Leaves to others: which panes, the rate that matters, and how long it must last.
Source: least squares with Student's t; panes are taken as independent, so a band is too narrow
for correlated ones.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from detectors.arrays import Floats

_LEAST = 3
"""Values that leave a degree of freedom for the scatter."""


@dataclass(frozen=True, kw_only=True)
class Slope:
    """Change per unit of time with its two-sided confidence band, and the level at the end."""

    values: int
    per_unit: float
    low: float
    high: float
    level: float


def slope(times: Floats, values: Floats, confidence: float = 0.95) -> Slope | None:
    """The slope of values (n,) over times (n,); not finite values are left out."""
    known = np.isfinite(times) & np.isfinite(values)
    t, y = times[known], values[known]
    n = len(t)
    if n < _LEAST:
        return None
    moved = t - t.mean()
    width = float(moved @ moved)
    if width <= 0:
        return None
    rate = float(moved @ (y - y.mean()) / width)
    rest = y - y.mean() - rate * moved
    error = np.sqrt(float(rest @ rest) / (n - 2) / width)
    reach = float(special.stdtrit(n - 2, (1 + confidence) / 2) * error)
    level = float(y.mean() + rate * moved.max())
    return Slope(values=n, per_unit=rate, low=rate - reach, high=rate + reach, level=level)
