"""Estimates: what the metrics of predictions will be, before their labels; and their check.

The reference says how often rows of each score are positive (or right); the present decisions
say which rows there are. Once the labels of a cohort have come, the share of right predictions is
compared with what the reference expects of exactly these rows: what remains is what a score means
now and did not mean then. A bias beyond its own noise widens the band of later estimates by as
much: that is how far they can be trusted.

Promises: an estimate uses no label of the rows it speaks of; None where the model has no score.
Leaves to others: when a cohort is mature (`cohorts`), formulas (`detectors.metrics.expected`).
"""

from collections import deque
from typing import Final, NamedTuple

import msgspec
import numpy as np

from detectors.metrics import expected
from detectors.metrics.interval import Interval, Z
from schemas.journal import Counts
from streams.monitor.outcomes.blocks import Blocks

CHECKED_ROWS: Final = 2000
CHECKED_COHORTS: Final = 50
"""A check looks at the fewest newest mature cohorts with so many labels, at most so many."""

SURE: Final = 3.0
"""Standard errors from which a bias counts: one check in 370 is further off by chance."""


class Estimator:
    """What one reference expects of scores and decisions."""

    def __init__(self, blocks: Blocks, reference: Counts, dispersion: float) -> None:
        """`reference` is a compact vector of outcomes."""
        self._blocks, self._dispersion = blocks, dispersion
        sides = blocks.by_score(reference)
        self._shares = self._right = None
        if sides is not None and blocks.layout.score is not None:
            no, yes = sides
            self._shares = expected.shares_of(yes, no + yes, dispersion)
            right, wrong = blocks.part(reference, "wrong").reshape(-1, 2).T
            self._right = expected.shares_of(right, right + wrong, dispersion)

    def __bool__(self) -> bool:
        """Whether anything can be estimated."""
        return self._shares is not None

    def metrics(self, asked: Counts) -> dict[str, Interval]:
        """Accuracy, precision, recall and F1 of decisions (score cells x predicted cells,)."""
        layout, positive = self._blocks.layout, self._blocks.positive
        if self._shares is None or layout.score is None:
            return {}
        decision = asked.reshape(layout.score.width, -1)
        if positive is None:
            rows, shares = decision.sum(axis=1), self._shares
            found: dict[str, Interval] = {}
        else:
            rows, shares = expected.expected_right(decision, positive, self._shares)
            found = expected.expected_binary(decision, positive, self._shares)
        accuracy = expected.expected_share(rows, shares, self._dispersion)
        return found if accuracy is None else {"accuracy": accuracy} | found

    def right(self, rows: Counts) -> Interval | None:
        """The expected share of right predictions among rows per score cell."""
        if self._right is None:
            return None
        return expected.expected_share(rows, self._right, self._dispersion)


class Bias(NamedTuple):
    """Realised less expected share of right predictions, its standard error, and the rows."""

    realised: float
    expected: float
    error: float
    rows: int

    @property
    def value(self) -> float:
        """Positive: better than estimated."""
        return self.realised - self.expected

    @property
    def proven(self) -> bool:
        """Whether it is more than noise."""
        return abs(self.value) > SURE * self.error


class SavedCheck(msgspec.Struct, frozen=True, array_like=True):
    """A check in a snapshot: rows right and wrong per score cell of each cohort."""

    cohorts: list[bytes]


class Check:
    """The newest mature cohorts of one version, held against the reference."""

    def __init__(self) -> None:
        """None yet."""
        self._cohorts: deque[Counts] = deque()
        self._known: tuple[Estimator, Bias | None] | None = None
        """The bias as it stands, and of whose estimates."""

    def add(self, wrong: Counts) -> None:
        """Take the right and wrong rows (2 x score cells,) of a mature cohort."""
        self._known = None
        self._cohorts.append(wrong.copy())
        rows = [int(one.sum()) for one in self._cohorts]
        while len(rows) > 1 and (len(rows) > CHECKED_COHORTS or sum(rows[1:]) >= CHECKED_ROWS):
            rows.pop(0)
            self._cohorts.popleft()

    def bias(self, estimator: Estimator) -> Bias | None:
        """How far the estimates of these cohorts were off; None without labels."""
        if self._known is None or self._known[0] is not estimator:
            self._known = estimator, self._worked_out(estimator)
        return self._known[1]

    def _worked_out(self, estimator: Estimator) -> Bias | None:
        if not self._cohorts:
            return None
        right, wrong = np.sum(list(self._cohorts), axis=0).reshape(-1, 2).T
        rows = right + wrong
        found = estimator.right(rows)
        if found is None:
            return None
        return Bias(float(right.sum()) / found.rows, found.value, found.error, found.rows)

    def save(self) -> SavedCheck:
        """The state, for a snapshot."""
        return SavedCheck([one.astype("<i8").tobytes() for one in self._cohorts])

    def load(self, saved: SavedCheck) -> None:
        """Take a snapshot up."""
        self._known = None
        self._cohorts = deque(np.frombuffer(one, "<i8").astype(np.int64) for one in saved.cohorts)


def widened(estimate: Interval, bias: Bias | None) -> Interval:
    """The estimate with a band that reaches to where the proven bias would put it."""
    if bias is None or not bias.proven:
        return estimate
    reach = Z * bias.error
    low = min(estimate.low, max(0.0, estimate.value + bias.value - reach))
    high = max(estimate.high, min(1.0, estimate.value + bias.value + reach))
    return Interval(estimate.value, low, high, estimate.rows)
