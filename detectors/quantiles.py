"""Quantiles of a numeric column from the counts of its cells.

Promises: a quantile is the value of the cell that holds the order statistic of rank ceil(q n), so
it is off by half a cell at most; nothing where there are no values.
Leaves to others: the cells (`grid`).
"""

from collections.abc import Sequence

import numpy as np

from detectors.arrays import Counts
from detectors.grid import NumericGrid


def quantiles(grid: NumericGrid, counts: Counts, percents: Sequence[int]) -> tuple[float, ...]:
    """Values at whole percents of counts (width,); empty without values.

    Values beyond the grid count as its outermost edges.
    """
    cumulated = np.cumsum(counts[:-1])
    rows = int(cumulated[-1])
    if rows <= 0:
        return ()
    ranks = [max(1, -(-rows * percent // 100)) for percent in percents]
    return tuple(float(grid.values[at]) for at in np.searchsorted(cumulated, ranks))


def extremes(grid: NumericGrid, counts: Counts) -> tuple[float | None, float | None]:
    """The cells' bounds around all values: None on a side where values lie beyond the grid."""
    inner = np.flatnonzero(counts[1:-2])
    if not len(inner):
        return None, None
    low = None if counts[0] else grid.edges[int(inner[0])]
    high = None if counts[-2] else grid.edges[int(inner[-1]) + 1]
    return low, high
