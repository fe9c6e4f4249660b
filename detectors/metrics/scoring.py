"""Scoring: log loss, Brier and expected calibration error of scores, with intervals.

Promises: the score that stands for a cell is used for all its rows; `blur` says by how much that
can be wrong at most, so the cells' resolution is never mistaken for knowledge.
Leaves to others: the order of scores (`ranking`).
Sources: Brier (1950), Monthly Weather Review 78, 1-3; ECE of Naeini, Cooper, Hauskrecht (2015),
AAAI. Standard errors are those of a mean of rows; that of ECE holds each bin's side fixed (delta
method), so it is too small where a bin is calibrated.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import NamedTuple

import numpy as np

from detectors.arrays import Codes, Counts, Floats
from detectors.budget import Mask
from detectors.metrics.interval import Interval, around

_NEVER = 1e-6
"""Scores are kept this far from 0 and 1, so that log loss is finite."""

BINS = 10
"""Equal bins of the expected calibration error."""


class Loss(NamedTuple):
    """A loss with its interval, and how far off it may be because cells are not points."""

    interval: Interval
    blur: float


class Costs(NamedTuple):
    """What a row of each used cell (cells,) costs if the outcome is no, and if it is yes.

    Besides the cost its square, and how far off it may be because the cell is no point.
    """

    no: Floats
    yes: Floats
    no_squared: Floats
    yes_squared: Floats
    no_apart: Floats
    yes_apart: Floats


@dataclass(frozen=True, eq=False)
class Cells:
    """The score that stands for each cell (width,), and the cell's limits; NaN is left out.

    What follows from them alone is worked out once.
    """

    score: Floats
    low: Floats
    high: Floats

    @cached_property
    def use(self) -> Mask:
        """Which cells have a score (width,)."""
        return ~np.isnan(self.score)

    @cached_property
    def used(self) -> Floats:
        """The scores of those cells."""
        return self.score[self.use]

    @cached_property
    def bins(self) -> Codes:
        """The bin of the calibration error of each of those cells."""
        return np.minimum((self.used * BINS).astype(np.intp), BINS - 1)

    @cached_property
    def squares(self) -> Costs:
        """Squared distances of score and outcome."""
        return self._costs(lambda s: (s**2, (1 - s) ** 2))

    @cached_property
    def surprises(self) -> Costs:
        """Surprises in nats."""
        return self._costs(lambda s: (-np.log1p(-s), -np.log(s)))

    def _costs(self, of: Callable[[Floats], tuple[Floats, Floats]]) -> Costs:
        """`of` gives the losses at a score if the outcome is no, and yes."""
        (a, b), (a_low, b_low), (a_high, b_high) = (
            of(np.clip(one[self.use], _NEVER, 1 - _NEVER))
            for one in (self.score, self.low, self.high)
        )
        return Costs(
            a,
            b,
            a**2,
            b**2,
            np.maximum(abs(a - a_low), abs(a - a_high)),
            np.maximum(abs(b - b_low), abs(b - b_high)),
        )


def score_cells(edges: tuple[float, ...], values: Floats) -> Cells:
    """The cells of a numeric grid over scores: below, between the edges, above, missing."""
    e = np.clip(np.array(edges), 0.0, 1.0)
    low = np.concatenate([[0.0], e[:-1], e[-1:], [np.nan]])
    high = np.concatenate([e[:1], e[1:], [1.0], [np.nan]])
    return Cells(np.clip(values, 0.0, 1.0), low, high)


def brier(negative: Counts, positive: Counts, cells: Cells, dispersion: float = 1.0) -> Loss | None:
    """Mean squared distance of score and outcome; None without rows."""
    return _loss(negative, positive, cells, dispersion, cells.squares)


def log_loss(
    negative: Counts, positive: Counts, cells: Cells, dispersion: float = 1.0
) -> Loss | None:
    """Mean surprise in nats; None without rows."""
    return _loss(negative, positive, cells, dispersion, cells.surprises)


def ece(
    negative: Counts, positive: Counts, cells: Cells, dispersion: float = 1.0
) -> Interval | None:
    """Mean gap, over rows, between the scores of a bin and its share of positives."""
    use, s, at = cells.use, cells.used, cells.bins
    hit = positive[use].astype(float)
    rows = negative[use] + hit
    total = float(rows.sum())
    if total <= 0:
        return None
    n, promised, seen = (np.bincount(at, w, BINS) for w in (rows, rows * s, hit))
    p = seen / np.maximum(n, 1.0)
    value = float(np.abs(promised - seen).sum()) / total
    error = float(np.sqrt(max(dispersion, 1.0) * (n * p * (1 - p)).sum())) / total
    return around(value, error, int(total), least=0.0, most=1.0)


def _loss(
    negative: Counts, positive: Counts, cells: Cells, dispersion: float, costs: Costs
) -> Loss | None:
    """The mean of `costs` over the rows."""
    no, yes = negative[cells.use].astype(float), positive[cells.use].astype(float)
    rows = float(no.sum() + yes.sum())
    if rows <= 0:
        return None
    value = float(no @ costs.no + yes @ costs.yes) / rows
    square = float(no @ costs.no_squared + yes @ costs.yes_squared) / rows
    error = sqrt(max(square - value**2, 0.0) * max(dispersion, 1.0) / rows)
    apart = no @ costs.no_apart + yes @ costs.yes_apart
    found = around(value, error, int(rows), least=0.0)
    return None if found is None else Loss(found, float(apart) / rows)
