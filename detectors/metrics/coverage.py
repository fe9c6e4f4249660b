"""Coverage: whether those that got a label are like those that did not, and what follows.

Promises: strata with few predictions are left out of the comparison, never out of the sums.
Leaves to others: what the strata are (predicted classes, bins of the score).
Source: Horvitz, Thompson (1952), JASA 47, 663-685: weighting by the inverse of the share observed
makes up for labels that are missing at random within a stratum.
"""

from typing import Final, NamedTuple

import numpy as np
from scipy import special

from detectors.arrays import Counts
from detectors.metrics.interval import Interval, around

JUDGED: Final = 50
"""Predictions from which a stratum's coverage is compared."""

BIASED: Final = 0.2
"""A gap between strata that is called biased, in points of coverage."""

SURE: Final = 0.001
"""P-value from which a gap is not chance."""


class Gap(NamedTuple):
    """The largest difference of coverage between strata, and how likely chance makes one."""

    size: float
    p_value: float
    rows: int

    @property
    def biased(self) -> bool:
        """Whether labels come for some strata and not for others."""
        return self.size > BIASED and self.p_value < SURE


def gap(asked: Counts, labelled: Counts) -> Gap | None:
    """The gap between strata (k,); None where fewer than two can be judged."""
    use = asked >= JUDGED
    if use.sum() < 2:  # noqa: PLR2004 - a comparison
        return None
    n, k = asked[use].astype(float), np.minimum(labelled[use], asked[use]).astype(float)
    share, overall = k / n, k.sum() / n.sum()
    spread = overall * (1 - overall)
    chi2 = float((n * (share - overall) ** 2).sum() / spread) if spread > 0 else 0.0
    p_value = float(special.chdtrc(len(n) - 1, chi2))
    return Gap(float(share.max() - share.min()), p_value, int(n.sum()))


def reweighted(
    asked: Counts, labelled: Counts, right: Counts, dispersion: float = 1.0
) -> Interval | None:
    """The share of right predictions as if all strata (k,) were labelled alike.

    Strata without labels are left out of both sides. None without labels.
    """
    use = (labelled > 0) & (asked > 0)
    if not use.any():
        return None
    weight = asked[use] / asked[use].sum()
    n, k = labelled[use].astype(float), right[use].astype(float)
    # One row of each side keeps the error of a stratum with few labels from being nothing.
    guess = (k + 1) / (n + 2)
    error = np.sqrt(max(dispersion, 1.0) * float(weight**2 @ (guess * (1 - guess) / n)))
    return around(float(weight @ (k / n)), float(error), int(n.sum()), least=0.0, most=1.0)
