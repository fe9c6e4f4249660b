"""The budget of false alarms: from a promise per period to thresholds, and what may be spent.

Promises: a threshold from a budget keeps the expected number of false alarms of all signals
together within it, if every signal's detector keeps its own run length.
Leaves to others: counting what was spent, and verdicts.
Sources: Wang, Ramdas (2022), False discovery rate control with e-values, JRSS B 84, 822-852;
Benjamini, Hochberg (1995), JRSS B 57, 289-300.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import numpy.typing as npt

from detectors.arrays import Floats

Mask = npt.NDArray[np.bool_]

_HARDLY = 0.999
"""Below this part of what the largest e-value needs, no rounding can make it enough."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """At most `false_alarms` expected in `panes` panes, over `signals` signals together.

    `panes` are those of one period that have rows. Raises ValueError unless all are positive.
    """

    false_alarms: float
    panes: float
    signals: int

    def __post_init__(self) -> None:
        if not (self.false_alarms > 0 and self.panes > 0 and self.signals > 0):
            raise ValueError("false alarms, panes and signals of a budget must be positive")

    @property
    def run_length(self) -> float:
        """Panes each signal must last on average without a false alarm; at least 1."""
        return max(1.0, self.signals * self.panes / self.false_alarms)

    @property
    def log_threshold(self) -> float:
        """Log of A for `shiryaev_roberts`: its run length is at least A panes."""
        return log(self.run_length)

    def e_values(self, log_mean: Floats) -> Floats:
        """Evidence (S,) as e-values of the period, for `e_bh`: M / T, since E[M] grows with T."""
        return np.asarray(np.exp(np.minimum(log_mean - log(self.panes), 700.0)))


def e_bh(e_values: Floats, alpha: float = 0.1) -> Mask:
    """Which of N signals to reject (N,): the k largest where the k-th is >= N / (alpha k).

    The false discovery rate is at most `alpha` under any dependence.
    """
    n = len(e_values)
    if not n or float(e_values.max()) < _HARDLY / alpha:  # as at nearly all panes
        return np.zeros(n, bool)
    order = np.argsort(-e_values, kind="stable")
    passed = e_values[order] * np.arange(1, n + 1) >= n / alpha
    return _largest(order, passed)


def benjamini_hochberg(p_values: Sequence[float | None], alpha: float) -> Mask:
    """Which of N p-values to reject (N,), None never; rate `alpha` for independent signals.

    Signals that cannot be judged still count: N does not depend on what was seen.
    """
    p = np.array([1.0 if value is None else value for value in p_values])
    n = len(p)
    order = np.argsort(p, kind="stable")
    judged = np.array([value is not None for value in p_values], bool)[order]
    passed = (p[order] <= alpha * np.arange(1, n + 1) / n) & judged
    return _largest(order, passed)


def _largest(order: npt.NDArray[np.intp], passed: Mask) -> Mask:
    """Reject everything up to the last rank that passed."""
    rejected = np.zeros(len(order), bool)
    if passed.any():
        rejected[order[: int(np.flatnonzero(passed)[-1]) + 1]] = True
    return rejected
