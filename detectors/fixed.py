"""Fixed point: measured quantities as whole numbers, so that their sums are exact.

Promises: 1/1024 of a unit is the resolution, 256 units the largest magnitude; beyond it values
are winsorised, so one absurd value cannot own a mean. A sum of squares holds at least 2**27 rows
at the largest magnitude.
Leaves to others: choosing the unit (a reference standard deviation).
"""

import numpy as np

from detectors.arrays import Floats

STEPS = 2**10
"""Steps per unit."""

LARGEST = 2**18
"""Largest magnitude, in steps."""


def quantise(values: Floats, unit: float) -> Floats:
    """Whole numbers of steps (n,), held as floats; finite values only."""
    steps = values / unit
    steps *= STEPS
    np.rint(steps, out=steps)
    return np.clip(steps, -LARGEST, LARGEST, out=steps)
