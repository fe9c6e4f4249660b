"""Products: sums of products of the features that are declared to be watched together.

Promises: a profile of the kind `products` of each version, in the pane of its rows, of the whole;
exact sums of whole numbers, so neither order nor batches matter; nothing where nothing is declared.
Leaves to others: the scores of cells (grid), what the sums mean (monitor).
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.arrays import Floats
from detectors.products import Products
from schemas.grid import Layout, TogetherGrid
from schemas.rows import Ints
from streams.columns import Cells
from streams.panes import Panes, Placed
from streams.profiler.blocks import Mask

_UNSAID: Final = np.nan
"""The score of a missing value: its row is not complete, and counts nowhere."""


class ProductCounter:
    """Counts the products of one model."""

    def __init__(self, layout: Layout) -> None:
        """With a table of scores a feature."""
        self._layout = layout
        places = {one.name: i for i, one in enumerate(layout.grid.features)}
        self._groups = [
            (layout.products[one.name].span, layout.together[one.name], _tables(one, places))
            for one in layout.grid.together
        ]

    def count(
        self,
        panes: Panes,
        where: Placed,
        versions: Sequence[str],
        features: Cells | Ints,
        kept: Mask,
    ) -> None:
        """Count rows `where` (n,), those of a mask over the cells `features` (all, features)."""
        if self._groups:
            blocks = [
                (span, partial(_sums, block, _scored(tables, features[kept])))
                for span, block, tables in self._groups
            ]
            panes.add("products", where, versions, blocks)


def _tables(group: TogetherGrid, places: dict[str, int]) -> list[tuple[int, Floats]]:
    """Of each feature its column, and the score of each cell (width,)."""
    return [
        (places[name], np.array([*scores, _UNSAID]))
        for name, scores in zip(group.features, group.scores, strict=True)
    ]


def _scored(tables: list[tuple[int, Floats]], features: Cells | Ints) -> Floats:
    """Scores (n, columns) of cells (n, features)."""
    return np.column_stack([scores[features[:, place]] for place, scores in tables])


def _sums(block: Products, scores: Floats, groups: Ints, n: int) -> npt.NDArray[np.int64]:
    return block.count(scores, groups=groups, n_groups=n)
