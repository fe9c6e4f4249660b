"""Products: sums of scores and of their products, two by two, of columns that are watched together.

One integer for the rows, one for each column, one for each pair of columns (a column with itself
too). Scores are whole steps, `STEPS` to a unit and at most `LARGEST` in size, so every sum is exact
in floats and in int64 alike (2**37 rows), whatever the order. Only complete rows are counted.

Promises and interface: `summary`. Leaves to others: what a score is (`schemas.grid`), what the
sums mean (`components`).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from detectors.arrays import Codes, Counts, Floats

STEPS: Final = 2**10
"""Steps per unit."""

LARGEST: Final = 2**13
"""Largest size of a score, in steps: eight units."""

_EXACT_ROWS: Final = 2**53 // LARGEST**2
"""So many products add up exactly in floats."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """Complete rows, their mean scores (k,) and mean products (k, k), in units; rows > 0."""

    rows: int
    means: Floats
    products: Floats


@dataclass(frozen=True)
class Products:
    """A block of `columns` columns."""

    columns: int

    @property
    def width(self) -> int:
        """Rows, sums, and sums of products."""
        k = self.columns
        return 1 + k + k * (k + 1) // 2

    def count(self, scores: Floats, *, groups: Codes, n_groups: int) -> Counts:
        """Exact sums of whole scores (n, k) per group: (n_groups, width); a row with a NaN is none.

        `scores` are steps, each at most `LARGEST` in size.
        """
        whole = ~np.isnan(scores).any(axis=1)
        scores, groups = scores[whole], groups[whole]
        upper = np.triu_indices(self.columns)
        out = np.zeros((n_groups, self.width), np.int64)
        for group in np.unique(groups).tolist():
            own = scores[groups == group] if n_groups > 1 else scores
            for begin in range(0, len(own), _EXACT_ROWS):
                some = own[begin : begin + _EXACT_ROWS]
                out[group, 0] += len(some)
                out[group, 1 : 1 + self.columns] += some.sum(axis=0).astype(np.int64)
                out[group, 1 + self.columns :] += (some.T @ some)[upper].astype(np.int64)
        return out

    def read(self, counts: Counts) -> Sums | None:
        """The means of a vector (width,); None without a row."""
        rows, k = int(counts[0]), self.columns
        if rows <= 0:
            return None
        products = np.zeros((k, k))
        products[np.triu_indices(k)] = counts[1 + k :] / rows / STEPS**2
        products += np.triu(products, 1).T
        return Sums(rows=rows, means=counts[1 : 1 + k] / rows / STEPS, products=products)
