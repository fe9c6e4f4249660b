"""Stability indices of many categorical signals at once, for every pane of a quiet stream.

Promises: the same numbers as `distances.psi` gives one by one (a test says so), in about a tenth
of the time.
Leaves to others: numeric signals (their cells merge by neighbours), everything but PSI.
"""

from collections.abc import Sequence

import numpy as np
from scipy import special

from detectors.arrays import Codes, Counts, Floats
from detectors.budget import Mask
from detectors.merging import ENOUGH

_HALF = 0.5
"""As in `distances`: half a row in every merged cell."""


class CategoryStability:
    """PSI of S windows against S references, each over the cells of its own grid.

    `dispersion` (S,) as in `distances.Pair`.
    """

    def __init__(self, references: Sequence[Counts], dispersion: Sequence[float]) -> None:
        self._widths = np.array([len(counts) for counts in references], np.intp)
        self._inside = np.arange(max(self._widths, default=0)) < self._widths[:, None]
        self._reference = self._stacked(references)
        self._rows = self._reference.sum(axis=1)
        self._dispersion = np.asarray(dispersion, float)

    def psi(self, windows: Sequence[Counts]) -> tuple[Floats, Floats]:
        """Bias-corrected PSI (S,) and p-values (S,); NaN where either side has no rows."""
        current = self._stacked(windows)
        n, m = current.sum(axis=1), self._rows
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = (np.minimum(n, m) / (n + m))[:, None] * (current + self._reference)
            noise = (1 / n + 1 / m) * self._dispersion
        judged = (n > 0) & (m > 0)
        noise[~judged] = 1.0  # whatever comes of it is not told
        value, cells = self._merged(current, np.where(self._inside, expected, np.inf))
        degrees = cells - 1
        effect = np.where(judged, np.maximum(0.0, value - degrees * noise), np.nan)
        p_value = np.where(degrees > 0, special.chdtrc(np.maximum(degrees, 1), value / noise), 1.0)
        return effect, np.where(judged, p_value, np.nan)

    def _merged(self, current: Floats, expected: Floats) -> tuple[Floats, Codes]:
        """PSI (S,) on merged cells, and how many those are (S,).

        The rarest cells make one group until it expects enough rows, as `category_groups` does:
        sorted by expectation, they are the first ones.
        """
        order = np.argsort(expected, axis=1, kind="stable")
        ordered = np.take_along_axis(expected, order, axis=1)
        rare = (ordered < ENOUGH).sum(axis=1)
        short = (np.cumsum(ordered, axis=1) < ENOUGH).sum(axis=1) + 1
        rare = np.where(rare > 0, np.minimum(np.maximum(rare, short), self._widths), 0)
        place = np.arange(order.shape[1])
        alone = (place >= rare[:, None]) & (place < self._widths[:, None])
        cells = alone.sum(axis=1) + (rare > 0)
        p, p_rare = self._shares(current, order, alone, cells)
        q, q_rare = self._shares(self._reference, order, alone, cells)
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = np.where(alone, (p - q) * np.log(p / q), 0.0).sum(axis=1)
            group = np.where(rare > 0, (p_rare - q_rare) * np.log(p_rare / q_rare), 0.0)
        return parts + group, cells

    def _shares(
        self, counts: Floats, order: Codes, alone: Mask, cells: Codes
    ) -> tuple[Floats, Floats]:
        """Smoothed shares of the cells that stand alone (S, k), and of the merged one (S,)."""
        ordered = np.take_along_axis(counts, order, axis=1)
        total = counts.sum(axis=1)
        whole = total + _HALF * cells
        merged = total - np.where(alone, ordered, 0.0).sum(axis=1) + _HALF
        return (ordered + _HALF) / whole[:, None], merged / whole

    def _stacked(self, vectors: Sequence[Counts]) -> Floats:
        """Vectors of different widths as rows of one matrix, zeros behind them."""
        out = np.zeros(self._inside.shape)
        out[self._inside] = np.concatenate(vectors) if vectors else ()
        return out
