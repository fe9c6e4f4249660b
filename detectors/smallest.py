"""Smallest: which shift of a mean an e-detector finds on average within so many rows.

Promises: an approximation without simulation; tests compare it with one.
Leaves to others: how many rows come in a day, which run length a budget asks for.
Source: the evidence of an alternative grows by the mean of its log weight under the shifted law,
and must reach the logarithm of the run length over the alternative's prior share (Shin, Ramdas,
Rinaldo 2024, section 4).
"""

from math import log

import numpy as np
from scipy import special

from detectors.alternatives import Alternative, alternatives
from detectors.arrays import Floats
from detectors.grid import MAX_CELLS
from detectors.reference import SignalReference

_LARGEST = 4.0
"""Standard deviations; every alternative finds such a shift at once."""


def smallest_shift(
    rows: float, run_length: float, *, tolerance: float, reference_rows: int, pane_rows: float
) -> float | None:
    """Standard deviations found within `rows` rows on average; None if none is.

    `run_length` is in panes of `pane_rows` rows; rows are independent.
    """
    reference = _evenly(reference_rows)
    found = [one for one in alternatives(reference, tolerance) if one.change.direction == "up"]

    def seen(shift: float) -> bool:
        law = np.append(np.diff(special.ndtr(reference.borders - shift)), 0.0)
        return any(
            _gain(one, law) * max(rows - pane_rows, pane_rows)
            >= log(max(run_length, 1.0)) - log(one.prior)
            for one in found
        )

    low, high = tolerance, _LARGEST
    if not seen(high):
        return None
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high


def _gain(one: Alternative, law: Floats) -> float:
    """Mean evidence per row under a law of cells (width,)."""
    score = one.base + (one.cells if one.cells is not None else np.zeros(len(law)))
    if one.cells is None:
        score = score.copy()
        score[list(one.change.cells)] += one.extra
    return float(law @ score)


def _evenly(rows: int) -> SignalReference:
    """A reference of so many rows, as even over its quantile cells as whole numbers allow."""
    cells = min(MAX_CELLS, max(4, rows // 4))
    counts = np.full(cells, rows // cells, np.int64)
    counts[: rows % cells] += 1
    counts = np.concatenate([[0], counts, [0, 0]])
    return SignalReference(kind="numeric", counts=counts, rows=rows, dispersion=np.ones(cells + 3))
