"""Distances between the counts of a window and of a reference.

Each distance has a value (the usual number, on all cells unless said), an effect (what is left of
it after taking away what sampling alone would give, same scale, never negative) and a p-value
that is right without change, for any number of rows. The laws hold for independent rows; bursts
are divided out by the dispersion.

Promises: None where there is nothing to judge; nothing depends on the unit of a column.
Leaves to others: thresholds, and many looks at one stream (`budget`).
Sources: PSI/(1/n+1/m) ~ chi2: Yurdakul (2018), Statistical properties of population stability
index; JS, Hellinger and chi2 are its second-order equals (Cressie, Read 1984).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from detectors.arrays import Counts, Floats
from detectors.bridge import Law, bridge_laws
from detectors.grid import Kind
from detectors.merging import ENOUGH, category_groups, enough, gather, ordered_groups

SHAPE_CELLS = 8
"""Merged cells of PSI, JS, Hellinger and chi2: on 64 the chi2 law fails and power is lost."""

BORDER_CELLS = (4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Merged cells of KS and Wasserstein, ten rows each; few sizes, so that laws are found again."""

_HALF = 0.5
"""Rows added to every merged cell, so that an empty one has a logarithm."""


@dataclass(frozen=True, kw_only=True)
class Distance:
    """A distance, its bias-corrected effect, its p-value and degrees of freedom (None: none)."""

    value: float
    effect: float
    p_value: float
    degrees: int | None


@dataclass(frozen=True)
class Pair:
    """Two count vectors (width,) over the cells of one grid.

    `values` (width,) are the values that stand for numeric cells (`NumericGrid.values`), needed
    by Wasserstein. `dispersion` >= 1 is how much more counts vary than independent rows would.
    `exact`: the reference's shares are known, not estimated from its rows.
    """

    current: Counts
    reference: Counts
    kind: Kind = "numeric"
    values: Floats | None = None
    dispersion: float = 1.0
    exact: bool = False

    @cached_property
    def totals(self) -> tuple[float, float]:
        """Rows of the window and of the reference."""
        return float(self.current.sum()), float(self.reference.sum())

    @cached_property
    def noise(self) -> float | None:
        """Variance unit of a share's difference, dispersion included; None without rows."""
        n, m = self.totals
        if n <= 0 or m <= 0:
            return None
        return float((1 / n + (0.0 if self.exact else 1 / m)) * self.dispersion)

    @cached_property
    def shapes(self) -> tuple[Floats, Floats]:
        """Both vectors on merged cells (k,)."""
        current, reference = self.current.astype(float), self.reference.astype(float)
        if self.kind == "categorical":
            n, m = self.totals
            expected = min(n, m) * (current + reference) / (n + m)
            group = category_groups(reference * n / m if self.exact else expected)
        else:
            group = ordered_groups(current[:-1], reference[:-1], SHAPE_CELLS)
            if enough(current, reference, len(current) - 1):
                group = np.append(group, group[-1] + 1)
            else:
                current, reference = current[:-1], reference[:-1]
        return gather(current, group), gather(reference, group)

    @cached_property
    def ordered(self) -> tuple[Floats, Floats] | None:
        """Shares of the numeric cells without missing (width - 1,); None for categories."""
        n, m = self.current[:-1].sum(), self.reference[:-1].sum()
        if self.kind == "categorical" or n <= 0 or m <= 0:
            return None
        return self.current[:-1] / n, self.reference[:-1] / m

    @cached_property
    def units(self) -> Floats | None:
        """Values of the cells without missing in reference standard deviations (width - 1,)."""
        if self.values is None or self.ordered is None:
            return None
        share, place = self.ordered[1], self.values[:-1]
        sd = np.sqrt(np.maximum(share @ place**2 - (share @ place) ** 2, 0.0))
        return (place - place[0]) / sd if sd > 0 else None


def psi_values(p: Floats, q: Floats) -> Floats:
    """Population stability index of shares (..., k), all positive: (...)."""
    return np.asarray(((p - q) * np.log(p / q)).sum(axis=-1))


def js_values(p: Floats, q: Floats) -> Floats:
    """Jensen-Shannon divergence in nats of shares (..., k), zeros allowed: (...)."""
    both = np.maximum(p + q, np.finfo(float).tiny)
    # p log(p / middle): a share of 0 gives 0, whatever stands in for its logarithm
    left, right = (x * np.log(np.where(x > 0, 2 * x / both, 1.0)) for x in (p, q))
    return np.asarray((left + right).sum(axis=-1) / 2)


def hellinger_values(p: Floats, q: Floats) -> Floats:
    """Hellinger distance, 0..1, of shares (..., k): (...)."""
    return np.asarray(np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=-1) / 2))


def ks_values(p: Floats, q: Floats) -> Floats:
    """Kolmogorov-Smirnov distance, 0..1, of shares of ordered cells (..., k): (...)."""
    return np.asarray(np.abs(np.cumsum(p - q, axis=-1)).max(axis=-1))


def wasserstein_values(p: Floats, q: Floats, values: Floats) -> Floats:
    """Wasserstein-1 distance of shares (..., k) at ascending `values` (..., k): (...)."""
    gap = np.diff(values, axis=-1)
    return np.asarray((np.abs(np.cumsum(p - q, axis=-1)[..., :-1]) * gap).sum(axis=-1))


def psi(pair: Pair) -> Distance | None:
    """Population stability index on merged, smoothed cells (the .1 and .25 of tradition)."""
    if pair.noise is None:
        return None
    p, q = _smooth(pair)
    value = float(psi_values(p, q))
    return _shape(value, value, len(p) - 1, pair.noise)


def js(pair: Pair) -> Distance | None:
    """Jensen-Shannon distance, 0..1: root of the divergence in bits."""
    if pair.noise is None:
        return None
    n, m = pair.current.sum(), pair.reference.sum()
    value = np.sqrt(js_values(pair.current / n, pair.reference / m) / np.log(2))
    p, q = _smooth(pair)
    judged = _shape(float(value), 8 * float(js_values(p, q)), len(p) - 1, pair.noise)
    return _with_effect(judged, float(np.sqrt(judged.effect / 8 / np.log(2))))


def hellinger(pair: Pair) -> Distance | None:
    """Hellinger distance, 0..1."""
    if pair.noise is None:
        return None
    n, m = pair.current.sum(), pair.reference.sum()
    value = float(hellinger_values(pair.current / n, pair.reference / m))
    p, q = _smooth(pair)
    judged = _shape(value, 8 * float(hellinger_values(p, q)) ** 2, len(p) - 1, pair.noise)
    return _with_effect(judged, float(np.sqrt(judged.effect / 8)))


def chi2(pair: Pair) -> Distance | None:
    """Pearson's chi-square of homogeneity; of fit if the reference is exact.

    The effect is the part of chi2 (1/n + 1/m) that is not noise, comparable with PSI.
    """
    if pair.noise is None:
        return None
    current, reference = pair.shapes
    n, m = current.sum(), reference.sum()
    p, q = current / n, reference / m
    pooled = q if pair.exact else (current + reference) / (n + m)
    square = float(((p - q) ** 2 / np.where(pooled > 0, pooled, 1)).sum())
    value, degrees = square / pair.noise, len(p) - 1
    if pair.kind == "numeric" and not pair.exact:
        # The cells are quantiles of the reference, so its counts are given and the true shares
        # vary around them: with few reference rows the pooled law is .07 where .05 is meant.
        mean = (p + q) / 2
        square = float(((p - q) ** 2 / np.where(mean > 0, mean, 1)).sum())
    return _shape(value, square, degrees, pair.noise)


def ks(pair: Pair) -> Distance | None:
    """Kolmogorov-Smirnov distance, 0..1; numeric only, missing values left out."""
    if pair.noise is None or pair.ordered is None:
        return None
    p, q, _, laws = _border_laws(pair)
    value, judged = float(ks_values(*pair.ordered)), float(ks_values(p, q))
    return _border(value, judged, laws[0], pair.noise)


def wasserstein(pair: Pair) -> Distance | None:
    """Wasserstein-1 in reference standard deviations; numeric only, missing values left out.

    Values beyond the reference's range count as its ends, so this is a lower bound there.
    """
    if pair.noise is None or pair.ordered is None or pair.units is None:
        return None
    p, q, place, laws = _border_laws(pair)
    value = float(wasserstein_values(*pair.ordered, pair.units))
    return _border(value, float(wasserstein_values(p, q, place)), laws[1], pair.noise)


DISTANCES: dict[str, Callable[[Pair], Distance | None]] = {
    "psi": psi,
    "js": js,
    "ks": ks,
    "wasserstein": wasserstein,
    "chi2": chi2,
    "hellinger": hellinger,
}
"""Every distance by its name in a configuration."""


def _smooth(pair: Pair) -> tuple[Floats, Floats]:
    current, reference = pair.shapes
    p = current + _HALF
    q = reference if pair.exact and reference.all() else reference + _HALF
    return p / p.sum(), q / q.sum()


def _shape(value: float, square: float, degrees: int, noise: float) -> Distance:
    """Judge a `square` that is noise * chi2(degrees) without change."""
    p_value = float(special.chdtrc(degrees, square / noise)) if degrees else 1.0
    effect = max(0.0, square - degrees * noise)
    return Distance(value=value, effect=effect, p_value=p_value, degrees=degrees)


def _with_effect(judged: Distance, effect: float) -> Distance:
    return Distance(
        value=judged.value, effect=effect, p_value=judged.p_value, degrees=judged.degrees
    )


def _border(value: float, judged: float, law: Law, noise: float) -> Distance:
    """Judge a distance between distribution functions; noise adds to it in quadrature."""
    effect = float(np.sqrt(max(0.0, judged**2 - law.square * noise)))
    p_value = law.p_value(judged / np.sqrt(noise))
    return Distance(value=value, effect=effect, p_value=p_value, degrees=None)


def _border_laws(pair: Pair) -> tuple[Floats, Floats, Floats, tuple[Law, Law]]:
    """Shares of both (k,), places of the merged cells (k,), laws of KS and W1."""
    current, reference = pair.current[:-1].astype(float), pair.reference[:-1].astype(float)
    wanted = min(current.sum(), reference.sum()) / ENOUGH
    cells = max((step for step in BORDER_CELLS if step <= wanted), default=BORDER_CELLS[0])
    group = ordered_groups(current, reference, cells)
    c, r = gather(current, group), gather(reference, group)
    p, q = c / c.sum(), r / r.sum()
    units = pair.units
    if units is None:
        place = np.arange(len(p), dtype=float)
    else:
        weight = reference + 1e-9  # an empty cell still has a place
        place = gather(units * weight, group) / gather(weight, group)
    # The law is the reference's, so that it is simulated once and not again for every window.
    steady = np.maximum(r, _HALF)
    return p, q, place, bridge_laws(steady / steady.sum(), np.diff(place))
