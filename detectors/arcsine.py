"""Arcsine units: shares on a scale where the noise of an estimate does not depend on the share.

Promises: `angle` maps 0..1 to 0..pi and `share` undoes it; an estimate from n rows has standard
error 1 / sqrt(n) everywhere, also at 0 and 1; neither ever leaves its range.
Leaves to others: how large a difference is tolerated.
"""

import numpy as np
import numpy.typing as npt

from detectors.arrays import Floats


def angle(share: npt.ArrayLike) -> Floats:
    """h(p) = 2 asin(sqrt p)."""
    return np.asarray(2 * np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0))), float)


def share(of_angle: npt.ArrayLike) -> Floats:
    """The share at an angle; angles beyond 0..pi give 0 and 1."""
    return np.asarray(np.sin(np.clip(of_angle, 0.0, np.pi) / 2) ** 2, float)


def points_as_angle(at: float, points: float) -> float:
    """A tolerance of `points` (.02 = two percentage points) above the share `at`, as an angle."""
    return float(angle(at + points) - angle(at))
