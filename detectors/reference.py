"""What is normal for one signal: shares per cell, how many rows say so, how bursty they are.

Promises: shares sum to 1; dispersion is at least 1 and finite, also for cells too rare to judge.
A share of 0 is normal for unseen, missing and for categories that have gone.
Leaves to others: which panes belong to a reference.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from detectors.arrays import Codes, Counts, Floats
from detectors.merging import quantile_groups

SignalKind = Literal["numeric", "categorical", "binary"]
"""Layout of the cells: `NumericGrid`, `CategoryGrid`, or [no, yes]."""

SHAPE_GROUPS = 8
"""Merged cells whose shares are watched beside mean and spread of a numeric signal."""

_JUDGED = 20
"""Rows over all panes below which a cell's own dispersion is noise."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SignalReference:
    """Rows per cell `counts` (width,), `rows` behind them, `dispersion` (width,) per cell.

    `patterns` are the dispersions of a numeric signal's mean, spread and merged cells; without
    them the largest that its cells suggest is used. `dispersion` 1 is an assumption.
    """

    kind: SignalKind
    counts: Counts
    rows: int
    dispersion: Floats
    patterns: Floats | None = None

    @property
    def width(self) -> int:
        """Cells."""
        return len(self.counts)

    @cached_property
    def shares(self) -> Floats:
        """Expected share of every cell (width,); zeros without rows."""
        total = float(self.counts.sum())
        if total <= 0:
            return np.zeros(self.width)
        if self.kind != "numeric":
            return self.counts / total
        missing = self.counts[-1] / total
        return np.append(self.present * (1 - missing), missing)

    @cached_property
    def present(self) -> Floats:
        """Expected shares of a numeric signal's cells among rows with a value (width - 1,).

        Between order statistics of ranks r and s of m values lies (s - r) / (m + 1) of the law,
        beyond the extremes 1 / (m + 1) each. An empty inner cell counts as half a row.
        """
        n = self.counts[:-1].astype(float)
        n[1:-1] = np.maximum(n[1:-1], 0.5)
        if self.counts[-2] == 0 and n[-2] > 1:
            n[-2] -= 1  # the largest value is itself the border
        n[[0, -1]] = np.maximum(n[[0, -1]], 1.0)
        return np.asarray(n / n.sum())

    @cached_property
    def borders(self) -> Floats:
        """Normal scores of the borders of a numeric signal's cells, -inf to inf (width,)."""
        from scipy import special  # noqa: PLC0415 - 28 MB that a profiler never needs

        return np.asarray(special.ndtri(np.append(0.0, np.minimum(np.cumsum(self.present), 1.0))))

    @cached_property
    def scores(self) -> Floats:
        """Normal score that stands for each of a numeric signal's cells (width - 1,): its mean."""
        density = np.exp(-(self.borders**2) / 2) / np.sqrt(2 * np.pi)
        return np.asarray(-np.diff(density) / self.present)

    @cached_property
    def groups(self) -> Codes:
        """Merged cell of each of a numeric signal's cells (width - 1,), outer ones included."""
        inner = quantile_groups(self.present[1:-1], SHAPE_GROUPS)
        return np.concatenate([inner[:1], inner, inner[-1:]])

    @cached_property
    def pattern_dispersion(self) -> Floats:
        """Dispersions of mean, spread and every merged cell of a numeric signal."""
        if self.patterns is not None:
            return self.patterns
        return np.full(3 + int(self.groups[-1]), self.dispersion[:-1].max())

    @cached_property
    def stretches(self) -> tuple[Codes, Codes, Floats]:
        """First cell, last cell and dispersion (k,) of the shares that are watched.

        Every cell, but numeric ones merged, apart from below, above and missing.
        """
        if self.kind != "numeric":
            cells = np.arange(self.width)
            return cells, cells, self.dispersion
        outer = np.array([0, self.width - 2, self.width - 1])
        if self.counts[:-1].sum() == 0:
            return outer, outer, self.dispersion[outer]
        inner = self.groups[1:-1]
        opened = np.flatnonzero(np.diff(inner, prepend=-1)) + 1
        closed = np.append(opened[1:], self.width - 2) - 1
        phi = np.append(self.dispersion[outer], self.pattern_dispersion[2:])
        return np.append(outer, opened), np.append(outer, closed), phi


def reference_of(kind: SignalKind, pane_counts: Counts) -> SignalReference:
    """A reference from the counts of its panes (panes, width)."""
    counts = pane_counts.sum(axis=0)
    plain = SignalReference(
        kind=kind, counts=counts, rows=int(counts.sum()), dispersion=dispersion(pane_counts)
    )
    if kind != "numeric" or counts[:-1].sum() == 0:
        return plain
    return SignalReference(
        kind=kind,
        counts=counts,
        rows=plain.rows,
        dispersion=plain.dispersion,
        patterns=_patterns(plain, pane_counts[:, :-1].astype(float)),
    )


def dispersion(pane_counts: Counts) -> Floats:
    """Per cell, pane variance over that of independent rows (width,), at least 1.

    sum over panes of (count - n p)^2 against sum of n p (1 - p), with one degree of freedom for
    p. A cell with too few rows takes the mean of the others, weighted by rows; 1 if there is
    none, or fewer than two panes.
    """
    counts = pane_counts[pane_counts.sum(axis=1) > 0].astype(float)
    total = counts.sum(axis=0)
    if len(counts) < 2:  # noqa: PLR2004 - one pane has no variance
        return np.ones(pane_counts.shape[1])
    p = total / total.sum()
    rows = counts.sum(axis=1)
    judged = (total >= _JUDGED) & (p < 1)
    excess = ((counts - np.outer(rows, p)) ** 2).sum(axis=0) * len(counts) / (len(counts) - 1)
    own = excess / np.where(judged, total * (1 - p), 1.0)
    if not judged.any():
        return np.ones(len(p))
    usual = np.average(own[judged], weights=total[judged])
    return np.asarray(np.maximum(np.where(judged, own, usual), 1.0))


def _patterns(reference: SignalReference, counts: Floats) -> Floats:
    """Dispersion of pane sums of normal scores, their squares, and merged cells."""
    counts = counts[counts.sum(axis=1) > 0]
    z, groups = reference.scores, reference.groups
    shape = (groups[:, None] == np.arange(groups[-1] + 1)).astype(float)
    loads = np.column_stack([z, z**2, shape])
    if len(counts) < 2:  # noqa: PLR2004 - one pane has no variance
        return np.ones(loads.shape[1])
    p = counts.sum(axis=0) / counts.sum()
    mean = p @ loads
    variance = p @ loads**2 - mean**2
    sums = counts @ loads - np.outer(counts.sum(axis=1), mean)
    own = (sums**2).sum(axis=0) * len(counts) / (len(counts) - 1)
    return np.asarray(np.maximum(own / np.maximum(variance * counts.sum(), 1e-9), 1.0))
