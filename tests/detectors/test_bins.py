"""Bins: many columns at once, the same cells as one grid after the other."""

import numpy as np

from detectors.bins import Bins
from detectors.grid import NumericGrid, numeric_grid

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e308, -1e308, 5e-324]


def grids(r):
    """Four grids: smooth, of whole numbers, heavy-tailed, constant, of any magnitude."""
    kinds = (
        lambda: r.normal(size=500),
        lambda: r.integers(0, 9, 300).astype(float),
        lambda: np.exp(r.normal(size=500) * 3),
        lambda: np.array([3.0] * 10),
        lambda: r.normal(size=500) * 10.0 ** r.integers(-300, 300),
    )
    return [numeric_grid(kinds[r.integers(5)]()) for _ in range(4)]


def test_cells_are_those_of_the_grids():
    """At, just above and just below every edge, between them, and for what is no number."""
    for seed in range(100):
        r = np.random.default_rng(seed)
        some, columns = grids(r), []
        for grid in some:
            e = np.array(grid.edges)
            near = [e, np.nextafter(e, np.inf), np.nextafter(e, -np.inf)]
            far = r.choice(e, 50) * r.normal(size=50)
            columns.append(np.resize(np.concatenate([*near, far, SPECIAL]), 400))
        values = np.stack(columns, axis=1)
        expected = np.stack([g.codes(values[:, i]) for i, g in enumerate(some)], axis=1)
        assert (expected == Bins(some).codes(values)).all(), f"seed {seed}"


def test_widest_range_is_searched():
    """A span that no float holds has no buckets, and still has cells."""
    grid = NumericGrid((-1.7e308, 0.0, 1.7e308))
    assert [[1], [2], [0]] == Bins([grid]).codes(np.array([[-1.0], [1.0], [-np.inf]])).tolist()
