"""References of the e-detector's tests."""

import numpy as np

from detectors.grid import numeric_grid
from detectors.reference import SignalReference

REFERENCE = np.random.default_rng(1).normal(size=5000)
GRID = numeric_grid(REFERENCE)


def numeric(values, grid=GRID):
    return np.bincount(grid.codes(values), minlength=grid.width)


def plain(kind, counts):
    counts = np.asarray(counts, np.int64)
    return SignalReference(
        kind=kind, counts=counts, rows=int(counts.sum()), dispersion=np.ones(len(counts))
    )


AGE = plain("numeric", numeric(REFERENCE))
COUNTRY = plain("categorical", [400, 300, 200, 100, 0, 0])
ERROR = plain("binary", [900, 100])


def random_reference(seed):
    rng = np.random.default_rng(seed)
    kind = ("numeric", "categorical", "binary")[seed % 3]
    width = 2 if kind == "binary" else int(rng.integers(4, 70))
    counts = rng.integers(0, 3, width) * rng.integers(0, 10 ** rng.integers(1, 5), width)
    return plain(kind, counts)
