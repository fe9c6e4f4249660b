"""Laws of Kolmogorov-Smirnov and Wasserstein distances on a few cells, by simulation.

Without change the difference of two empirical distribution functions, times
1 / sqrt(1/n + 1/m), tends to a Brownian bridge seen at the cell borders. Its largest and its
weighted absolute value are simulated once per cells and kept.

Promises: a fixed seed, so the same question always has the same answer; probabilities far in the
tail follow the Gaussian tail of Borell and TIS instead of ending at one in the number of draws.
Leaves to others: choosing the cells (`merging`).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from detectors.arrays import Floats

DRAWS = 8192
"""Simulated bridges: a p-value of .05 is known to .0024."""

_SEED = 20260101
_TAIL = 0.01
"""From here on the tail is extrapolated."""
_KEPT = 512
"""Questions remembered; 64 KiB each."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Law:
    """A simulated distribution: sorted draws, mean of their squares, the tail's variance."""

    draws: npt.NDArray[np.float32]
    square: float
    variance: float

    def p_value(self, statistic: float) -> float:
        """Probability of a larger statistic without change."""
        n = len(self.draws)
        start = float(self.draws[int(n * (1 - _TAIL))])
        if statistic > start and self.variance > 0:
            decay = (statistic**2 - start**2) / (2 * self.variance)
            return float(_TAIL * np.exp(-decay))
        return float((n - np.searchsorted(self.draws, statistic) + 1) / (n + 1))


def bridge_laws(shares: Floats, gaps: Floats) -> tuple[Law, Law]:
    """Laws of max |bridge| and of sum gap |bridge| at the inner borders of cells.

    `shares` (k,) of the cells sum to 1; `gaps` (k - 1,) are the distances between neighbouring
    cells.
    """
    return _simulate(tuple(np.round(shares, 6).tolist()), tuple(np.round(gaps, 6).tolist()))


@lru_cache(maxsize=_KEPT)
def _simulate(shares: tuple[float, ...], gaps: tuple[float, ...]) -> tuple[Law, Law]:
    p = np.array(shares)
    p /= p.sum()
    gap = np.array(gaps)
    rng = np.random.default_rng(_SEED)
    walk = np.cumsum(rng.standard_normal((DRAWS, len(p))) * np.sqrt(p), axis=1)
    border = np.cumsum(p)[:-1]
    bridge = np.abs(walk[:, :-1] - walk[:, -1:] * border)
    # The signed sum of gap * bridge is a difference of means: its variance is that of the values.
    place = np.concatenate([[0.0], np.cumsum(gap)])
    spread = float(p @ place**2 - (p @ place) ** 2)
    peak = float((border * (1 - border)).max(initial=0.0))
    return _law(bridge.max(axis=1, initial=0.0), peak), _law(bridge @ gap, spread)


def _law(draws: Floats, variance: float) -> Law:
    square = float(np.mean(draws**2))
    return Law(draws=np.sort(draws).astype(np.float32), square=square, variance=variance)
