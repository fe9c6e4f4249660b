"""Joint: rows per pair of cells of two columns.

Confusion matrices, scores by label, calibration and error slices are all joints.
Promises and interface: `summary`.
Leaves to others: what the pairs mean (`metrics`).
"""

from dataclasses import dataclass

from detectors.arrays import Codes, Counts, count_codes
from detectors.grid import Grid


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows per pair of cells: `counts` (rows.width, columns.width)."""

    total: int
    counts: Counts


@dataclass(frozen=True)
class Joint:
    """One integer per pair of cells, row by row."""

    rows: Grid
    columns: Grid

    @property
    def width(self) -> int:
        """Pairs of cells."""
        return self.rows.width * self.columns.width

    def count(
        self, row_codes: Codes, column_codes: Codes, *, groups: Codes, n_groups: int
    ) -> Counts:
        """Rows per group and pair of cells: (n_groups, width)."""
        pairs = row_codes * self.columns.width + column_codes
        return count_codes(pairs, self.width, groups=groups, n_groups=n_groups)

    def read(self, counts: Counts) -> Table:
        """The vector (width,) as a table."""
        table = counts.reshape(self.rows.width, self.columns.width)
        return Table(total=int(counts.sum()), counts=table)
