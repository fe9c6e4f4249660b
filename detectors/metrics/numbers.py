"""Numbers: MAE, RMSE, R2 and bias of numeric predictions, with intervals.

Promises: from the six exact sums of `detectors.regression`; values are in the label's own unit.
Leaves to others: the sums; quantiles of the residual (`residuals`).
Sources: MAE, bias and MAPE are means of rows; MAPE of those whose label is not 0, as a share (.1 is
10 %). RMSE and R2 by the delta method with normal residuals: the
variance of a mean square is 2 sigma^4 / n, so RMSE has the error RMSE / sqrt(2 n), and the ratio
1 - R2 of two mean squares 2 (1 - R2) sqrt((1 - c^2) / n), c being the correlation of residual and
label; c = 0 is careful (Olkin, Finn 1995, Psychological Bulletin 118, 155-164 have least squares,
c^2 = 1 - R2). Both are too narrow for heavy tails.
"""

from math import sqrt

from detectors.arrays import Counts
from detectors.metrics.interval import Interval, around
from detectors.percentage import Percentage
from detectors.regression import Regression


def numbers(block: Regression, counts: Counts, dispersion: float = 1.0) -> dict[str, Interval]:
    """Qualities of the six sums (6,); those that cannot be told are left out."""
    seen, phi = block.read(counts), max(dispersion, 1.0)
    n = seen.rows
    if n <= 0 or seen.mae is None or seen.rmse is None or seen.bias is None:
        return {}
    square = seen.rmse**2
    found = {
        "mae": around(seen.mae, sqrt(phi * max(square - seen.mae**2, 0.0) / n), n, least=0.0),
        "rmse": around(seen.rmse, seen.rmse * sqrt(phi / (2 * n)), n, least=0.0),
        "bias": around(seen.bias, sqrt(phi * max(square - seen.bias**2, 0.0) / n), n),
    }
    if seen.r2 is not None:
        error = 2 * (1 - seen.r2) * sqrt(phi / n)
        found["r2"] = around(seen.r2, error, n, most=1.0)
    return {name: one for name, one in found.items() if one is not None}


def percentage(block: Percentage, counts: Counts, dispersion: float = 1.0) -> dict[str, Interval]:
    """MAPE of the three sums (3,), if a label was not 0."""
    seen = block.read(counts)
    if seen.mean is None or seen.square is None:
        return {}
    error = sqrt(max(dispersion, 1.0) * max(seen.square**2 - seen.mean**2, 0.0) / seen.rows)
    found = around(seen.mean, error, seen.rows, least=0.0)
    return {} if found is None else {"mape": found}
