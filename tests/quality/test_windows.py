"""Q13: p-values of window distances are right without change, and the tests have power."""

import numpy as np
import pytest

from detectors.distances import DISTANCES, Pair
from detectors.grid import numeric_grid

SEED = 20261121
SIZES = (100, 200, 500, 1000, 5000)


def rejections(name, n, m, runs, shift=0.0, seed=SEED):
    """Share of runs with p <= .05, for a window of n rows against a reference of m."""
    rng = np.random.default_rng([seed, n, m])
    found = 0
    for _ in range(runs):
        reference = rng.normal(size=m)
        grid = numeric_grid(reference)
        counts = [
            np.bincount(grid.codes(x), minlength=grid.width)
            for x in (rng.normal(size=n) + shift, reference)
        ]
        found += DISTANCES[name](Pair(*counts, values=grid.values)).p_value <= 0.05
    return found / runs


def categorical_rejections(name, n, m, runs):
    """The same for a category with a long tail."""
    rng = np.random.default_rng([SEED, n, m])
    shares = 1 / np.arange(1, 41)
    shares /= shares.sum()
    pairs = (
        Pair(*(rng.multinomial(k, shares) for k in (n, m)), "categorical") for _ in range(runs)
    )
    return sum(DISTANCES[name](pair).p_value <= 0.05 for pair in pairs) / runs


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize(("n", "m"), [(100, 100), (200, 500), (500, 200)])
def test_p_values_are_about_right_without_change(name, n, m):
    assert 0.05 == pytest.approx(rejections(name, n, m, 300), abs=0.04)


@pytest.mark.parametrize("name", DISTANCES)
def test_a_shift_of_a_fifth_of_a_standard_deviation_is_usually_found(name):
    assert rejections(name, 1000, 1000, 60, shift=0.2) >= 0.75


@pytest.mark.slow
@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("m", SIZES)
def test_p_values_are_right_without_change(name, n, m):
    """A rate of .05 over 1,500 runs has a standard error of .0056; .03 to .07 is the target."""
    assert 0.03 <= rejections(name, n, m, 1500) <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize("name", ["psi", "js", "chi2", "hellinger"])
@pytest.mark.parametrize(("n", "m"), [(100, 100), (100, 5000), (1000, 200), (5000, 5000)])
def test_p_values_of_categories_are_right_without_change(name, n, m):
    assert 0.03 <= categorical_rejections(name, n, m, 1500) <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize("name", DISTANCES)
def test_power_at_a_fifth_of_a_standard_deviation(name):
    assert rejections(name, 1000, 1000, 500, shift=0.2) >= 0.85
