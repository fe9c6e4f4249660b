"""The grid of a model: the cells its profiles count in, and how they lie in one vector.

Promises: the grid is all a profiler needs in order to count; it is fixed for long, shared by
versions and identified by its content; two profiles of one grid merge by adding their vectors.
Leaves to others: what counts are compared with (`reference`), building a grid (`streams/learning`).
"""

import hashlib
from functools import cached_property
from itertools import pairwise
from math import isnan
from typing import Final, Literal

import msgspec
import numpy as np

from detectors.grid import CategoryGrid, NumericGrid
from detectors.latency import Latency
from detectors.moments import Moments
from detectors.percentage import Percentage
from detectors.products import Products
from detectors.rankings import Ranking, miss_grid
from detectors.regression import Regression
from detectors.residuals import residual_grid
from schemas.refusals import WIDTH as REFUSALS
from schemas.sets import WIDTH as SETS
from schemas.vocabulary import Task

FeatureType = Literal["numeric", "categorical"]

WHOLE: Final = "*"
"""The segment that every row belongs to."""

_SHORTEST_DELAY: Final = 1e3
_LONGEST_DELAY: Final = 1e10
"""Label delays are told apart from a second to a hundred days, in milliseconds."""

_NDCG: Final = 1 / 8
"""The unit in which differences of NDCG are told apart: the largest is 8 units (`residuals`)."""

OTHER: Final = "other"
"""The segment value of rows whose value is not in the grid."""


class SignalGrid(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The cells of one signal: quantile edges (numeric), or categories by frequency.

    `center` and `scale` (reference mean and sd) are the units of its moments.
    """

    name: str
    type: FeatureType
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    center: float = 0.0
    scale: float = 1.0
    important: bool = True

    def cells(self) -> NumericGrid | CategoryGrid:
        """The mathematics of these cells."""
        if self.type == "numeric":
            return NumericGrid(self.edges)
        return CategoryGrid(self.categories)


class SegmentGrid(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One declared segmentation: by a tag, by a feature's values, or by a feature's ranges."""

    name: str
    source: Literal["tag", "feature"]
    values: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()

    def labels(self) -> tuple[str, ...]:
        """The segment names, in the order of their codes; the last is for all other rows."""
        if self.edges:
            bounds = [f"{edge:g}" for edge in self.edges]
            spans = [f"<{bounds[0]}"]
            spans += [f"{a}..{b}" for a, b in pairwise(bounds)]
            values = (*spans, f">={bounds[-1]}")
        else:
            values = self.values
        return tuple(f"{self.name}={value}" for value in (*values, OTHER))


class TogetherGrid(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Numeric features whose products are counted, and the score of each of their cells.

    `scores` by feature and cell (all but missing): normal scores of the cells in the rows that the
    grid was learned of, in steps of `detectors.products`; so what is beyond the range of those rows
    counts as their most extreme.
    """

    name: str
    features: tuple[str, ...]
    scores: tuple[tuple[int, ...], ...]


class Grid(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """All signals and segments of one model, in their order in the vectors."""

    model: str
    task: Task
    features: tuple[SignalGrid, ...]
    score: SignalGrid | None = None
    target: SignalGrid | None = None
    """Classes (categorical) or value range (numeric) of predictions and labels.

    Of a ranking: how long lists are.
    """
    positive: str | None = None
    segments: tuple[SegmentGrid, ...] = ()
    epoch: int = 0
    counted: str = ""
    """Hash of the config fields that change what is counted."""
    together: tuple[TogetherGrid, ...] = ()

    @property
    def content(self) -> bytes:
        """What its id is made of: all fields, without the last one where nothing is declared."""
        fields = msgspec.structs.astuple(self)
        return msgspec.msgpack.encode(fields if self.together else fields[:-1])

    @property
    def id(self) -> str:
        """Content hash, part of every profile's key."""
        return hashlib.blake2b(self.content, digest_size=8).hexdigest()


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A named stretch of a profile's vector: cells start .. start + width."""

    name: str
    start: int
    width: int

    @property
    def span(self) -> slice:
        """Where it lies in the vector."""
        return slice(self.start, self.start + self.width)


class Layout:
    """How the vectors of predictions and of outcomes are divided into blocks.

    Predictions: `feature:NAME`, `moments:NAME` (numeric), `score`, `prediction`, `decision`
    (score cell x predicted cell), `latency`, `failed`. Outcomes: `confusion` (predicted x label),
    `calibration` (score cell x label), `wrong` (score cell x {right, wrong}), `slice:NAME`
    (feature cell x {right, wrong}), `residual` (sums, regression), `delay` (of the label), `error`
    (cells of the residual, regression; of the miss of a list, ranking, the last one for lists in
    which nothing is relevant), `percentage` (sums of the residual's share of the label), `ranking`
    (sums of NDCG and average precision).
    """

    def __init__(self, grid: Grid) -> None:
        """Derive the blocks of `grid`."""
        self.grid = grid
        self.features = {feature.name: feature.cells() for feature in grid.features}
        self.score = grid.score.cells() if grid.score else None
        self.target = grid.target.cells() if grid.target else None
        self.moments = {
            feature.name: Moments(feature.center, feature.scale)
            for feature in grid.features
            if feature.type == "numeric"
        }
        self.latency = Latency()
        self.delay = Latency(low_ms=_SHORTEST_DELAY, high_ms=_LONGEST_DELAY)
        self.regression = (
            Regression(grid.target.center, grid.target.scale)
            if grid.task == "regression" and grid.target
            else None
        )
        self.ranking = Ranking() if grid.task == "ranking" and grid.target else None
        self.together = {one.name: Products(len(one.features)) for one in grid.together}
        self.percentage = Percentage()
        self.residuals, self.gaps = _errors(grid)
        """Cells of an error that has a size, and of two labels' difference; None of classes."""

    @cached_property
    def predictions(self) -> dict[str, Block]:
        """Blocks of the predictions' vector by name."""
        widths = {f"feature:{name}": cells.width for name, cells in self.features.items()}
        widths |= {f"moments:{name}": block.width for name, block in self.moments.items()}
        if self.score:
            widths["score"] = self.score.width
        if self.target:
            widths["prediction"] = self.target.width
        if self.score and self.target and self.residuals is None:
            widths["decision"] = self.score.width * self.target.width
        return _laid_out({**widths, "latency": self.latency.width, "failed": 1})

    @cached_property
    def outcomes(self) -> dict[str, Block]:
        """Blocks of the outcomes' vector by name; empty for a model without labels."""
        if self.target is None:
            return {}
        widths: dict[str, int] = {}
        if self.regression:
            widths["label"] = self.target.width
            widths["residual"] = self.regression.width
        elif self.ranking:
            widths["ranking"] = self.ranking.width
        else:
            widths["confusion"] = self.target.width**2
            widths |= {f"slice:{name}": 2 * cells.width for name, cells in self.features.items()}
            if self.score:
                widths["calibration"] = self.score.width * self.target.width
                widths["wrong"] = self.score.width * 2
        widths["delay"] = self.delay.width
        if self.residuals:
            widths["error"] = self.residuals.width
        if self.regression:
            widths["percentage"] = self.percentage.width  # behind the blocks of older references
        return _laid_out(widths)

    @cached_property
    def products(self) -> dict[str, Block]:
        """Blocks of the products' vector by the name of what is watched together."""
        return _laid_out({name: block.width for name, block in self.together.items()})

    @property
    def agreements(self) -> int:
        """Cells of one answer beside another: class x class, or of their difference.

        Of a shadow's beside the one that was given (of a ranking lists are not kept, so there are
        none); of a second annotator's label beside the first.
        """
        if self.gaps is not None:
            return self.gaps.width
        return 0 if self.target is None else self.target.width**2

    def width(self, kind: str) -> int:
        """Length of the vector of a profile kind."""
        if kind == "refusals":
            return REFUSALS
        if kind == "sets":
            return SETS
        if kind in ("agreements", "opinions"):
            return self.agreements
        if kind == "products":
            return sum(block.width for block in self.products.values())
        blocks = self.predictions if kind == "predictions" else self.outcomes
        return sum(block.width for block in blocks.values())


def _errors(grid: Grid) -> tuple[NumericGrid | None, NumericGrid | None]:
    """Cells of errors and of differences of labels; None where errors are right or wrong."""
    if grid.target is None:
        return None, None
    if grid.task == "regression":
        cells = residual_grid(grid.target.scale)
        return cells, cells
    return (miss_grid(), residual_grid(_NDCG)) if grid.task == "ranking" else (None, None)


def _laid_out(widths: dict[str, int]) -> dict[str, Block]:
    starts = np.concatenate([[0], np.cumsum(list(widths.values()))])
    return {
        name: Block(name=name, start=int(start), width=width)
        for (name, width), start in zip(widths.items(), starts, strict=False)
    }


def category_text(value: str | float | bool | None) -> str | None:  # noqa: FBT001 - a value
    """The name of a category: `1`, `1.0` and "1" are one; None and NaN are missing."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isnan(value):
        return None
    return str(int(value)) if value.is_integer() else repr(value)
