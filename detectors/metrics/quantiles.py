"""Quantiles: order statistics of counted cells, with intervals.

Promises: exact for the value that stands for each cell; the interval needs no law of the values.
Leaves to others: the cells (`detectors.grid`, `detectors.latency`).
Source: Hahn, Meeker (1991), Statistical Intervals, section 5.2: the ranks
n q +- z sqrt(n q (1 - q)) bracket the quantile.
"""

from math import ceil, sqrt

import numpy as np

from detectors.arrays import Counts, Floats
from detectors.metrics.interval import Interval, Z


def quantile(
    counts: Counts, values: Floats, share: float, dispersion: float = 1.0
) -> Interval | None:
    """The value of rank ceil(share n) among rows in cells (width,); None without rows."""
    cumulated = np.cumsum(counts)
    rows = int(cumulated[-1]) if len(cumulated) else 0
    if rows <= 0:
        return None
    spread = Z * sqrt(rows * share * (1 - share) * max(dispersion, 1.0))

    def at(rank: float) -> float:
        place = min(max(ceil(rank), 1), rows)
        return float(values[int(np.searchsorted(cumulated, place))])

    middle = rows * share
    return Interval(at(middle), at(middle - spread), at(middle + spread + 1), rows)
