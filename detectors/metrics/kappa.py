"""Cohen's kappa: how far two agree beyond what their habits alone would make them.

Promises: low <= value <= high, within [-1, 1]; no kappa where both only ever say one class, because
chance would make them agree always.
Leaves to others: which rows are pairs (callers).
Sources: Cohen (1960), Educational and Psychological Measurement 20, 37-46; the standard error of
Fleiss, Cohen, Everitt (1969), Psychological Bulletin 72, 323-327, equation 13.
"""

from math import sqrt

import numpy as np
import numpy.typing as npt

from detectors.metrics.interval import Interval, Z, wilson


def kappa(table: npt.NDArray[np.int64]) -> Interval | None:
    """The kappa of counts (k, k), one's class x the other's; None if there is none.

    The limits are the wider ones of two: by the standard error, which is 0 where all agree, and by
    Wilson's limits of the share that agrees, with the chance taken as known.
    """
    rows = int(table.sum())
    if rows == 0:
        return None
    shares = table / rows
    first, second = shares.sum(axis=1), shares.sum(axis=0)
    agreed, chance = float(np.trace(shares)), float(first @ second)
    if np.count_nonzero(table.sum(axis=0) + table.sum(axis=1)) == 1:
        return None
    value = (agreed - chance) / (1 - chance)
    half = Z * sqrt(max(_variance(shares, first, second, agreed, chance) / rows, 0.0))
    share = wilson(agreed * rows, rows)
    assert share is not None, "there are rows"
    low, high = ((one - chance) / (1 - chance) for one in (share.low, share.high))
    low, high = min(low, value - half, value), max(high, value + half, value)
    return Interval(value, max(-1.0, low), min(1.0, high), rows)


def _variance(
    shares: npt.NDArray[np.float64],
    first: npt.NDArray[np.float64],
    second: npt.NDArray[np.float64],
    agreed: float,
    chance: float,
) -> float:
    """Of one row: equation 13, with p_ij in `shares` and its margins in `first` and `second`."""
    margins = second[:, None] + first[None, :]  # p.i + pj.
    weights = margins**2 * (1 - agreed) ** 2
    same = np.diag(margins)
    np.fill_diagonal(weights, ((1 - chance) - same * (1 - agreed)) ** 2)
    middle = agreed * chance - 2 * chance + agreed
    return float(((shares * weights).sum() - middle**2) / (1 - chance) ** 4)
