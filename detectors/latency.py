"""Latency: quantiles of a positive quantity with a bounded relative error.

Promises and interface: `summary`; a quantile inside the range is within `relative_error` of an
order statistic.
Leaves to others: what is slow.
Source: Masson, Rim, Lee (2019), DDSketch, VLDB 12(12): cells that grow by (1 + e) / (1 - e).
"""

from dataclasses import dataclass
from functools import cached_property
from math import ceil, log

import numpy as np

from detectors.arrays import Codes, Counts, Floats, count_codes


@dataclass(frozen=True, kw_only=True)
class LatencyQuantiles:
    """Quantiles in milliseconds, None without rows."""

    rows: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True)
class Latency:
    """Cells [up to low, growing cells, beyond high]; NaN is not counted.

    Raises ValueError unless 0 < low < high and 0 < relative_error < 1.
    """

    low_ms: float = 0.1
    high_ms: float = 1e6
    relative_error: float = 0.05

    def __post_init__(self) -> None:
        if not (0 < self.low_ms < self.high_ms and 0 < self.relative_error < 1):
            raise ValueError("need 0 < low < high and 0 < relative_error < 1")

    @cached_property
    def _edges(self) -> Floats:
        growth = (1 + self.relative_error) / (1 - self.relative_error)
        cells = ceil(log(self.high_ms / self.low_ms) / log(growth))
        return self.low_ms * growth ** np.arange(cells + 1.0)

    @property
    def width(self) -> int:
        """Cells, with the two outer ones."""
        return len(self._edges) + 1

    @cached_property
    def values(self) -> Floats:
        """The latency in milliseconds that stands for each cell (width,)."""
        low, high = self._edges[:-1], self._edges[1:]
        middle = 2 * low * high / (low + high)  # equal relative distance to both edges
        return np.concatenate([self._edges[:1], middle, self._edges[-1:]])

    def count(self, latency_ms: Floats, *, groups: Codes, n_groups: int) -> Counts:
        """Rows per group and cell: (n_groups, width)."""
        known = ~np.isnan(latency_ms)
        codes = np.searchsorted(self._edges, latency_ms[known], side="left")
        return count_codes(codes, self.width, groups=groups[known], n_groups=n_groups)

    def read(self, counts: Counts) -> LatencyQuantiles:
        """Quantiles by order statistic: of n rows the one of rank ceil(q n)."""
        cumulated = np.cumsum(counts)
        rows = int(cumulated[-1])
        if rows <= 0:
            return LatencyQuantiles(rows=0, p50_ms=None, p95_ms=None, p99_ms=None)

        def at(percent: int) -> float:
            rank = -(-rows * percent // 100)
            return float(self.values[np.searchsorted(cumulated, rank)])

        return LatencyQuantiles(rows=rows, p50_ms=at(50), p95_ms=at(95), p99_ms=at(99))
