"""Ranking: how well scores order the two classes, AUC and Gini, with intervals.

Promises: exact for the cells: a tie within a cell counts as half, so the AUC is that of scores
rounded to their cells.
Leaves to others: which cells rise (callers sort by the cells' scores).
Sources: DeLong, DeLong, Clarke-Pearson (1988), Biometrics 44, 837-845: the variance from each
row's own share of pairs won. Hanley, McNeil (1982), Radiology 143, 29-36, stands in where a class
has one row only. Gini = 2 AUC - 1.
"""

import numpy as np

from detectors.arrays import Counts, Floats
from detectors.metrics.interval import Interval, around


def auc(negative: Counts, positive: Counts, dispersion: float = 1.0) -> Interval | None:
    """AUC from rows per cell (width,) of either class, cells rising; None without both."""
    x, y = negative.astype(float), positive.astype(float)
    n0, n1 = float(x.sum()), float(y.sum())
    if n0 <= 0 or n1 <= 0:
        return None
    beaten = (np.cumsum(x) - x / 2) / n0
    beats = (n1 - np.cumsum(y) + y / 2) / n1
    value = float(y @ beaten) / n1
    if n0 > 1 and n1 > 1:
        variance = _variance(beaten, y, value) / n1 + _variance(beats, x, value) / n0
    else:
        q1, q2 = value / (2 - value), 2 * value**2 / (1 + value)
        spread = (n1 - 1) * (q1 - value**2) + (n0 - 1) * (q2 - value**2)
        variance = (value * (1 - value) + spread) / (n0 * n1)
    error = float(np.sqrt(max(variance, 0.0) * max(dispersion, 1.0)))
    return around(value, error, int(n0 + n1), least=0.0, most=1.0)


def gini(area: Interval) -> Interval:
    """Gini, the same on a scale from 0 (chance) to 1."""
    value, low, high = (2 * a - 1 for a in area[:3])
    return Interval(value, low, high, area.rows)


def _variance(share: Floats, rows: Floats, mean: float) -> float:
    """Sample variance of the rows' shares of pairs won."""
    return float(rows @ (share - mean) ** 2) / (float(rows.sum()) - 1)
