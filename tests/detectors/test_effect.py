"""Effects: how far, how sure, and where."""

import numpy as np
import pytest

from detectors.effect import effect
from detectors.grid import numeric_grid
from detectors.reference import SignalReference, reference_of

X = np.random.default_rng(1).normal(50, 10, 20_000)
GRID = numeric_grid(X)


def counted(values):
    return np.bincount(GRID.codes(values), minlength=GRID.width)


AGE = reference_of("numeric", np.array([counted(part) for part in X.reshape(100, 200)]))
COUNTRY = SignalReference(
    kind="categorical",
    counts=np.array([4000, 3000, 2000, 1000, 0, 0]),
    rows=10_000,
    dispersion=np.ones(6),
)


def window(mean, sd, n=20_000, seed=2):
    return counted(np.random.default_rng(seed).normal(mean, sd, n))


def test_a_shift_of_the_mean_is_in_reference_standard_deviations():
    found = effect(window(55, 10), AGE)
    assert 0.5 == pytest.approx(found.mean.shift, abs=0.03)
    assert 1 == pytest.approx(found.spread_ratio, abs=0.05)


def test_a_wider_spread_is_a_ratio():
    found = effect(window(50, 12), AGE)
    assert 0 == pytest.approx(found.mean.shift, abs=0.03)
    assert 1.2 == pytest.approx(found.spread_ratio, abs=0.05)


def test_errors_are_those_of_repeated_windows():
    found = [effect(window(50, 10, 500, seed), AGE) for seed in range(300)]
    spread = np.std([e.mean.shift for e in found])
    assert spread == pytest.approx(found[0].mean.error, rel=0.2)
    assert np.std([e.spread.shift for e in found]) == pytest.approx(found[0].spread.error, rel=0.25)


def test_an_unchanged_window_is_inside_and_a_changed_one_outside():
    inside = [effect(window(50, 10, 500, seed), AGE).inside(0.1) for seed in range(100)]
    assert np.mean(inside) > 0.95
    assert not effect(window(54, 10), AGE).inside(0.1)
    assert effect(window(54, 10), AGE).inside(0.5)
    assert not effect(window(50, 13), AGE).inside(0.1)


def test_a_category_that_vanished_leads():
    found = effect(np.array([500, 375, 0, 125, 0, 0]), COUNTRY)
    first = found.leading[0]
    assert (2, 2, 0.2, 0.0) == (
        first.first,
        first.last,
        first.reference_ratio,
        first.current_ratio,
    )
    assert -2 * np.arcsin(np.sqrt(0.2)) == pytest.approx(first.shift)
    assert (found.mean, found.spread, found.spread_ratio) == (None, None, None)
    assert found.size == abs(first.shift)
    assert not found.inside(0.1)


def test_missing_values_have_an_effect_on_numeric_signals_too():
    current = window(50, 10, 1000)
    current[-1] += 400
    found = effect(current, AGE)
    assert GRID.width - 1 == found.leading[0].first == found.leading[0].last
    assert 0 == pytest.approx(found.mean.shift, abs=0.15)
    assert not found.inside(0.1)


def test_numeric_cells_lead_as_ranges():
    found = effect(window(70, 3), AGE)
    top = found.leading[0]
    assert top.last > top.first
    assert top.current_ratio > 0.5
    assert 0.125 == pytest.approx(top.reference_ratio, abs=0.01)


def test_a_constant_signal_has_cells_but_no_moments():
    grid = numeric_grid(np.full(100, 3.0))
    counts = np.bincount(grid.codes(np.full(100, 3.0)), minlength=grid.width)
    reference = reference_of("numeric", counts[None])
    found = effect(np.array([0, 0, 50, 0]), reference)
    assert not found.inside(0.1)
    assert 2 == found.leading[0].first or 1 == found.leading[0].first
    assert np.isfinite([found.size, found.error]).all()


def test_nothing_to_compare_is_none():
    assert effect(np.zeros(6, np.int64), COUNTRY) is None
    empty = reference_of("categorical", np.zeros((3, 6), np.int64))
    assert effect(np.ones(6, np.int64), empty) is None
