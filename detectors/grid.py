"""Grids: how a column of values becomes cells that can be counted.

Promises: a grid is frozen and hashable; codes depend on the order of values only, so they are the
same after x -> a x + b (a > 0) on a grid rebuilt from the transformed values; every value has a
cell, also one the reference never saw.
Leaves to others: what is counted in the cells, and what is normal there (`reference`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from detectors.arrays import Codes, Floats

MAX_CELLS = 64
"""Quantile cells of a numeric grid (quality targets were measured with 64)."""


@dataclass(frozen=True)
class NumericGrid:
    """Cells [below, c1..cB, above, missing] between ascending edges e0..eB.

    Cell i is [e(i-1), e(i)), the last one includes its upper edge. The last edge may stand twice:
    then the last cell holds exactly that value. Raises ValueError for edges that do not ascend.
    """

    edges: tuple[float, ...]

    def __post_init__(self) -> None:
        e = np.asarray(self.edges, float)
        if len(e) < 2 or not np.isfinite(e).all():  # noqa: PLR2004 - one cell has two edges
            raise ValueError("a numeric grid needs at least two finite edges")
        if (np.diff(e[:-1]) <= 0).any() or e[-1] < e[-2]:
            raise ValueError("the edges of a numeric grid must ascend")

    @property
    def width(self) -> int:
        """Cells, with below, above and missing."""
        return len(self.edges) + 2

    @cached_property
    def _bounds(self) -> Floats:
        # A single search does everything: the last bound opens "above", and NaN sorts after all.
        top = np.nextafter(self.edges[-1], np.inf)
        return np.array([*self.edges[:-1], top, np.nan])

    def codes(self, column: Floats) -> Codes:
        """Cell of every value (n,); NaN is missing. Infinities are below or above."""
        return np.searchsorted(self._bounds, column, side="right")

    @cached_property
    def values(self) -> Floats:
        """A value that stands for each cell (width,): its middle, the outermost edges, NaN."""
        e = np.array(self.edges)
        middle = e[:-1] + np.diff(e) / 2
        if self._whole:  # cells of whole numbers hold [a, b) = a..b-1
            middle[:-1] = (e[:-2] + e[1:-1] - 1) / 2
        return np.concatenate([e[:1], middle, e[-1:], [np.nan]])

    @cached_property
    def _whole(self) -> bool:
        return all(edge == round(edge) for edge in self.edges)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What to call each cell (width,): "46 to 52", "17", "below 3", "missing"."""
        cells = []
        last = len(self.edges) - 2
        for i, (low, high) in enumerate(zip(self.edges, self.edges[1:], strict=False)):
            top = high - 1 if self._whole and i < last else high
            cells.append(_plain(low) if low == top else f"{_plain(low)} to {_plain(top)}")
        below, above = f"below {_plain(self.edges[0])}", f"above {_plain(self.edges[-1])}"
        return (below, *cells, above, "missing")


class _Index(dict[str | None, int]):
    """Cell of a category; one that is not there is unseen."""

    unseen: int

    def __missing__(self, key: str | None) -> int:
        return self.unseen


@dataclass(frozen=True)
class CategoryGrid:
    """Cells [categories..., unseen, missing]. Raises ValueError for a category named twice."""

    categories: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.categories)) < len(self.categories):
            raise ValueError("a category grid names a category twice")

    @property
    def width(self) -> int:
        """Cells, with unseen and missing."""
        return len(self.categories) + 2

    @cached_property
    def _index(self) -> _Index:
        index = _Index({name: i for i, name in enumerate(self.categories)})
        index.unseen = len(self.categories)
        index[None] = index.unseen + 1
        return index

    def codes(self, column: Sequence[str | None]) -> Codes:
        """Cell of every category (n,); None is missing."""
        return np.fromiter(map(self._index.__getitem__, column), np.intp, len(column))

    @property
    def names(self) -> tuple[str, ...]:
        """What to call each cell (width,)."""
        return (*self.categories, "unseen", "missing")


Grid = NumericGrid | CategoryGrid

Kind = Literal["numeric", "categorical"]
"""How the cells of a count vector are laid out: as by `NumericGrid` or by `CategoryGrid`."""


def numeric_grid(values: Floats, cells: int = MAX_CELLS) -> NumericGrid:
    """Quantile cells of reference values (n,); NaN and infinities are left out.

    Edges are order statistics of ranks 1..n, evenly spaced; tied edges are merged. With at most
    `cells` distinct values each is a cell of its own. Raises ValueError if no value is finite.
    """
    x = np.sort(np.asarray(values, float)[np.isfinite(values)])
    if not len(x):
        raise ValueError("no finite value to build a grid from")
    distinct = np.unique(x)
    # Few repeated values are a scale of steps. All different, they are a small sample.
    if len(distinct) <= min(cells, len(x) / 2) or len(distinct) == 1:
        return NumericGrid((*distinct.tolist(), distinct[-1].item()))
    count = min(cells, max(2, (len(x) - 1) // 2))
    picked = x[np.round(np.linspace(1, len(x), count + 1)).astype(int) - 1]
    edges = np.unique(picked).tolist()
    if picked[-2] == picked[-1]:  # the largest value is a cell of its own
        edges.append(edges[-1])
    return NumericGrid(tuple(edges))


def category_grid(
    values: Sequence[str | None], max_categories: int = 100, min_count: int = 20
) -> CategoryGrid:
    """Categories by frequency, then name; rarer ones than `min_count` stay outside, unseen.

    So a category that few rows share is never written down by name.
    """
    frequency = Counter(value for value in values if value is not None)
    kept = sorted(
        (name for name, n in frequency.items() if n >= min_count),
        key=lambda name: (-frequency[name], name),
    )
    return CategoryGrid(tuple(kept[:max_categories]))


def _plain(value: float) -> str:
    """`value` with six digits, whole numbers without a point."""
    whole = 2.0**53
    return str(int(value)) if value == round(value) and abs(value) < whole else f"{value:.6g}"
