"""Residuals: cells for the errors of numeric predictions, the same for good models and bad.

Promises: cells grow by a constant factor on both sides of 0, so a residual's cell is known to a
quarter of its size from 1/256 to 8 standard deviations of the labels; smaller ones count as 0.
Leaves to others: counting (`streams/profiler`), quantiles (`metrics.quantiles`).
"""

from typing import Final

import numpy as np

from detectors.grid import NumericGrid

SMALLEST: Final = 2.0**-8
LARGEST: Final = 2.0**3
"""Range that is told apart, in units of the labels' standard deviation."""

STEPS: Final = 3
"""Cells per doubling."""


def residual_grid(scale: float) -> NumericGrid:
    """The cells of prediction - label, `scale` being the standard deviation of the labels."""
    count = round(np.log2(LARGEST / SMALLEST) * STEPS)
    sizes = scale * SMALLEST * 2.0 ** (np.arange(count + 1) / STEPS)
    return NumericGrid((*(-sizes[::-1]).tolist(), *sizes.tolist()))
