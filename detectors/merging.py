"""Merging cells until there are enough rows in each for a law to hold.

Promises: merging only adds cells; which cells are merged follows from the counts alone.
Leaves to others: what is computed from the merged cells (`distances`, `alternatives`).
"""

import numpy as np

from detectors.arrays import Codes, Floats

ENOUGH = 10
"""Rows expected in a cell below which chi-square laws are off (usual rule: 5 to 10)."""


def quantile_groups(weights: Floats, groups: int) -> Codes:
    """Neighbouring cells (k,) put into at most `groups` groups of about equal weight: (k,).

    Groups are numbered from 0 without gaps; with no weight at all there is one group.
    """
    total = weights.sum()
    if total <= 0:
        return np.zeros(len(weights), np.intp)
    middle = (np.cumsum(weights) - weights / 2) / total
    group = np.minimum((middle * groups).astype(np.intp), groups - 1)
    opened = np.diff(group, prepend=group[:1]) > 0
    return np.cumsum(opened).astype(np.intp)


def gather(cells: Floats, groups: Codes) -> Floats:
    """Sums of cells (k,) by group (k,): (largest group + 1,)."""
    return np.bincount(groups, cells).astype(np.float64, copy=False)


def ordered_groups(current: Floats, reference: Floats, groups: int) -> Codes:
    """Groups for the cells [below, c1..cB, above] (k,) of a numeric signal: (k,).

    About `groups` groups of equal reference weight. Below and above join their neighbours unless
    they hold enough rows: rows that leave the range must not hide in the outermost group.
    """
    inner = quantile_groups(reference[1:-1], groups) + 1
    group = np.concatenate([[0], inner, [inner[-1] + 1]])
    if not enough(current, reference, 0):
        group = np.maximum(group - 1, 0)
    if not enough(current, reference, len(group) - 1):
        group[-1] = group[-2]
    return group


def enough(current: Floats, reference: Floats, cell: int) -> bool:
    """Whether one cell can stand alone: enough rows expected, or seen, in the smaller sample."""
    return enough_rows(
        float(current[cell]), float(reference[cell]), float(current.sum()), float(reference.sum())
    )


def enough_rows(current: float, reference: float, n: float, m: float) -> bool:
    """The same of a cell with so many rows on either side, of `n` and `m` in all."""
    if n + m <= 0:
        return False
    seen = current if n <= m else reference
    return max(seen, min(n, m) * (current + reference) / (n + m)) >= ENOUGH


def category_groups(expected: Floats) -> Codes:
    """Groups for categories (k,) so that each expects enough rows: (k,).

    The rarest categories become one group, which takes in the next rarest until it is large
    enough too; every other category stays alone.
    """
    order = np.argsort(expected, kind="stable")
    cumulated = np.cumsum(expected[order])
    rare = int((expected < ENOUGH).sum())
    if rare:
        rare = max(rare, int(np.searchsorted(cumulated, ENOUGH)) + 1)
    group = np.empty(len(expected), np.intp)
    group[order[:rare]] = 0
    group[order[rare:]] = np.arange(len(expected) - min(rare, len(expected))) + (rare > 0)
    return group
