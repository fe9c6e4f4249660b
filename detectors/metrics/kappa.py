"""Cohen's kappa: how far two agree beyond what their habits alone would make them.

Promises: low <= value <= high, within [-1, 1]; no kappa where both only ever say one class, because
chance would make them agree always.
Leaves to others: which rows are pairs (callers).
Sources: Cohen (1960), Educational and Psychological Measurement 20, 37-46; the standard error of
Fleiss, Cohen, Everitt (1969), Psychological Bulletin 72, 323-327, equation 13.
"""

import numpy as np
import numpy.typing as npt

from detectors.metrics.interval import Interval, wilson


def kappa(table: npt.NDArray[np.int64]) -> Interval | None:
    """The kappa of counts (k, k), one's class x the other's; None if there is none.

    The limits are Wilson's of the share that agrees, of as many rows as give it the standard error
    of kappa; where all agree, or none, that error is 0, and the rows are taken as they are. Of few
    pairs with a rare class they promise too much (a class of 7 %: 76 % of 30 pairs, 90 % of 100).
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
    spread = _variance(shares, first, second, agreed, chance) * (1 - chance) ** 2
    mixed = 0 < np.trace(table) < rows and spread > 0
    worth = rows * agreed * (1 - agreed) / spread if mixed else float(rows)
    share = wilson(agreed * worth, worth)
    assert share is not None, "there are rows"
    low, high = ((one - chance) / (1 - chance) for one in (share.low, share.high))
    return Interval(value, max(-1.0, min(low, value)), min(1.0, max(high, value)), rows)


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
