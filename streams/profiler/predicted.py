"""Predicted: accepted predictions in every profile that counts them.

Promises: cells of the predictions, feature sets, and products of what is watched together, each in
a profile of its kind.
Leaves to others: which rows are accepted and where they belong (`model`).
"""

from collections.abc import Sequence

from schemas.frames.frame import Coded
from schemas.grid import Layout
from streams.columns import PredictionColumns
from streams.panes import Panes, Placed
from streams.profiler.blocks import Mask, prediction_blocks
from streams.profiler.products import ProductCounter
from streams.profiler.sets import count_sets


class Predicted:
    """Counts the predictions of one model in one partition."""

    def __init__(self, layout: Layout, panes: Panes) -> None:
        """Into `panes`."""
        self._layout, self._panes = layout, panes
        self._products = ProductCounter(layout)

    def count(
        self,
        where: Placed,
        versions: Sequence[str],
        columns: PredictionColumns,
        kept: Mask,
        sets: Coded,
    ) -> None:
        """Count the rows of a mask (n,) of all that came; `sets` are those rows' own."""
        blocks = prediction_blocks(self._layout, columns, kept)
        where = where if kept.all() else where.only(kept)
        self._panes.add("predictions", where, versions, blocks)
        count_sets(self._panes, where, versions, sets)
        self._products.count(self._panes, where, versions, columns.features, kept)
