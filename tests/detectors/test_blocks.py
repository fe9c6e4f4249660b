"""One list of checks for every summary block, and an oracle for each."""

from math import isfinite

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.grid import CategoryGrid, NumericGrid, category_grid, numeric_grid
from detectors.latency import Latency
from detectors.moments import Moments
from detectors.percentage import Percentage
from detectors.regression import Regression


def _floats(rng, n):
    column = rng.normal(size=n) * 100
    column[rng.random(n) < 0.1] = np.nan
    return column


BLOCKS = {
    "moments": (Moments(3.0, 50.0), (_floats,)),
    "regression": (Regression(3.0, 50.0), (_floats, _floats)),
    "percentage": (Percentage(), (_floats, _floats)),
    "latency": (Latency(), (_floats,)),
}
every_block = pytest.mark.parametrize("name", BLOCKS)


def _rows(name, seed, n=300, n_groups=4):
    block, makers = BLOCKS[name]
    rng = np.random.default_rng(seed)
    return block, [make(rng, n) for make in makers], rng.integers(0, n_groups, n), n_groups


@every_block
def test_counts_have_the_promised_shape_and_type(name):
    block, columns, groups, n_groups = _rows(name, 2)
    counts = block.count(*columns, groups=groups, n_groups=n_groups)
    assert (n_groups, block.width) == counts.shape
    assert np.int64 == counts.dtype


@every_block
@given(seed=st.integers(0, 10**6), cut=st.integers(0, 300))
def test_counting_parts_and_adding_equals_counting_all(name, seed, cut):
    block, columns, groups, n_groups = _rows(name, seed)
    whole = block.count(*columns, groups=groups, n_groups=n_groups)
    first = block.count(*(c[:cut] for c in columns), groups=groups[:cut], n_groups=n_groups)
    rest = block.count(*(c[cut:] for c in columns), groups=groups[cut:], n_groups=n_groups)
    np.testing.assert_array_equal(whole, first + rest)


@every_block
@given(seed=st.integers(0, 10**6))
def test_counting_does_not_depend_on_the_order_of_rows(name, seed):
    block, columns, groups, n_groups = _rows(name, seed)
    order = np.random.default_rng(seed).permutation(len(groups))
    np.testing.assert_array_equal(
        block.count(*columns, groups=groups, n_groups=n_groups),
        block.count(*(c[order] for c in columns), groups=groups[order], n_groups=n_groups),
    )


@every_block
def test_groups_are_counted_apart(name):
    block, columns, groups, n_groups = _rows(name, 3)
    counts = block.count(*columns, groups=groups, n_groups=n_groups)
    for group in range(n_groups):
        mine = groups == group
        alone = block.count(
            *(c[mine] for c in columns), groups=np.zeros(mine.sum(), int), n_groups=1
        )
        np.testing.assert_array_equal(alone[0], counts[group])


@every_block
def test_reading_nothing_gives_none_and_never_nan(name):
    block, _ = BLOCKS[name]
    for counts in (np.zeros(block.width, np.int64), np.eye(1, block.width, dtype=np.int64)[0]):
        read = vars(block.read(counts))
        assert all(isfinite(v) for v in read.values() if isinstance(v, float))
    assert 0 in vars(block.read(np.zeros(block.width, np.int64))).values()


@every_block
def test_blocks_are_values(name):
    block, _ = BLOCKS[name]
    assert hash(block) == hash(type(block)(**{k: getattr(block, k) for k in _fields(block)}))


def _fields(block):
    return block.__dataclass_fields__


def test_moments_equal_numpy():
    x = np.random.default_rng(4).normal(5, 2, 10_000)
    block = Moments(4.0, 3.0)
    read = block.read(block.count(x, groups=np.zeros(10_000, int), n_groups=1)[0])
    assert read.rows == 10_000
    assert read.mean == pytest.approx(x.mean(), abs=3 / 1024)
    assert read.sd == pytest.approx(x.std(ddof=1), rel=1e-4)


def test_moments_stay_exact_beyond_two_to_the_53():
    x = np.full(300_000, 1e9)
    counts = Moments(0.0, 1.0).count(x, groups=np.zeros(300_000, int), n_groups=1)[0]
    assert [300_000, 300_000 * 2**18, 300_000 * 2**36] == counts.tolist()


def test_regression_equals_its_formulas():
    rng = np.random.default_rng(5)
    y = rng.normal(50, 10, 5000)
    p = y + rng.normal(1, 3, 5000)
    block = Regression(50.0, 10.0)
    read = block.read(block.count(p, y, groups=np.zeros(5000, int), n_groups=1)[0])
    r = p - y
    assert read.bias == pytest.approx(r.mean(), abs=0.01)
    assert read.mae == pytest.approx(np.abs(r).mean(), rel=1e-3)
    assert read.rmse == pytest.approx(np.sqrt((r**2).mean()), rel=1e-3)
    assert read.r2 == pytest.approx(1 - (r**2).sum() / ((y - y.mean()) ** 2).sum(), abs=1e-3)


def test_percentages_equal_their_formula():
    rng = np.random.default_rng(5)
    y = rng.normal(50, 10, 5000)
    p = y + rng.normal(1, 3, 5000)
    block = Percentage()
    read = block.read(block.count(p, y, groups=np.zeros(5000, int), n_groups=1)[0])
    share = np.abs((p - y) / y)
    assert read.mean == pytest.approx(share.mean(), abs=1e-4)
    assert read.square == pytest.approx(np.sqrt((share**2).mean()), abs=1e-4)


def test_there_is_no_percentage_of_nothing_and_an_absurd_one_is_bounded():
    """Of four rows one label is 0 and one answer is missing; next to 0 the share is 256 at most."""
    guesses, labels = np.array([5.0, np.nan, 3.0, 3.0]), np.array([0.0, 1.0, 2.0, 1e-310])
    block = Percentage()
    read = block.read(block.count(guesses, labels, groups=np.zeros(4, int), n_groups=1)[0])
    assert 2 == read.rows
    assert (0.5 + 256) / 2 == read.mean


def test_latency_quantiles_keep_their_relative_error():
    x = np.random.default_rng(6).lognormal(3, 1, 20_000)
    block = Latency(relative_error=0.02)
    read = block.read(block.count(x, groups=np.zeros(20_000, int), n_groups=1)[0])
    expected = np.quantile(x, [0.5, 0.95, 0.99], method="inverted_cdf")
    np.testing.assert_allclose([read.p50_ms, read.p95_ms, read.p99_ms], expected, rtol=0.02)


def test_numeric_cells_hold_what_their_names_say():
    grid = NumericGrid((3, 17, 18, 46, 52))
    assert ("below 3", "3 to 16", "17", "18 to 45", "46 to 52", "above 52", "missing") == grid.names
    values = np.array([2.9, 3, 16, 17, 18, 45, 46, 52, 52.01, np.nan, -np.inf, np.inf])
    assert [0, 1, 1, 2, 3, 3, 4, 4, 5, 6, 0, 5] == grid.codes(values).tolist()
    assert grid.width == len(grid.names) == len(grid.values)


def test_a_constant_column_has_one_cell_for_exactly_its_value():
    grid = numeric_grid(np.full(100, 4.2))
    assert ("below 4.2", "4.2", "above 4.2", "missing") == grid.names
    assert [0, 1, 2, 3] == grid.codes(np.array([4.1, 4.2, 4.3, np.nan])).tolist()


def test_few_distinct_values_are_cells_of_their_own():
    grid = numeric_grid(np.repeat([1.0, 2.0, 5.0], 50))
    assert ("below 1", "1", "2 to 4", "5", "above 5", "missing") == grid.names


def test_a_numeric_grid_has_at_most_64_cells_of_equal_mass():
    x = np.random.default_rng(8).normal(size=6400)
    grid = numeric_grid(x)
    counts = np.bincount(grid.codes(x), minlength=grid.width)
    assert 64 + 3 == grid.width
    assert 0 == counts[0] == counts[-1] == counts[-2]
    assert 98 <= counts[1:-2].min()
    assert 102 >= counts[1:-2].max()


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("offset", [0.0, -3.0, 1e4])
def test_codes_do_not_change_with_unit_and_origin(scale, offset):
    rng = np.random.default_rng(9)
    reference, column = rng.normal(size=500), rng.normal(size=500)
    column[:50] = np.nan
    move = lambda x: scale * x + scale * offset
    expected = numeric_grid(reference).codes(column)
    np.testing.assert_array_equal(expected, numeric_grid(move(reference)).codes(move(column)))


def test_categories_stand_by_frequency_and_rare_ones_are_unseen():
    grid = category_grid(["b"] * 30 + ["a"] * 30 + ["c"] * 40 + ["rare"] * 19 + [None] * 5)
    assert ("c", "a", "b", "unseen", "missing") == grid.names
    assert [0, 3, 4, 3] == grid.codes(["c", "rare", None, "never"]).tolist()


def test_the_number_of_categories_is_bounded():
    values = [f"k{i:03}" for i in range(150)] * 20
    assert 102 == category_grid(values).width


def test_impossible_grids_are_refused():
    for edges in ((1.0,), (2.0, 1.0), (1.0, 1.0, 2.0), (0.0, float("nan"))):
        with pytest.raises(ValueError, match="edges"):
            NumericGrid(edges)
    with pytest.raises(ValueError, match="twice"):
        CategoryGrid(("a", "a"))
    with pytest.raises(ValueError, match="finite"):
        numeric_grid(np.array([np.nan]))
