"""Components: what is normal of columns together, and how far a pane is from it.

Of the reference's blocks (panes, or neighbouring panes added up) every other one gives the
correlation and its principal components, the first of them that explain `KEPT` of the variance;
the others say how large everything is there. So nothing is measured on the rows it was chosen on.

A pane is described by features, each with mean 0 and a row's variance 1 where rows are normal:

- means of the components, d'y / sqrt(v), and T2 = n times their squares (Hotelling 1931), also of
  those that are not kept, unless they hardly vary: of a shift against what columns do together the
  error would see the square alone;
- spreads of the kept components, ((d'y)^2 / v - 1) / sqrt 2;
- the reconstruction error, the squares outside the kept components (Jackson, Mudholkar 1979);
- of each pair of columns its influence on the correlation r, (ab - r (a^2 + b^2) / 2) / (1 - r^2),
  which does not move with the columns' own spreads.

Promises: a function of exact sums; finite; where columns are constant they are left out of all.
Leaves to others: sums (`products`), evidence (`together`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from detectors.arrays import Codes, Counts, Floats
from detectors.persistence import PROVEN, persistence
from detectors.products import Products, Sums

KEPT: Final = 0.95
"""Share of the variance that the kept components explain."""

LEAST_BLOCKS: Final = 30
"""Blocks of a reference at least, so that their spread is known."""

ROWS_A_COLUMN: Final = 20
"""Complete rows of a reference at least, for each column."""

_CAREFUL: Final = 1.28
_TAILED: Final = 2.58
"""Standard errors by which a spread may be larger than it was measured; that of squares, which have
heavy tails where columns are extreme together, further: a reference without a row of the tail has
too small a mean and too small a spread at once."""

_COLLINEAR: Final = 0.02
"""Least 1 - r^2 of a pair: closer columns are taken for no closer."""

_SEEN: Final = 0.01
"""Variance from which a component's mean is looked at, of 1 that each column has."""

_CONSTANT: Final = 1e-6
"""Variance of scores (units squared) below which a column says nothing."""


@dataclass(frozen=True, kw_only=True)
class Standard:
    """A reference: plain numbers, so that it can be written down.

    `columns` are those that vary. `means`, `spreads`: scores of these (k,). `correlation` (k, k),
    row by row. `directions` (s, k) of components, `variances` (s,) along them; the first `kept`
    (c) explain most. `error`: the mean square outside those, `outside` its parts (k - c,).
    `dispersion` (f,): of each feature, the variance of block means over that of independent normal
    rows, at least 1. `rows` in all blocks, `honest` in those that measure.
    """

    width: int
    columns: tuple[int, ...]
    rows: int
    honest: int
    means: tuple[float, ...]
    spreads: tuple[float, ...]
    correlation: tuple[float, ...]
    directions: tuple[float, ...]
    variances: tuple[float, ...]
    kept: int
    error: float
    outside: tuple[float, ...]
    dispersion: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A pane beside the reference: the `features` (f,), and what people read.

    `shifts` (k,) of the columns' means in standard deviations, `correlation` (k, k) of the rows.
    """

    rows: int
    features: Floats
    shifts: Floats
    correlation: Floats
    error_ratio: float


class Components:
    """A reference ready to look at panes."""

    def __init__(self, standard: Standard) -> None:
        """Of plain numbers."""
        self.standard = standard
        self.columns: Codes = np.array(standard.columns, np.intp)
        k, self.seen = len(self.columns), len(standard.variances)
        self.kept, self.pairs = standard.kept, np.triu_indices(k, 1)
        self._means, self._spreads = np.array(standard.means), np.array(standard.spreads)
        self.correlation = np.array(standard.correlation).reshape(k, k)
        self._directions = np.array(standard.directions).reshape(self.seen, k)
        self._variances = np.array(standard.variances)
        self._own = self.correlation[self.pairs]
        self._unit = np.maximum(1 - self._own**2, _COLLINEAR)
        self.dispersion = np.array(standard.dispersion)
        self._block = Products(standard.width)

    @cached_property
    def outside(self) -> Floats:
        """Parts of the reconstruction error in units of its row's standard deviation (k - c,)."""
        parts = np.array(self.standard.outside)
        return np.asarray(parts / np.sqrt(2 * (parts**2).sum()))

    @property
    def spans(self) -> tuple[slice, slice, slice, slice]:
        """Where means, spreads, the error and the pairs lie among the features."""
        ends = np.cumsum([self.seen, self.kept, 1]).tolist()
        first, second, third = ends
        return slice(0, first), slice(first, second), slice(second, third), slice(third, None)

    def view(self, counts: Counts) -> View | None:
        """A vector of sums (width,); None without a complete row."""
        sums = self._block.read(counts)
        return None if sums is None else self._view(sums)

    def _view(self, sums: Sums) -> View:
        y, second = _standardised(sums, self.columns, self._means, self._spreads)
        kept, variances = self._directions[: self.kept], self._variances[: self.kept]
        along = np.einsum("ij,jk,ik->i", kept, second, kept)
        error = max(float(np.trace(second) - along.sum()), 0.0)
        own = np.diag(second)
        a, b = self.pairs
        pairs = (second[a, b] - self._own * (own[a] + own[b]) / 2) / self._unit
        unit = np.sqrt(2 * (np.array(self.standard.outside) ** 2).sum())
        covariance = second - np.outer(y, y)
        around = np.sqrt(np.maximum(np.diag(covariance), _CONSTANT))
        return View(
            rows=sums.rows,
            features=np.concatenate(
                [
                    self._directions @ y / np.sqrt(self._variances),
                    (along / variances - 1) / np.sqrt(2),
                    [(error - self.standard.error) / unit],
                    pairs,
                ]
            ),
            shifts=y,
            correlation=np.clip(covariance / np.outer(around, around), -1.0, 1.0),
            error_ratio=error / max(self.standard.error, _CONSTANT),
        )


def components_of(blocks: Sequence[Counts], columns: int) -> Standard | None:
    """The reference of blocks of sums in the order of time; None where they are too few.

    `columns` are those that the sums have; those that do not vary are left out.
    """
    read = Products(columns)
    blocks = [one for one in blocks if one[0] > 0]
    if len(blocks) < LEAST_BLOCKS:
        return None
    together = read.read(np.sum(blocks, axis=0))
    if together is None or together.rows < ROWS_A_COLUMN * columns:
        return None
    variance = np.diag(together.products) - together.means**2
    varying: Codes = np.flatnonzero(variance > _CONSTANT)
    if len(varying) < 2:  # noqa: PLR2004 - together means two
        return None
    means, spreads = together.means[varying], np.sqrt(variance[varying])
    half = [read.read(np.sum(blocks[first::2], axis=0)) for first in (0, 1)]
    seconds = [_standardised(one, varying, means, spreads)[1] for one in half if one is not None]
    chosen, honest = seconds
    size, axes = np.linalg.eigh(chosen)
    size, axes = np.maximum(size[::-1], 0.0), axes[:, ::-1].T
    share = np.cumsum(size) / size.sum()
    kept = min(int(np.searchsorted(share, KEPT)) + 1, len(varying) - 1)
    along = np.maximum(np.einsum("ij,jk,ik->i", axes, honest, axes), _CONSTANT)
    whole = _standardised(together, varying, means, spreads)[1]
    seen = kept + int((along[kept:] >= _SEEN).sum())
    order = np.concatenate([np.arange(kept), kept + np.argsort(-along[kept:], kind="stable")])
    axes, along = axes[order], along[order]
    first = Standard(
        width=columns,
        columns=tuple(varying.tolist()),
        rows=together.rows,
        honest=half[1].rows if half[1] is not None else 0,
        means=tuple(means.tolist()),
        spreads=tuple(spreads.tolist()),
        correlation=tuple(whole.ravel().tolist()),
        directions=tuple(axes[:seen].ravel().tolist()),
        variances=tuple(along[:seen].tolist()),
        kept=kept,
        error=max(float(np.trace(honest) - (axes[:kept] @ honest @ axes[:kept].T).trace()), 0.0),
        outside=tuple(along[kept:].tolist()),
        dispersion=(),
    )
    return _dispersed(first, blocks)


def _dispersed(first: Standard, blocks: Sequence[Counts]) -> Standard:
    """With the spread of the blocks; that of what was chosen on half of them is the others'."""
    looks = Components(first)
    views = [view for one in blocks if (view := looks.view(one)) is not None]
    found, rows = np.array([one.features for one in views]), np.array([one.rows for one in views])
    means, spreads, error, _ = looks.spans
    chosen = np.zeros(found.shape[1], bool)
    for span in (means, spreads, error):
        chosen[span] = True
    own = np.where(chosen, _spread(found[1::2], rows[1::2]), _spread(found, rows))
    squares = slice(spreads.start, error.stop)
    own[squares] = _spread(found[1::2, squares], rows[1::2], _TAILED)
    center = rows @ found / rows.sum()
    lasting = persistence((found - center) * rows[:, None], PROVEN)
    dispersion = np.maximum(own, 1.0) * lasting
    return Standard(**{**first.__dict__, "dispersion": tuple(dispersion.tolist())})


def _spread(found: Floats, rows: Floats, careful: float = _CAREFUL) -> Floats:
    """Variance of block means times their rows (f,), carefully."""
    free = len(found) - 1
    center = rows @ found / rows.sum()
    measured = (rows[:, None] * (found - center) ** 2).sum(axis=0) / free
    return np.asarray(measured * (1 + careful * np.sqrt(2 / free)))


def _standardised(
    sums: Sums, columns: Codes, means: Floats, spreads: Floats
) -> tuple[Floats, Floats]:
    """Mean and second moments about the reference's mean of standardised columns."""
    own = sums.means[columns]
    y = (own - means) / spreads
    raw = sums.products[np.ix_(columns, columns)]
    second = raw - np.outer(own, means) - np.outer(means, own) + np.outer(means, means)
    return y, second / np.outer(spreads, spreads)
