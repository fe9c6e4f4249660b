"""Together: evidence that columns no longer go together as they did.

A Shiryaev-Roberts e-detector over alternatives of the features of `components`: a pane of n rows
with feature x (a row's mean beyond the tolerance b at most 0, its cumulant there g) weighs

    log w = n / phi (theta (+-x - b) - g(+-theta)),

g being that of normal rows: theta^2 / 2 for means, of squares -log(1 - 2 l theta) / 2 - l theta
summed over their parts l, of pairs -log(1 - theta^2) / 2. And for all means at once, whose T2 is
noncentral chi-squared with at most n c^2:

    log w = t T2 + k / 2 log(1 - 2 t) - n c^2 t / (1 - 2 t).

b and c are the tolerance and the reference's own error: by the level .1 of each kind of feature
together (z standard errors, z = 1.28 for a single one), and so large that one reference in a
thousand is far enough off for the evidence to grow for ever.

Promises: run length at least A panes without a change, as far as pane means are normal (`phi` from
the reference); finite; `save` and `load` are exact.
Leaves to others: A, the reference.
Source: Shin, Ramdas, Rinaldo (2024), E-detectors, arXiv 2203.03532; the cumulants are textbook.
"""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from scipy import special

from detectors.arrays import Floats
from detectors.components import Components, View

Kind = Literal["T2", "means", "spreads", "error", "pairs"]

_LEVEL: Final = 0.1
"""Chance that the reference's error is larger than what is tolerated of it."""

_RARELY: Final = 0.001
"""Share of references that may be so far off that evidence grows without a change."""

_MEANS: Final = (0.06, 0.15, 0.4, 1.0)
_SQUARES: Final = (0.06, 0.15, 0.4)
_PAIRS: Final = (0.1, 0.4)
_T2: Final = (0.05, 0.15, 0.3)

_PRIORS: Final[dict[Kind, float]] = {
    "T2": 0.2,
    "means": 0.25,
    "spreads": 0.1,
    "error": 0.15,
    "pairs": 0.3,
}

_MOST: Final = 8.0
"""Most evidence of one pane, in nats: of panes like none in the reference a second is asked for."""


class Tested(NamedTuple):
    """Alternatives of single features, flat (a,): which, its sign, theta, b and g."""

    feature: Floats
    sign: Floats
    theta: Floats
    bound: Floats
    cumulant: Floats
    prior: Floats


@dataclass(frozen=True, kw_only=True)
class TogetherState:
    """Everything that changes: little-endian float64, float64 and int64."""

    evidence: bytes
    drift: bytes
    since: bytes


class Together:
    """One e-detector of one reference."""

    def __init__(self, components: Components, tolerance: float) -> None:
        """`tolerance` in standard deviations of a row."""
        self.components, self.tolerance = components, tolerance
        spans = components.spans
        kinds: tuple[Kind, ...] = ("means", "spreads", "error", "pairs")
        self._kinds: dict[Kind, slice] = dict(zip(kinds, spans, strict=True))
        f = len(components.dispersion)
        self.bound, self._error = np.zeros(f), np.zeros(f)
        self._level, self._rarely = np.zeros(f), np.zeros(f)
        for kind, span in self._kinds.items():
            many = len(range(*span.indices(f)))
            rows = components.standard.honest if kind != "pairs" else components.standard.rows
            if kind == "means":
                rows = components.standard.rows
            self._error[span] = np.sqrt(components.dispersion[span] / rows)
            self._level[span] = _normal(_LEVEL / many)
            self.bound[span] = tolerance + self._level[span] * self._error[span]
            self._rarely[span] = _normal(_RARELY / many)
        k, t = components.seen, np.array(_T2)
        widest = float(components.dispersion[spans[0]].max())
        usual, rare = special.chdtri(k, _LEVEL), special.chdtri(k, _RARELY) * (1 - 2 * t)
        off = widest / components.standard.rows
        self._distance = tolerance + np.sqrt(np.maximum(usual, rare) * off)
        self._near = float(tolerance + np.sqrt(usual * off))
        self._tested = self._alternatives()
        self._prior = np.log(
            np.concatenate([np.full(len(_T2), _PRIORS["T2"] / len(_T2)), self._tested.prior])
        )
        size = len(self._prior)
        self._evidence, self._drift = np.full(size, -np.inf), np.zeros(size)
        self._since = np.zeros(size, np.int64)

    def _alternatives(self) -> Tested:
        """The alternatives of single features."""
        parts = self.components.outside
        rows: list[tuple[int, int, float, float, float, float]] = []
        for kind, span in self._kinds.items():
            features = range(*span.indices(len(self.bound)))
            thetas = {"means": _MEANS, "pairs": _PAIRS}.get(kind, _SQUARES)
            for feature in features:
                for sign in (1, -1):
                    for theta in thetas:
                        g = _cumulant(kind, sign * theta, parts)
                        far = self.tolerance + self._rarely[feature] * self._error[feature]
                        bound = max(self.bound[feature], far - g / theta)
                        prior = _PRIORS[kind] / (len(features) * 2 * len(thetas))
                        rows.append((feature, sign, theta, bound, g, prior))
        columns = [np.array(column) for column in zip(*rows, strict=True)]
        return Tested(*columns)

    def update(self, view: View, number: int) -> None:
        """Weigh a pane; `number` is what `since` gives back for a change that begins now."""
        tested, n = self._tested, view.rows
        x, phi = view.features[tested.feature], self.components.dispersion[tested.feature]
        score = tested.theta * (tested.sign * x - tested.bound) - tested.cumulant
        t = np.array(_T2)
        k = self.components.seen
        weight = t * self.t2(view) + k / 2 * np.log(1 - 2 * t)
        weight -= n * self._distance**2 * t / (1 - 2 * t)
        found = np.minimum(np.concatenate([weight, n / phi * score]), _MOST)
        top = np.maximum(self._evidence, 0.0)
        self._evidence = top + np.log1p(np.exp(-np.abs(self._evidence))) + found
        self._since = np.where(self._drift <= 0, number, self._since)
        self._drift = np.maximum(self._drift, 0.0) + found

    def t2(self, view: View) -> float:
        """Hotelling's T2 of a pane's mean in the components, over its dispersion."""
        means = self._kinds["means"]
        phi = self.components.dispersion[means]
        return float(view.rows * (view.features[means] ** 2 / phi).sum())

    @property
    def log_mean(self) -> float:
        """Log of the mean evidence; -inf before any pane."""
        return float(np.logaddexp.reduce(self._evidence + self._prior))

    @property
    def leading(self) -> tuple[Kind, int]:
        """Which kind of alternative has the most evidence, and since which pane."""
        best = int(np.argmax(self._evidence + self._prior))
        if best < len(_T2):
            return "T2", int(self._since[best])
        feature = int(self._tested.feature[best - len(_T2)])
        kind = next(
            name
            for name, span in self._kinds.items()
            if feature in range(*span.indices(len(self.bound)))
        )
        return kind, int(self._since[best])

    def span(self, kind: Kind) -> slice:
        """Where a kind of evidence lies among the features; that of T2 is the means."""
        return self._kinds["means" if kind == "T2" else kind]

    def inside(self, view: View) -> bool:
        """Whether rows show nothing beyond the tolerance and the error of both sides.

        Of means T2 says so, which sees a small shift of many before each of them does.
        """
        phi, n, k = self.components.dispersion, view.rows, self.components.seen
        usual = k + _normal(_LEVEL) * np.sqrt(2 * k) + n * self._near**2
        beyond = np.abs(view.features) > self.bound + self._level * np.sqrt(phi / n)
        beyond[self._kinds["means"]] = self.t2(view) > usual
        return not beyond.any()

    def distance(self, view: View) -> float:
        """How far the mean is, in standard deviations of the components; chance taken off."""
        means = self._kinds["means"]
        phi = self.components.dispersion[means]
        square = (view.features[means] ** 2).sum() - phi.sum() / view.rows
        return float(np.sqrt(max(0.0, square)))

    def state(self) -> TogetherState:
        """What `load` needs."""
        return TogetherState(
            evidence=self._evidence.astype("<f8").tobytes(),
            drift=self._drift.astype("<f8").tobytes(),
            since=self._since.astype("<i8").tobytes(),
        )

    def load(self, state: TogetherState) -> None:
        """Go on after `state`; one of another reference's shape is passed over."""
        evidence = np.frombuffer(state.evidence, "<f8")
        if len(evidence) != len(self._evidence):
            return
        self._evidence = evidence.copy()
        self._drift = np.frombuffer(state.drift, "<f8").copy()
        self._since = np.frombuffer(state.since, "<i8").copy()


def _normal(chance: float) -> float:
    """Standard errors that are exceeded with a chance, on one side."""
    return float(special.ndtri(1 - chance))


def _cumulant(kind: Kind, theta: float, parts: Floats) -> float:
    """Log of E exp(theta x) of a normal row's feature x."""
    if kind == "means":
        return theta**2 / 2
    if kind == "pairs":
        return float(-np.log1p(-(theta**2)) / 2)
    squares = parts if kind == "error" else np.array([np.sqrt(0.5)])
    return float((-np.log1p(-2 * squares * theta) / 2 - squares * theta).sum())
