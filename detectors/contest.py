"""A contest of two rates: is one more than a margin above the other, judged at any time.

The e-process of two samples (Turner, Ly and Gruenwald 2024, "Generic E-variables for Exact
Sequential k-Sample Tests", with the null of a linear margin as in Turner and Gruenwald 2023,
"Exact Anytime-valid Confidence Intervals for Contingency Tables"). A block has n_a and n_b rows
with k_a and k_b hits. With an alternative (a1, b1), b1 > a1 + margin, chosen before the block,
and (a0, a0 + margin) the point of the null nearest to it in relative entropy,

    log e = k_a log(a1/a0) + (n_a - k_a) log((1-a1)/(1-a0)) + the same of b

has a mean of at most 1 wherever b <= a + margin, whatever the rates are in each block. So the
product passes 1/alpha with a probability of at most alpha, ever (Ville), if rows are independent.
A hit may be a part of one: a row that is worth x in [0, 1] earns x log(a1/a0) + (1-x)
log((1-a1)/(1-a0)), and its exponential is at most what a coin of chance x earns on average
(Jensen). So the same holds of two means of values in [0, 1].

Promises: pure; finite; no alternative beyond the null is no bet (log e = 0).
Leaves to others: whose rates, and what follows.
"""

from dataclasses import dataclass
from math import log

_EDGE = 1e-6
"""Rates are kept so far from 0 and 1."""
_STEPS = 60
LEAST_ROWS = 30
"""Rows of both sides before anything is staked on what they showed."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """Rows and hits of both sides so far, and the log of the e-process."""

    rows_a: int = 0
    hits_a: float = 0
    rows_b: int = 0
    hits_b: float = 0
    log_e: float = 0.0

    @property
    def rate_a(self) -> float:
        """The rate of side a, half a hit and a miss added."""
        return (self.hits_a + 0.5) / (self.rows_a + 1)

    @property
    def rate_b(self) -> float:
        """The rate of side b, likewise."""
        return (self.hits_b + 0.5) / (self.rows_b + 1)

    @property
    def pooled(self) -> float:
        """The rate of both sides together."""
        return (self.hits_a + self.hits_b + 0.5) / (self.rows_a + self.rows_b + 1)

    def after(self, block: "Block", stake: float) -> "Score":
        """With one more block that earned `stake`."""
        return Score(
            rows_a=self.rows_a + block.rows_a,
            hits_a=self.hits_a + block.hits_a,
            rows_b=self.rows_b + block.rows_b,
            hits_b=self.hits_b + block.hits_b,
            log_e=self.log_e + stake,
        )


@dataclass(frozen=True, kw_only=True)
class Block:
    """Rows and hits of both sides in one stretch of time."""

    rows_a: int
    hits_a: float
    rows_b: int
    hits_b: float


def worse(score: Score, block: Block, margin: float) -> Score:
    """Evidence that the rate of b is more than `margin` above that of a (null: it is not)."""
    earned = 0.0
    if min(score.rows_a, score.rows_b) >= LEAST_ROWS:
        earned = log_e(block, (score.rate_a, score.rate_b), margin)
    return score.after(block, earned)


def no_worse(score: Score, block: Block, margin: float) -> Score:
    """Evidence that the rate of b is less than `margin` above that of a (null: it is not).

    The alternative is that both are alike, which is what a good candidate is.
    """
    earned = 0.0
    if min(score.rows_a, score.rows_b) >= LEAST_ROWS:
        turned = Block(
            rows_a=block.rows_b, hits_a=block.hits_b, rows_b=block.rows_a, hits_b=block.hits_a
        )
        alike = min(score.pooled, score.rate_b)
        earned = log_e(turned, (alike, max(score.pooled, alike)), -margin)
    return score.after(block, earned)


def log_e(block: Block, alternative: tuple[float, float], margin: float) -> float:
    """The log of the e-variable of a block against b <= a + margin."""
    if not block.rows_a or not block.rows_b:
        return 0.0
    a1, b1 = (min(max(rate, _EDGE), 1 - _EDGE) for rate in alternative)
    if b1 <= a1 + margin:
        return 0.0
    a0 = _nearest(block, a1, b1, margin)
    b0 = a0 + margin
    return _gain(block.rows_a, block.hits_a, a1, a0) + _gain(block.rows_b, block.hits_b, b1, b0)


def _nearest(block: Block, a1: float, b1: float, margin: float) -> float:
    """Where n_a KL(a1, x) + n_b KL(b1, x + margin) is least: its slope grows, so by halving."""
    low = max(_EDGE, _EDGE - margin)
    high = min(1 - _EDGE, 1 - _EDGE - margin)
    for _ in range(_STEPS):
        x = (low + high) / 2
        y = x + margin
        slope = block.rows_a * (x - a1) / (x * (1 - x)) + block.rows_b * (y - b1) / (y * (1 - y))
        if slope < 0:
            low = x
        else:
            high = x
    return (low + high) / 2


def _gain(rows: int, hits: float, one: float, null: float) -> float:
    """The log likelihood ratio of one side."""
    return hits * log(one / null) + (rows - hits) * log((1 - one) / (1 - null))
