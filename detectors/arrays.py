"""Names for the arrays that travel between the files of this room, and exact sums per group.

Promises: sums are integers and exact, so they do not depend on order or chunking.
Leaves to others: the choice of scale when a measured quantity becomes an integer.
"""

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
"""Numbers of rows per cell; the last axis is the cells."""

Codes = npt.NDArray[np.intp]
"""One index per row: of a cell, or of a group of rows."""

Floats = npt.NDArray[np.float64]

_EXACT = 2**53
"""Integers up to here survive a float64."""


def count_codes(codes: Codes, width: int, *, groups: Codes, n_groups: int) -> Counts:
    """Count `codes` (n,), each in 0..width-1, per group (n,): (n_groups, width)."""
    flat = np.bincount(groups * width + codes, minlength=n_groups * width)
    return flat.astype(np.int64, copy=False).reshape(n_groups, width)


def sum_integers(values: Floats, largest: int, *, groups: Codes, n_groups: int) -> Counts:
    """Sum whole numbers held as floats (n,), |value| <= largest, per group: (n_groups,).

    `bincount` adds floats; taking few enough rows at a time keeps every partial sum below 2**53,
    where float addition of whole numbers is exact.
    """
    step = max(1, _EXACT // largest)
    total = np.zeros(n_groups, np.int64)
    for start in range(0, len(values), step):
        part = slice(start, start + step)
        total += np.bincount(groups[part], values[part], n_groups).astype(np.int64)
    return total
