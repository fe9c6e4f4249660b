"""Lists: NDCG and average precision of rankings, with intervals.

Promises: means over the lists in which anything is relevant, from exact sums.
Leaves to others: the sums, and what is of one list (`detectors.rankings`).
Sources: both are means of rows, with the standard error of a mean.
"""

from math import sqrt

from detectors.arrays import Counts
from detectors.metrics.interval import Interval, around
from detectors.rankings import Ranking


def lists(block: Ranking, counts: Counts, dispersion: float = 1.0) -> dict[str, Interval]:
    """Qualities of the six sums (6,); none while nothing was relevant in any list."""
    seen = block.read(counts)
    means = {"ndcg": seen.ndcg, "average_precision": seen.average_precision}
    found = {}
    for name, told in means.items():
        if told is not None:
            mean, spread = told
            error = spread * sqrt(max(dispersion, 1.0) / seen.relevant)
            found[name] = around(mean, error, seen.relevant, least=0.0, most=1.0)
    return {name: one for name, one in found.items() if one is not None}
