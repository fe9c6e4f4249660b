"""A contest of two means of unknown scale: is one above the other by more than a margin, any time.

For figures that come as means of rows (cost a request, a share that converts): of each pane the
means y_a, y_b of n_a and n_b rows. With weights w = 1 / (1/n_a + 1/n_b) the sum

    S = sum w (y_b - y_a - m),    W = sum w,    variance of S = sigma^2 W

is a random walk that does not rise where the means differ by no more than the margins m. The
e-value is its mixture over effects, half a normal of TYPICAL standard deviations (Robbins 1970,
"Statistical methods related to the law of the iterated logarithm"; one-sided as in Howard, Ramdas,
McAuliffe, Sekhon 2021, "Time-uniform, nonparametric, nonasymptotic confidence sequences"):

    log e = log 2 - log(tau sqrt A) + (S / sigma)^2 / (2 A) + log Phi(S / sigma / sqrt A),
    A = W + 1 / tau^2

sigma is a row's, measured on side a from pane to pane, so whatever else moves the panes of a makes
the test more careful. It is an estimate: the promise holds asymptotically (Waudby-Smith, Arbour,
Sinha, Kennedy, Ramdas 2021, "Time-uniform central limit theory"), and nothing is said before then.

Promises: pure; finite; the same after a change of unit.
Leaves to others: which direction is worse (larger is), how large the margin is.
"""

from math import log, sqrt
from typing import NamedTuple

from scipy import special

TYPICAL = 0.2
"""The effect that is expected where there is one, in standard deviations of a row."""
LEAST_PANES = 30
"""Panes of side a before its spread is known well enough."""
_CAREFUL = 1.28
"""Standard errors by which the spread may be larger than it was measured."""
_SAME = 0.01
"""Where nothing varies, rows are taken to vary by this part of their mean."""
_RARE = 0.1
"""Squared relative error of the mean of b from which on sums of rare events are near normal: ten
events, as in the rule that n p should be ten."""


class Race(NamedTuple):
    """Both sides so far; `spread` is the sum of squares of a's panes about their mean, by rows.

    `low` and `high` are the extremes of a's panes.
    """

    panes: int = 0
    rows_a: int = 0
    mean_a: float = 0.0
    low: float = 0.0
    high: float = 0.0
    spread: float = 0.0
    rows_b: int = 0
    mean_b: float = 0.0
    ahead: float = 0.0
    weight: float = 0.0

    @property
    def sigma(self) -> float:
        """How far a row is from the mean, carefully; 0: not known."""
        if self.panes < LEAST_PANES:
            return 0.0
        free = self.panes - 1
        measured = sqrt(max(0.0, self.spread) / free * (1 + _CAREFUL * sqrt(2 / free)))
        return max(measured, _SAME * abs(self.mean_a))

    @property
    def told(self) -> bool:
        """Whether there is enough of both sides for anything to be said."""
        sigma = self.sigma
        if sigma <= 0 or self.weight <= 0:
            return False
        signed = self.low < 0 < self.high
        return signed or sigma**2 <= _RARE * self.rows_b * self.mean_a**2

    @property
    def log_e(self) -> float:
        """Evidence that b is above a by more than the margins; 0 while nothing can be said."""
        if not self.told:
            return 0.0
        sigma = self.sigma
        lead, scale = self.ahead / sigma, self.weight + 1 / TYPICAL**2
        normal = float(special.log_ndtr(lead / sqrt(scale)))
        return log(2) - log(TYPICAL * sqrt(scale)) + lead**2 / (2 * scale) + normal

    def after(self, a: tuple[int, float], b: tuple[int, float], margin: float) -> "Race":
        """With one more pane: rows and mean of either side, larger being worse.

        `margin` is a part of the mean of a before this pane; the first pane only says that mean.
        """
        low, high = min(self.low, a[1]), max(self.high, a[1])
        if not self.panes:
            first = self._replace(panes=1, rows_a=a[0], mean_a=a[1], rows_b=b[0], mean_b=b[1])
            return first._replace(low=low, high=high)
        allowed = margin * abs(self.mean_a)
        weight = 1 / (1 / a[0] + 1 / b[0])
        rows_a, rows_b = self.rows_a + a[0], self.rows_b + b[0]
        off = a[1] - self.mean_a
        mean_a = self.mean_a + off * a[0] / rows_a
        return Race(
            panes=self.panes + 1,
            rows_a=rows_a,
            mean_a=mean_a,
            low=low,
            high=high,
            spread=self.spread + a[0] * off * (a[1] - mean_a),
            rows_b=rows_b,
            mean_b=self.mean_b + (b[1] - self.mean_b) * b[0] / rows_b,
            ahead=self.ahead + weight * (b[1] - a[1] - allowed),
            weight=self.weight + weight,
        )
