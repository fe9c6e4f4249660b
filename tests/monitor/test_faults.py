"""Faults of a column, seen in the counts since its change."""

import numpy as np
import pytest

from detectors.grid import category_grid, numeric_grid
from detectors.reference import SignalReference, reference_of
from streams.monitor.faults import fault, is_stuck_at_usual
from streams.signals import Signal

WIDTH = 22
"""Cells: numbers have one below, nineteen, one above and missing; categories unseen, missing."""


def signal(kind="numeric", name="feature:x"):
    """A signal of that many cells."""
    return Signal(name, kind, tuple(map(str, range(WIDTH))), None, important=True)


def reference(kind="numeric", shares=None):
    """Normal: all cells but the outermost and the missing one are equally likely."""
    counts = np.full(WIDTH, 50) if shares is None else np.round(np.array(shares) * 1000)
    counts[-1] = 0
    if kind == "numeric":
        counts[[0, -2]] = 0
    else:
        counts[-2] = 0
    counts = counts.astype(np.int64)
    return SignalReference(
        kind=kind, counts=counts, rows=int(counts.sum()), dispersion=np.ones(WIDTH)
    )


def drawn(shares, rows, seed=5):
    """Counts of rows drawn of these shares."""
    shares = np.array(shares, float)
    return np.random.default_rng(seed).multinomial(rows, shares / shares.sum())


def usual(kind="numeric"):
    """The shares of the reference."""
    return reference(kind).counts.astype(float)


def mixed(share, cell, kind="numeric"):
    """The usual shares, with this share of the rows in one cell."""
    was = usual(kind) / usual(kind).sum()
    point = np.zeros(WIDTH)
    point[cell] = 1
    return (1 - share) * was + share * point


@pytest.mark.parametrize(
    ("expected", "shares", "rows", "kind"),
    [
        (None, usual(), 500, "numeric"),
        ("constant", mixed(1.0, 5), 30, "numeric"),
        ("constant", mixed(0.6, 5), 200, "numeric"),
        ("rescaled", mixed(0.9, WIDTH - 2), 40, "numeric"),
        (None, mixed(0.3, WIDTH - 2), 200, "numeric"),
        (None, mixed(0.2, 5), 200, "numeric"),
        (None, mixed(0.6, 5), 40, "numeric"),
        (None, usual() * np.linspace(0, 9, WIDTH) ** 3, 400, "numeric"),
        ("constant", mixed(0.95, 3, "categorical"), 80, "categorical"),
        (None, mixed(0.6, 3, "categorical"), 400, "categorical"),
        ("rescaled", mixed(0.8, WIDTH - 2, "categorical"), 40, "categorical"),
        (None, mixed(0.05, WIDTH - 2, "categorical"), 400, "categorical"),
    ],
)
def test_a_fault_has_its_own_pattern(expected, shares, rows, kind):
    """Stuck, filled, rescaled or recoded columns are told from drifts and from new values."""
    assert expected == fault(signal(kind), reference(kind), drawn(shares, rows))


@pytest.mark.parametrize("share", [0.7, 1.0])
@pytest.mark.parametrize("end", [0, WIDTH - 2])
def test_outcomes_may_leave_their_range_where_a_feature_may_not(share, end):
    """A target that grows ends above all that was known, and in many values; one value is stuck."""
    rows = drawn(mixed(share, end), 200)
    assert fault(signal(), reference(), rows) in ("rescaled", "constant")
    for name in ("label", "prediction"):
        assert fault(signal(name=name), reference(), rows) is None
        assert "constant" == fault(signal(name=name), reference(), drawn(mixed(1.0, 5), 200))


@pytest.mark.parametrize("upwards", [True, False])
def test_a_column_that_has_moved_half_out_of_its_range_is_not_in_another_unit(upwards):
    """Summer after a reference of winter: what is still in the range stands at its end."""
    moved = np.zeros(WIDTH)
    moved[-2], moved[-4:-2] = 0.55, 0.45 / 2
    there = moved if upwards else np.append(moved[-2::-1], 0.0)
    assert fault(signal(), reference(), drawn(there, 200)) is None
    scattered = mixed(0.6, WIDTH - 2 if upwards else 0)
    assert "rescaled" == fault(signal(), reference(), drawn(scattered, 200))


def test_few_rows_say_nothing():
    """A handful of equal values may be chance."""
    assert fault(signal(), reference(), drawn(mixed(1.0, 5), 10)) is None


def test_a_drift_is_rarely_taken_for_a_filled_column():
    """A population that moves into one region moves the proportions of the others too."""
    cells = np.arange(WIDTH)
    for seed, center in enumerate(range(3, 19)):
        moved = usual() * np.exp(-0.5 * ((cells - center) / 1.2) ** 2)
        assert fault(signal(), reference(), drawn(moved, 400, seed)) is None


ROWS = 300
"""Rows since the change."""

LAWS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "around a half": lambda rng, n: rng.normal(0.5, 1, n),
    "far from nought": lambda rng, n: rng.normal(50, 10, n),
    "exponential": lambda rng, n: rng.exponential(7, n),
    "three orders of magnitude": lambda rng, n: np.exp(3 * rng.normal(size=n)),
    "no mean": lambda rng, n: 10 * rng.pareto(0.8, n),
    "mostly nought": lambda rng, n: np.where(rng.random(n) < 0.7, 0, np.exp(rng.normal(4, 1, n))),
    "bounded": lambda rng, n: rng.beta(0.2, 0.2, n),
    "counts": lambda rng, n: rng.poisson(40, n).astype(float),
    "mostly missing": lambda rng, n: np.where(rng.random(n) < 0.7, np.nan, rng.normal(5, 1, n)),
    "with far outliers": lambda rng, n: np.where(rng.random(n) < 0.02, 1e6, rng.normal(size=n)),
}


def seen(law, change, seed=3, reference_rows=5000, rows=ROWS):
    """The fault of a column of a law (counted by its grid) after a change of its values."""
    rng = np.random.default_rng(seed)
    before, after = LAWS[law](rng, reference_rows), change(LAWS[law](rng, rows), rng)
    grid = numeric_grid(before)
    counts = lambda values: np.bincount(grid.codes(values), minlength=grid.width)
    known = reference_of("numeric", counts(before)[None])
    values = tuple(grid.values.tolist())
    one = Signal("feature:x", "numeric", grid.names, values, important=True, edges=grid.edges)
    return fault(one, known, counts(after))


@pytest.mark.parametrize("factor", [100, 1000, 0.01, 1 / 60])
@pytest.mark.parametrize("law", LAWS)
def test_another_unit_is_told_whatever_the_law(law, factor):
    """Cents for euros: no matter how much of the column stays within its range."""
    assert seen(law, lambda values, _: values * factor) in ("rescaled", "constant")


@pytest.mark.parametrize("law", ["far from nought", "exponential", "mostly nought"])
def test_another_sign_is_told(law):
    """Values times minus one, where the law is not the same on both sides."""
    assert seen(law, lambda values, _: -values) in ("rescaled", "constant")


@pytest.mark.parametrize("law", LAWS)
def test_a_column_that_only_says_its_default_is_stuck(law):
    """Also where the default was frequent before, and where most values are missing."""
    default = lambda values, _: np.where(np.isnan(values), values, 0.0)
    assert "mostly nought" == law or "constant" == seen(law, default)


def test_a_mean_that_passes_nought_is_not_another_sign():
    """A symmetric column around .5 that is around -.5 later has drifted."""
    for seed in range(20):
        assert seen("around a half", lambda values, _: values - 1, seed) is None


@pytest.mark.parametrize("reference_rows", [120, 250, 1000])
def test_chance_is_not_taken_for_another_sign(reference_rows):
    """A symmetric column that moves a little is not its own mirror image."""
    for seed in range(100):
        move = lambda values, _: values - 0.2
        assert seen("normal", move, seed, reference_rows, rows=500) is None


@pytest.mark.parametrize("law", LAWS)
def test_no_change_and_dearer_rows_are_no_fault(law):
    """A factor of 1.6 is what prices do; chance is no fault either."""
    for seed in range(5):
        assert seen(law, lambda values, _: values, seed) is None
        if law in ("far from nought", "exponential", "mostly nought"):
            assert seen(law, lambda values, _: values * 1.6, seed) is None


def told(shares, change, rows=ROWS, seed=4):
    """The fault of a category of such shares after a change of its values."""
    rng = np.random.default_rng(seed)
    names = np.array([f"c{i}" for i in range(len(shares))], object)
    draw = lambda n: rng.choice(names, n, p=np.array(shares) / sum(shares))
    before = draw(5000)
    grid = category_grid(list(before))
    counts = lambda values: np.bincount(grid.codes(list(values)), minlength=grid.width)
    known = reference_of("categorical", counts(before)[None])
    one = Signal("feature:x", "categorical", grid.names, None, important=True)
    return fault(one, known, counts(change(draw(rows), rng)))


SKEWED = 1 / np.arange(1, 13) ** 1.2


@pytest.mark.parametrize("shares", [SKEWED, np.ones(40), [74, 22, 3, 1], [90, 10]])
def test_a_category_that_is_renamed_is_recoded(shares):
    """It is gone, something unknown has its rows, and the others stand."""
    rename = lambda values, _: np.where(values == "c0", "C0", values)
    rows = 300 if len(shares) < 20 else 1000
    assert "rescaled" == told(shares, rename, rows)

    others = lambda values, _: np.where(values == "c0", values, "C0")
    assert told(shares, others, rows) in ("rescaled", "constant")


@pytest.mark.parametrize("share", [0.02, 0.05, 0.25])
@pytest.mark.parametrize("shares", [SKEWED, np.ones(40), [74, 22, 3, 1], [90, 10]])
def test_a_new_category_beside_the_others_is_no_fault(shares, share):
    """Valid new values take their rows from all, and none is gone."""
    new = lambda values, rng: np.where(rng.random(len(values)) < share, "new", values)
    assert told(shares, new) is None


def test_a_category_that_is_gone_without_a_successor_is_no_fault():
    """People of one group who are not there any more are a drift."""
    assert told([40, 30, 20, 10], lambda values, _: values[values != "c3"]) is None


@pytest.mark.parametrize(
    ("expected", "was", "now"),
    [
        (True, [70, 20, 10, 0, 0], [300, 0, 0, 0, 0]),
        (True, [70, 20, 10, 0, 50], [300, 0, 0, 0, 100]),
        (False, [70, 20, 10, 0, 0], [290, 10, 0, 0, 0]),
        (False, [30, 60, 10, 0, 0], [300, 0, 0, 0, 0]),
        (False, [98, 1, 1, 0, 0], [300, 0, 0, 0, 0]),
        (False, [70, 20, 10, 0, 0], [15, 0, 0, 0, 0]),
    ],
)
def test_a_column_may_be_stuck_at_its_usual_value(expected, was, now):
    """Only if that was not nearly all it ever said, and enough rows should have said another."""
    counts = np.array(was) * 10
    known = SignalReference(
        kind="categorical", counts=counts, rows=int(counts.sum()), dispersion=np.ones(5)
    )
    assert expected == is_stuck_at_usual(known, np.array(now))
