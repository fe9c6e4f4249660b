"""Bins: the cells of many numeric columns at once, without searching for each value.

Promises: the same cells as `NumericGrid.codes` of each column, for every float. A grid has fewer
than 65,536 cells.
Leaves to others: what the cells mean (`grid`), reading the numbers.

A value's bucket is found by arithmetic; buckets ascend with values, so that bounds in a lower
bucket are below the value and bounds in a higher one above. Only those in its own are compared.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.grid import NumericGrid

Floats = npt.NDArray[np.float64]
Cells = npt.NDArray[np.uint16]

_BUCKETS: Final = 2048
_MOST: Final = 4
"""Bounds in one bucket, beyond which a search is as quick."""

_AT_ONCE: Final = 12_000
"""Numbers looked at together: what is computed of them (96 kB a step) stays near the processor."""


class Bins:
    """Cells of matrices (n, columns), a grid a column."""

    def __init__(self, grids: Sequence[NumericGrid]) -> None:
        """Prepare the buckets of each grid; those with crowded bounds are searched instead."""
        self._grids = grids
        self._easy: list[int] = []
        lows, factors, tables, bounds = [], [], [], []
        self._steps = 0
        for i, grid in enumerate(grids):
            low, span = grid.edges[0], grid.edges[-1] - grid.edges[0]
            with np.errstate(all="ignore"):
                factor = np.float64(_BUCKETS) / span if span > 0 else np.inf
            if not (np.isfinite(span) and np.isfinite(factor) and factor > 0):
                continue
            limits = np.array([*grid.edges[:-1], np.nextafter(grid.edges[-1], np.inf)])
            counts = np.bincount(_buckets(limits, low, factor), minlength=_BUCKETS)
            if counts.max() > _MOST:
                continue
            self._steps = max(self._steps, int(counts.max()))
            self._easy.append(i)
            lows.append(low)
            factors.append(factor)
            tables.append(np.concatenate([[0], np.cumsum(counts)[:-1]]))
            bounds.append(limits)
        width = max((len(one) for one in bounds), default=0) + _MOST
        self._lows, self._factors = np.array(lows), np.array(factors)
        begins = np.arange(len(tables)) * width
        below = [table + begin for table, begin in zip(tables, begins, strict=True)]
        self._below = np.concatenate(below) if below else np.zeros(0, np.int64)
        self._bounds = np.full(len(bounds) * width, np.inf)
        for begin, one in zip(begins.tolist(), bounds, strict=True):
            self._bounds[begin : begin + len(one)] = one
        self._begins = begins
        self._missing = np.array([grids[i].width - 1 for i in self._easy])

    def codes(self, numbers: Floats) -> Cells:
        """Cells (n, columns) of numbers (n, columns), a column behind the other; NaN is missing."""
        n, columns = numbers.shape
        out = np.empty((columns, n), np.uint16)
        rows = max(1, _AT_ONCE // max(1, columns))
        for begin in range(0, n, rows):
            part = np.ascontiguousarray(numbers[begin : begin + rows].T)
            self._write(part, out[:, begin : begin + rows])
        return out.T

    def _write(self, part: Floats, out: Cells) -> None:
        """Write the cells of a few numbers (columns, m)."""
        easy = self._easy
        if easy and len(easy) == len(self._grids):
            self._fast(part, out)
            return
        if easy:
            some = np.empty((len(easy), part.shape[1]), np.uint16)
            self._fast(part[easy], some)
            out[easy] = some
        for i in set(range(len(self._grids))) - set(easy):
            out[i] = self._grids[i].codes(part[i])

    def _fast(self, part: Floats, out: Cells) -> None:
        places = _buckets(part, self._lows[:, None], self._factors[:, None])
        places += (np.arange(len(self._easy)) * _BUCKETS)[:, None]
        found = self._below.take(places)
        for _ in range(self._steps):
            found += part >= self._bounds.take(found)
        # Infinity reaches the padding behind the bounds, which are infinite too.
        found -= self._begins[:, None]
        missing = self._missing[:, None]
        np.minimum(found, missing - 1, out=out, casting="unsafe")
        unknown = np.isnan(part)
        if unknown.any():
            np.copyto(out, missing, where=unknown, casting="unsafe")


def _buckets(numbers: Floats, low: Floats | float, factor: Floats | float) -> npt.NDArray[np.int64]:
    """Buckets of numbers, ascending with them; that of NaN is any."""
    with np.errstate(all="ignore"):
        scaled = np.asarray(numbers - low)
        scaled *= factor
    np.fmax(scaled, 0.0, out=scaled)
    np.fmin(scaled, _BUCKETS - 1.0, out=scaled)
    return scaled.astype(np.int64)
