"""Histogram: how many rows fell into each cell of a grid.

Promises and interface: `summary`.
Leaves to others: coding values into cells (`grid`), comparing histograms (`distances`).
"""

from dataclasses import dataclass

from detectors.arrays import Codes, Counts, count_codes
from detectors.grid import Grid


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Rows per cell as shares of all rows; `shares` is None without rows."""

    rows: int
    missing_ratio: float | None
    shares: tuple[float, ...] | None


@dataclass(frozen=True)
class Histogram:
    """One integer per cell of `grid`."""

    grid: Grid

    @property
    def width(self) -> int:
        """Cells of the grid."""
        return self.grid.width

    def count(self, codes: Codes, *, groups: Codes, n_groups: int) -> Counts:
        """Rows per group and cell: (n_groups, width)."""
        return count_codes(codes, self.width, groups=groups, n_groups=n_groups)

    def read(self, counts: Counts) -> Shares:
        """Shares of a vector (width,); the last cell is missing."""
        rows = int(counts.sum())
        if rows <= 0:
            return Shares(rows=0, missing_ratio=None, shares=None)
        shares = tuple((counts / rows).tolist())
        return Shares(rows=rows, missing_ratio=shares[-1], shares=shares)
