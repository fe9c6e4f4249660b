"""Rankings: how well lists were ordered, from the relevance of their items in the order shown.

Two numbers a list: NDCG of its first ten places, and average precision. Both are functions of the
relevances alone, in [0, 1], and not defined where nothing is relevant.

Promises and interface: `summary`; a list's numbers are known to 1/4096 and travel as one float, so
whatever keeps a number can keep a list's quality, and take it back exactly.
Leaves to others: what may be a relevance (`schemas/typed`), intervals (`metrics.lists`).
Sources: Jarvelin, Kekalainen (2002), ACM TOIS 20, 422-446, with the gain linear in the relevance
and the discount 1 / log2(place + 1), and precision at the places of the relevant items, as in
scikit-learn (`ndcg_score`, `average_precision_score`); there a list without anything relevant is 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from math import log2, nan, sqrt
from operator import mul, truediv
from typing import Final

import numpy as np

from detectors.arrays import Codes, Counts, Floats, sum_integers
from detectors.grid import NumericGrid

PLACES: Final = 10
"""Places of a list that NDCG looks at."""

STEPS: Final = 2**12
"""Steps of 1."""

_BASE: Final = STEPS + 1
_CELLS: Final = 32
_DISCOUNTS: Final = tuple(1 / log2(place + 1) for place in range(1, PLACES + 1))


def ndcg(relevance: Sequence[float]) -> float | None:
    """NDCG of the first ten places; the ideal is of the whole list. None: nothing is relevant.

    `relevance` of the items in the order shown, each from 0 to 1e300.
    """
    ideal = _discounted(sorted(relevance, reverse=True))
    return _discounted(relevance) / ideal if ideal > 0 else None


def average_precision(relevance: Sequence[float]) -> float | None:
    """The mean precision at the places of relevant (more than 0) items; None without any."""
    places = [place for place, one in enumerate(relevance, start=1) if one > 0]
    if not places:
        return None
    total: float = sum(map(truediv, count(1), places))
    return total / len(places)


def _discounted(gains: Sequence[float]) -> float:
    total: float = sum(map(mul, gains, _DISCOUNTS))
    return total


def packed(relevance: Sequence[float]) -> float:
    """Both numbers of a list as one whole number; NaN where nothing is relevant."""
    first, second = ndcg(relevance), average_precision(relevance)
    if first is None or second is None:
        return nan
    return float(round(first * STEPS) * _BASE + round(second * STEPS))


def unpacked(values: Floats) -> tuple[Floats, Floats]:
    """NDCG and average precision (n,) in steps, of packed lists (n,); NaN stays NaN."""
    first = np.floor(values / _BASE)
    return first, values - first * _BASE


def misses(values: Floats) -> Floats:
    """How far packed lists (n,) are from ideal: 1 - NDCG, in [0, 1] or NaN."""
    return 1 - unpacked(values)[0] / STEPS


def miss_grid() -> NumericGrid:
    """The cells of misses, the same for good models and bad; lists that miss all have their own."""
    return NumericGrid((*(i / _CELLS for i in range(_CELLS + 1)), 1.0))


@dataclass(frozen=True, kw_only=True)
class RankingQuality:
    """Lists, those with anything relevant, and of these mean and standard deviation."""

    rows: int
    relevant: int
    ndcg: tuple[float, float] | None
    average_precision: tuple[float, float] | None


@dataclass(frozen=True)
class Ranking:
    """Six integers: lists, those with anything relevant, sums of NDCG and of its square, of AP."""

    @property
    def width(self) -> int:
        """Always six."""
        return 6

    def count(self, lists: Floats, *, groups: Codes, n_groups: int) -> Counts:
        """Exact sums of packed lists (n,) per group: (n_groups, 6)."""
        known = ~np.isnan(lists)
        g = groups[known]
        sums = [np.bincount(one, minlength=n_groups) for one in (groups, g)]
        for steps in unpacked(lists[known]):
            sums.append(sum_integers(steps, STEPS, groups=g, n_groups=n_groups))
            sums.append(sum_integers(steps * steps, STEPS**2, groups=g, n_groups=n_groups))
        return np.column_stack(sums).astype(np.int64, copy=False)

    def read(self, counts: Counts) -> RankingQuality:
        """Qualities from one row on."""
        rows, relevant, *sums = (int(value) for value in counts)
        return RankingQuality(
            rows=max(rows, 0),
            relevant=max(relevant, 0),
            ndcg=_spread(relevant, *sums[:2]),
            average_precision=_spread(relevant, *sums[2:]),
        )


def _spread(rows: int, total: int, square: int) -> tuple[float, float] | None:
    """Mean and standard deviation of so many rows, from sums in steps."""
    if rows <= 0:
        return None
    mean = total / rows
    return mean / STEPS, sqrt(max(square / rows - mean * mean, 0.0)) / STEPS
