"""Distances: one list of checks for all of them, oracles and conformance values."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from detectors.distances import (
    DISTANCES,
    Pair,
    chi2,
    hellinger,
    hellinger_values,
    js,
    js_values,
    ks,
    ks_values,
    psi,
    psi_values,
    wasserstein,
    wasserstein_values,
)
from detectors.grid import NumericGrid, numeric_grid
from detectors.merging import ENOUGH, category_groups, gather, quantile_groups

every_distance = pytest.mark.parametrize("name", DISTANCES)


def pair_of(n, m, shift=0.0, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    reference = rng.normal(size=m) * scale
    current = (rng.normal(size=n) + shift) * scale
    grid = numeric_grid(reference)
    counts = [np.bincount(grid.codes(x), minlength=grid.width) for x in (current, reference)]
    return Pair(*counts, values=grid.values)


def categories(current, reference, **kw):
    return Pair(np.array(current), np.array(reference), kind="categorical", **kw)


@every_distance
def test_the_same_counts_are_at_no_distance(name):
    counts = pair_of(1000, 1000).reference
    grid_values = pair_of(1000, 1000).values
    found = DISTANCES[name](Pair(counts, counts, values=grid_values))
    assert 0 == pytest.approx(found.value, abs=1e-12)
    assert 0 == found.effect
    assert found.p_value > 0.99


@every_distance
def test_nothing_to_judge_is_none(name):
    empty, full = np.zeros(67, np.int64), pair_of(100, 100).reference[:1].repeat(67) + 1
    values = np.arange(67.0)
    for pair in (Pair(empty, full, values=values), Pair(full, empty, values=values)):
        assert DISTANCES[name](pair) is None


@every_distance
def test_a_large_shift_is_certain_and_a_larger_one_is_further(name):
    near, far = (DISTANCES[name](pair_of(1000, 1000, d)) for d in (0.5, 1.0))
    assert near.p_value < 1e-6
    assert 0 < near.effect < far.effect
    assert near.effect <= near.value


@every_distance
def test_distances_do_not_depend_on_the_unit(name):
    expected = astuple(DISTANCES[name](pair_of(500, 500, 0.3)))[:3]
    for scale in (1e-6, 1e6):
        moved = astuple(DISTANCES[name](pair_of(500, 500, 0.3, scale=scale)))[:3]
        assert expected == pytest.approx(moved, rel=1e-4)


@every_distance
@given(seed=st.integers(0, 10**6))
def test_any_counts_give_finite_numbers_in_range(name, seed):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 20))
    sizes = rng.integers(0, 3, (2, size + 3)) * rng.integers(0, 10**6, (2, size + 3))
    values = np.append(np.sort(rng.normal(size=size + 2)), np.nan)
    for kind in ("numeric", "categorical"):
        found = DISTANCES[name](Pair(sizes[0], sizes[1], kind=kind, values=values))
        if found is not None:
            assert np.isfinite([found.value, found.effect, found.p_value]).all()
            assert found.value >= 0
            assert 0 <= found.p_value <= 1


@every_distance
def test_one_merged_cell_is_no_evidence(name):
    """Found by the test above: a single cell has no border to compare at."""
    reference, current = np.array([0, 9000, 0, 0]), np.array([0, 50, 2, 0])
    found = DISTANCES[name](Pair(current, reference, values=np.array([1.0, 1.0, 2.0, np.nan])))
    assert found is None or (0, 1) == (found.effect, found.p_value)


@every_distance
def test_dispersion_makes_the_same_difference_less_certain(name):
    plain = pair_of(500, 500, 0.2)
    bursts = Pair(plain.current, plain.reference, values=plain.values, dispersion=3.0)
    assert DISTANCES[name](plain).p_value < DISTANCES[name](bursts).p_value
    assert DISTANCES[name](plain).effect >= DISTANCES[name](bursts).effect


@pytest.mark.parametrize("name", ["psi", "js", "chi2", "hellinger"])
def test_a_constant_that_changed_its_value_is_seen(name):
    grid = numeric_grid(np.full(500, 7.0))
    reference, current = (
        np.bincount(grid.codes(np.full(500, x)), minlength=grid.width) for x in (7.0, 8.0)
    )
    assert DISTANCES[name](Pair(current, reference)).p_value < 1e-10


@pytest.mark.parametrize("name", ["psi", "js", "chi2", "hellinger"])
def test_many_missing_values_are_seen(name):
    pair = pair_of(200, 5000)
    current = pair.current // 2
    current[-1] = pair.current.sum() - current.sum()
    assert DISTANCES[name](Pair(current, pair.reference)).p_value < 1e-10


@pytest.mark.parametrize("name", ["ks", "wasserstein"])
def test_order_means_nothing_for_categories(name):
    assert DISTANCES[name](categories([50, 50, 0, 0], [70, 30, 0, 0])) is None


def test_conformance_js_and_hellinger_of_abcd_and_abce():
    pair = categories([1, 1, 1, 1, 0], [1, 1, 1, 0, 1])
    assert 0.5 == pytest.approx(js(pair).value, abs=1e-6)
    assert 0.5 == pytest.approx(hellinger(pair).value, abs=1e-6)


def test_conformance_chi2_of_fit_and_hellinger_of_six_cells():
    pair = categories([16, 16, 16, 16, 16, 8], [16, 18, 16, 14, 12, 12], exact=True)
    assert 0.67309 == pytest.approx(chi2(pair).p_value, abs=1e-5)
    assert 0.06812 == pytest.approx(hellinger(pair).value, abs=1e-5)


def test_chi2_of_homogeneity_equals_scipy():
    table = np.array([[160, 180, 160, 140, 120, 120], [210, 160, 150, 166, 100, 90]])
    expected = stats.chi2_contingency(table)
    found = chi2(categories(*table))
    assert expected.statistic == pytest.approx(found.value, rel=1e-12)
    assert expected.pvalue == pytest.approx(found.p_value, rel=1e-9)


def test_js_equals_scipy():
    rng = np.random.default_rng(3)
    p, q = rng.integers(0, 50, (2, 30))
    expected = jensenshannon(p, q, base=2)
    assert expected == pytest.approx(js(categories(p, q)).value, rel=1e-12)


def test_ks_equals_scipy_when_every_value_is_a_cell():
    rng = np.random.default_rng(4)
    a, b = rng.integers(0, 40, 300), rng.integers(0, 50, 200)
    grid = NumericGrid((*range(50), 49))
    counts = [np.bincount(grid.codes(x.astype(float)), minlength=grid.width) for x in (a, b)]
    expected = stats.ks_2samp(a, b).statistic
    assert expected == pytest.approx(ks(Pair(*counts)).value, abs=1e-12)


def test_wasserstein_equals_scipy_in_reference_standard_deviations():
    pair = pair_of(400, 600, 0.4)
    keep = slice(0, -1)
    expected = stats.wasserstein_distance(
        pair.values[keep], pair.values[keep], pair.current[keep], pair.reference[keep]
    )
    sd = np.sqrt(np.cov(pair.values[keep], fweights=pair.reference[keep], ddof=0))
    assert expected / sd == pytest.approx(wasserstein(pair).value, rel=1e-9)


def test_psi_effect_is_free_of_sampling_noise():
    effects = [psi(pair_of(200, 200, seed=s)).effect for s in range(200)]
    values = [psi(pair_of(200, 200, seed=s)).value for s in range(200)]
    assert 0.07 == pytest.approx(np.mean(values), abs=0.01)  # (8 - 1) (1/200 + 1/200)
    assert np.mean(effects) < 0.02


def test_stacked_values_equal_single_ones():
    rng = np.random.default_rng(5)
    p, q = rng.dirichlet(np.ones(64), (2, 50))
    values = np.sort(rng.normal(size=(50, 64)))
    for stacked in (psi_values, js_values, hellinger_values, ks_values):
        np.testing.assert_allclose(
            [float(stacked(a, b)) for a, b in zip(p, q, strict=True)], stacked(p, q), rtol=1e-12
        )
    np.testing.assert_allclose(
        [float(wasserstein_values(*row)) for row in zip(p, q, values, strict=True)],
        wasserstein_values(p, q, values),
        rtol=1e-12,
    )


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=40))
def test_rare_categories_are_merged_until_they_suffice(expected):
    weights = np.array(expected)
    group = category_groups(weights)
    merged = gather(weights, group)
    assert weights.sum() == pytest.approx(merged.sum())
    assert len(merged) == 1 or merged.min() >= ENOUGH - 1e-9


def test_equal_cells_make_equal_groups():
    assert np.repeat(range(8), 8).tolist() == quantile_groups(np.ones(64), 8).tolist()
