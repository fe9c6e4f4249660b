"""Numbers: MAE, RMSE, R2 and bias of numeric predictions, with intervals.

Promises: from the six exact sums of `detectors.regression`; values are in the label's own unit.
Leaves to others: the sums; quantiles of the residual (`residuals`). MAPE is not counted: a mean of
ratios does not follow from these sums, and it has no value where a label is 0.
Sources: MAE and bias are means of rows. RMSE and R2 by the delta method with normal residuals: the
variance of a mean square is 2 sigma^4 / n, so RMSE has the error RMSE / sqrt(2 n), and the ratio
1 - R2 of two mean squares 2 (1 - R2) sqrt((1 - c^2) / n), c being the correlation of residual and
label; c = 0 is careful (Olkin, Finn 1995, Psychological Bulletin 118, 155-164 have least squares,
c^2 = 1 - R2). Both are too narrow for heavy tails.
"""

from math import sqrt

from detectors.arrays import Counts
from detectors.metrics.interval import Interval, around
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
