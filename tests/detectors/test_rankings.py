"""How well a list was ordered: two numbers of it, kept as one, and their sums."""

import math

import numpy as np
import pytest

from detectors.metrics.lists import lists
from detectors.rankings import (
    STEPS,
    Ranking,
    average_precision,
    miss_grid,
    misses,
    ndcg,
    packed,
    unpacked,
)

ONE = 1 / math.log2(3)
"""Discount of the second place; that of the first is 1."""


@pytest.mark.parametrize(
    ("relevance", "gain", "precision"),
    [
        ([1], 1.0, 1.0),
        ([0, 1], ONE, 1 / 2),
        ([0, 2, 0, 1], (2 * ONE + 1 / math.log2(5)) / (2 + ONE), (1 / 2 + 2 / 4) / 2),
        ([3, 2, 1], 1.0, 1.0),
        ([1, 2], (1 + 2 * ONE) / (2 + ONE), 1.0),
        ([0] * 10 + [5], 0.0, 1 / 11),
        ([1e300, 1e300], 1.0, 1.0),
        ([0.5, 0, 0, 0, 0.25], (0.5 + 0.25 / math.log2(6)) / (0.5 + 0.25 * ONE), (1 + 2 / 5) / 2),
    ],
)
def test_a_list_is_measured_by_its_order_alone(relevance, gain, precision):
    """Linear gains, the first ten places, the ideal of the whole list."""
    assert ndcg(relevance) == pytest.approx(gain, abs=1e-12)
    assert average_precision(relevance) == pytest.approx(precision, abs=1e-12)
    assert packed(relevance) == packed([*relevance, 0, 0])


@pytest.mark.parametrize("relevance", [[], [0], [0, 0.0, 0]])
def test_nothing_relevant_is_no_quality(relevance):
    """Neither good nor bad: there was nothing to put first."""
    assert (None, None) == (ndcg(relevance), average_precision(relevance))
    assert math.isnan(packed(relevance))


def random_lists(n, seed=1):
    """Lists of up to thirty items, a tenth of them with nothing relevant."""
    rng = np.random.default_rng(seed)
    made = [rng.integers(0, 4, rng.integers(1, 30)).tolist() for _ in range(n)]
    return [[0] * len(one) if rng.random() < 0.1 else one for one in made]


def test_both_numbers_come_back_from_the_one_that_is_kept():
    """To 1/4096, and exactly what the sums are made of."""
    made = random_lists(500)
    kept = np.array([packed(one) for one in made])
    found = np.column_stack(unpacked(kept)) / STEPS
    for one, (gain, precision) in zip(made, found, strict=True):
        if ndcg(one) is None:
            assert math.isnan(gain)
            assert math.isnan(precision)
        else:
            assert abs(ndcg(one) - gain) <= 0.5 / STEPS
            assert abs(average_precision(one) - precision) <= 0.5 / STEPS
    assert misses(kept)[~np.isnan(kept)].tolist() == (1 - found[~np.isnan(kept), 0]).tolist()


def test_sums_are_exact_and_taken_back_exactly():
    """Of any split into groups; a list that is taken away and another in its place are as if it."""
    kept = np.array([packed(one) for one in random_lists(400)])
    block = Ranking()
    groups = np.random.default_rng(2).integers(0, 3, len(kept))
    whole = block.count(kept, groups=np.zeros(len(kept), np.intp), n_groups=1)[0]
    assert whole.tolist() == block.count(kept, groups=groups, n_groups=3).sum(axis=0).tolist()
    one, other = (block.count(kept[i : i + 1], groups=np.zeros(1, int), n_groups=1) for i in (0, 1))
    rest = block.count(kept[1:], groups=np.zeros(len(kept) - 1, int), n_groups=1)
    assert (whole - one + other).tolist() == (rest + other).tolist()


def test_metrics_are_means_of_the_lists_with_something_relevant():
    """With the error of a mean, wider where panes vary more; of no list there is none."""
    made = random_lists(300)
    block = Ranking()
    sums = block.count(
        np.array([packed(one) for one in made]), groups=np.zeros(len(made), np.intp), n_groups=1
    )[0]
    gains = [ndcg(one) for one in made if ndcg(one) is not None]
    found, wide = lists(block, sums), lists(block, sums, 4.0)
    assert {"ndcg", "average_precision"} == found.keys()
    assert found["ndcg"].value == pytest.approx(np.mean(gains), abs=1 / STEPS)
    assert found["ndcg"].error == pytest.approx(np.std(gains) / len(gains) ** 0.5, rel=0.01)
    assert wide["ndcg"].error == pytest.approx(2 * found["ndcg"].error, rel=1e-9)
    assert len(gains) == found["ndcg"].rows < len(made) == block.read(sums).rows
    assert {} == lists(block, np.array([7, 0, 0, 0, 0, 0]))


def test_every_miss_has_a_cell_and_a_list_that_misses_all_has_its_own():
    cells = miss_grid()
    found = cells.codes(np.array([0.0, 1 / 4096, 0.5, 1 - 1 / 4096, 1.0, math.nan]))
    assert [1, 1, 17, 32, 33, cells.width - 1] == found.tolist()
