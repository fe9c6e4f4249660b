"""Metrics and their intervals: scipy and brute force as oracles, coverage by simulation."""

from itertools import product
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from detectors.metrics import classes, expected, numbers, quantiles, ranking, scoring
from detectors.metrics.interval import Z, around, wilson
from detectors.metrics.kappa import kappa
from detectors.regression import Regression
from detectors.residuals import residual_grid

EDGES = tuple(np.linspace(0, 1, 21).tolist())
VALUES = np.concatenate([[0.0], (np.array(EDGES[:-1]) + np.array(EDGES[1:])) / 2, [1.0], [np.nan]])
CELLS = scoring.score_cells(EDGES, VALUES)


def counted(scores, labels):
    """Scores and labels as (negative, positive) counts per cell."""
    at = np.searchsorted(EDGES, scores, side="right")
    return (np.bincount(at[labels == one], minlength=len(VALUES)) for one in (0, 1))


@given(st.integers(1, 500), st.data())
def test_the_interval_of_a_share_is_that_of_scipy(rows, data):
    hits = data.draw(st.integers(0, rows))
    oracle = stats.binomtest(hits, rows).proportion_ci(method="wilson")
    found = wilson(hits, rows)
    assert oracle.low == pytest.approx(found.low, abs=1e-9)
    assert oracle.high == pytest.approx(found.high, abs=1e-9)


def test_dispersion_takes_rows_away_from_an_interval():
    assert wilson(20, 100).low == pytest.approx(wilson(80, 400, 4.0).low, abs=1e-12)


def test_where_nothing_was_counted_there_is_no_interval():
    nothing = np.zeros(len(VALUES), np.int64)
    assert wilson(0, 0) is None
    assert around(float("nan"), 1.0, 3) is None
    assert ranking.auc(nothing, nothing) is None
    assert scoring.brier(nothing, nothing, CELLS) is None
    assert scoring.ece(nothing, nothing, CELLS) is None
    assert quantiles.quantile(nothing, VALUES, 0.5) is None
    assert expected.shares_of(nothing, nothing) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auc_is_the_share_of_pairs_in_order(rows):
    x, y = (np.bincount([c for c, is_ in rows if is_ == b], minlength=6) for b in (False, True))
    pairs = list(product([c for c, b in rows if b], [c for c, b in rows if not b]))
    found = ranking.auc(x, y)
    if not pairs:
        assert found is None
        return
    won = sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs)
    assert won == pytest.approx(found.value)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert 2 * won - 1 == pytest.approx(ranking.gini(found).value)


def test_the_interval_of_an_auc_is_that_of_delong_on_rows():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 300)
    scores = np.floor(np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 0.999) * 20) / 20 + 0.025
    won = (scores[labels == 1][:, None] > scores[labels == 0]) * 1.0
    won += (scores[labels == 1][:, None] == scores[labels == 0]) * 0.5
    v1, v0 = won.mean(axis=1), won.mean(axis=0)
    error = np.sqrt(v1.var(ddof=1) / len(v1) + v0.var(ddof=1) / len(v0))
    assert error == pytest.approx(ranking.auc(*counted(scores, labels)).error, rel=1e-9)


def test_losses_of_cells_are_those_of_rows_within_their_blur():
    rng = np.random.default_rng(6)
    scores = rng.uniform(0.02, 0.98, 5000)
    labels = (rng.uniform(size=5000) < scores).astype(int)
    counts = tuple(counted(scores, labels))
    exact = {
        "brier": (scores - labels) ** 2,
        "log_loss": -np.log(np.where(labels == 1, scores, 1 - scores)),
    }
    for name, rows in exact.items():
        found = getattr(scoring, name)(*counts, CELLS)
        assert abs(found.interval.value - rows.mean()) <= found.blur
        assert abs(found.interval.value - rows.mean()) <= 0.01
        assert rows.std() / np.sqrt(5000) == pytest.approx(found.interval.error, rel=0.05)


def test_a_known_table_of_scores_has_the_textbook_losses():
    """Two cells at .25 and .75, three rows right and one wrong in each."""
    cells = scoring.score_cells((0.0, 0.5, 1.0), np.array([0.0, 0.25, 0.75, 1.0, np.nan]))
    counts = np.array([0, 3, 1, 0, 0]), np.array([0, 1, 3, 0, 0])
    assert 3 / 16 == pytest.approx(scoring.brier(*counts, cells).interval.value)
    entropy = -(3 * log(0.75) + log(0.25)) / 4
    assert entropy == pytest.approx(scoring.log_loss(*counts, cells).interval.value)
    assert pytest.approx(0, abs=1e-12) == scoring.ece(*counts, cells).value


def test_squeezed_scores_have_a_calibration_error():
    counts = tuple(np.bincount([1 + 2, 1 + 16], [900, 100][:: 1 - 2 * b], 23) for b in (1, 0))
    found = scoring.ece(*(one.astype(np.int64) for one in counts), CELLS)
    assert found.value > 0.02


TABLE = np.array([[50, 10, 0, 3], [5, 30, 1, 2], [0, 0, 0, 0], [1, 0, 0, 0]])
"""Predicted no, yes, unseen, missing, by label no, yes, unseen, missing (left out)."""


def test_the_qualities_of_a_table_are_those_of_the_textbook():
    found = classes.binary(TABLE, 1)
    assert 80 / 97 == classes.accuracy(TABLE, 2).value
    assert 30 / 36 == found["precision"].value
    assert 30 / 40 == found["recall"].value
    assert 60 / 76 == pytest.approx(found["f1"].value)
    assert 6 / 57 == found["false_positive_rate"].value
    assert 10 / 40 == found["false_negative_rate"].value
    assert (36 / 97, 97) == (found["positive_rate"].value, found["positive_rate"].rows)


def test_without_a_positive_class_qualities_are_means_over_classes():
    each = [classes.binary(TABLE, i) for i in (0, 1)]
    found = classes.macro(TABLE, 2)
    for name in ("precision", "recall", "f1"):
        assert sum(one[name].value for one in each) / 2 == pytest.approx(found[name].value)
    assert classes.macro(np.zeros((4, 4), np.int64), 2) == {}


def test_the_interval_of_f1_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(7)
    law = np.array([0.5, 0.1, 0.15, 0.25])  # tn, fp, fn, tp
    truth = 2 * 0.25 / (2 * 0.25 + 0.1 + 0.15)
    tables = rng.multinomial(400, law, 2000)
    inside = [f.low <= truth <= f.high for f in (classes.f1(t[3], t[1], t[2]) for t in tables)]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)


def test_the_intervals_of_regression_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(8)
    block = Regression(0.0, 2.0)
    truth = {"mae": np.sqrt(2 / np.pi), "rmse": 1.0, "bias": 0.0, "r2": 0.75}
    hits = dict.fromkeys(truth, 0)
    for _ in range(600):
        labels = rng.normal(0, 2, 400)
        sums = block.count(
            labels + rng.normal(0, 1, 400), labels, groups=np.zeros(400, np.intp), n_groups=1
        )
        for name, one in numbers.numbers(block, sums[0]).items():
            hits[name] += one.low <= truth[name] <= one.high
    assert {name: pytest.approx(0.95, abs=0.03) for name in truth} == {
        name: n / 600 for name, n in hits.items()
    }


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.sampled_from([0.1, 0.5, 0.9, 0.99]))
def test_a_quantile_is_an_order_statistic(rows, share):
    counts = np.bincount(rows, minlength=10)
    found = quantiles.quantile(counts, np.arange(10.0), share)
    assert sorted(rows)[int(np.ceil(share * len(rows))) - 1] == found.value
    assert found.low <= found.value <= found.high


def test_residuals_are_told_apart_at_every_size():
    grid = residual_grid(10.0)
    sizes = 10.0 * 2.0 ** np.arange(-8, 3)
    for size in (*sizes, *(-sizes)):
        told = grid.values[grid.codes(np.array([size * 1.01]))[0]]
        assert told == pytest.approx(size, rel=0.26)
    assert abs(grid.values[grid.codes(np.array([1e-3]))[0]]) < 1e-9


def test_the_expected_share_is_that_of_new_rows_with_the_old_meaning():
    """Scores shift, their meaning holds: estimates hold the truth as often as they say."""
    rng = np.random.default_rng(9)
    meaning = np.clip(CELLS.score[1:-2], 0.01, 0.99)
    hits, trials = 0, 400
    for _ in range(trials):
        before = rng.multinomial(5000, np.full(20, 0.05))
        seen = expected.shares_of(rng.binomial(before, meaning), before)
        shifted = np.linspace(1, 3, 20) / 40
        now = rng.multinomial(1000, shifted)
        found = expected.expected_share(now, seen)
        hits += found.low <= rng.binomial(now, meaning).sum() / 1000 <= found.high
    assert hits / trials == pytest.approx(0.95, abs=0.03)


def test_cells_that_the_reference_never_saw_take_after_their_neighbours():
    seen = expected.shares_of(np.array([0, 100, 0, 300, 0, 0]), np.array([0, 400, 0, 400, 0, 0]))
    assert pytest.approx([0.25, 0.25, 0.5, 0.75, 0.75, 0.5], abs=1e-2) == seen.share.tolist()


def test_expected_qualities_are_those_of_the_expected_table():
    decision = np.array([[40, 0, 0, 0], [20, 10, 0, 0], [0, 30, 0, 0]])
    seen = expected.Shares(np.array([0.1, 0.5, 0.9]), np.zeros(3))
    yes, no = seen.share @ decision[:, :2], (1 - seen.share) @ decision[:, :2]
    (tn, fp), (fn, tp) = no, yes
    assert [36 + 10, 5 + 3, 4 + 10, 5 + 27] == pytest.approx([tn, fp, fn, tp])
    found = expected.expected_binary(decision, 1, seen)
    assert tp / (tp + fp) == pytest.approx(found["precision"].value)
    assert tp / (tp + fn) == pytest.approx(found["recall"].value)
    right = expected.expected_share(*expected.expected_right(decision, 1, seen))
    assert (tn + tp) / 100 == pytest.approx(right.value)
    rng = np.random.default_rng(3)
    rates = []
    for _ in range(3000):
        yes = rng.binomial(decision[:, :2], seen.share[:, None]).sum(axis=0)
        rates.append(yes[1] / 40)
    assert np.std(rates) == pytest.approx(found["precision"].error, rel=0.1)


def test_an_interval_is_as_wide_as_its_error():
    assert pytest.approx(0.1) == around(0.5, 0.1, 9).error
    assert 2 * Z * 0.1 == pytest.approx(around(0.5, 0.1, 9).high - around(0.5, 0.1, 9).low)


FLEISS = np.array([[53, 5, 2], [11, 14, 5], [1, 6, 3]])
"""The shares of Fleiss, Cohen, Everitt (1969), table 1, of a hundred."""


def _error_by_jackknife(table):
    """The standard error of kappa, by leaving out a row at a time."""
    left = []
    for i, j in product(range(len(table)), repeat=2):
        if table[i, j]:
            less = table.copy()
            less[i, j] -= 1
            left += [kappa(less).value] * int(table[i, j])
    n = len(left)
    return np.sqrt((n - 1) / n * np.square(np.array(left) - np.mean(left)).sum())


def test_kappa_is_the_one_of_its_published_example():
    """0.429, with a standard error that leaving out one row at a time gives, too."""
    found = kappa(FLEISS * 20)
    assert pytest.approx(0.429, abs=0.001) == found.value
    assert pytest.approx(_error_by_jackknife(FLEISS * 20), rel=0.01) == found.error
    assert 2_000 == found.rows


@pytest.mark.parametrize("table", [np.zeros((3, 3), int), np.diag([40, 0, 0])])
def test_without_two_classes_there_is_no_kappa(table):
    """Chance alone would make them agree."""
    assert kappa(table) is None


@pytest.mark.parametrize(
    ("table", "expected"), [(np.diag([30, 20]), 1.0), (np.diag([25, 25])[::-1], -1.0)]
)
def test_who_always_agrees_or_never_does_is_not_certain_to(table, expected):
    """The standard error is 0 there, and the interval has a width all the same."""
    found = kappa(table)
    assert pytest.approx(expected) == found.value
    assert 0.05 < found.high - found.low < 0.4


@pytest.mark.parametrize("rows", [100, 1_000])
@pytest.mark.parametrize("truth", [(0.45, 0.05, 0.05, 0.45), (0.8, 0.03, 0.07, 0.1)])
def test_the_interval_of_kappa_covers_the_truth(truth, rows):
    """As often as it promises, with a hundred pairs and a thousand."""
    shares = np.array(truth).reshape(2, 2)
    chance = float(shares.sum(axis=1) @ shares.sum(axis=0))
    right = (np.trace(shares) - chance) / (1 - chance)
    rng, met = np.random.default_rng(rows), []
    for counts in rng.multinomial(rows, truth, size=1_000):
        found = kappa(counts.reshape(2, 2))
        met.append(found is not None and found.low <= right <= found.high)
    assert np.mean(met) > 0.93
