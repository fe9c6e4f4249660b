"""The contest of two rates keeps its promised error rates, and finds what is beyond its margin."""

from itertools import product
from math import comb, exp, log

import numpy as np
import pytest

from detectors.contest import Block, Score, log_e, no_worse, worse

MARGIN = 0.02


def blocks(rates, panes, rows, seed):
    """Panes of two sides with these rates."""
    chance = np.random.default_rng(seed)
    hits_a = chance.binomial(rows[0], rates[0], panes)
    hits_b = chance.binomial(rows[1], rates[1], panes)
    for a, b in zip(hits_a.tolist(), hits_b.tolist(), strict=True):
        yield Block(rows_a=rows[0], hits_a=a, rows_b=rows[1], hits_b=b)


def highest(judge, rates, seed, panes=60, rows=(300, 60)):
    """The highest log e over a run."""
    score, most = Score(), 0.0
    for block in blocks(rates, panes, rows, seed):
        score = judge(score, block, MARGIN)
        most = max(most, score.log_e)
    return most


@pytest.mark.parametrize(("rows_a", "rows_b"), [(1, 1), (5, 3), (8, 2)])
@pytest.mark.parametrize("margin", [0.0, 0.1, -0.1])
def test_its_mean_is_at_most_one_everywhere_in_the_null(rows_a, rows_b, margin):
    """Summed exactly over all outcomes, at points on and inside the boundary."""
    alternative = (0.2, 0.2 + margin + 0.25)
    for a, slack in product((0.1, 0.2, 0.5, 0.85), (0.0, 0.05)):
        b = a + margin - slack
        if not 0 < b < 1:
            continue
        mean = 0.0
        for i, j in product(range(rows_a + 1), range(rows_b + 1)):
            block = Block(rows_a=rows_a, hits_a=i, rows_b=rows_b, hits_b=j)
            chance = comb(rows_a, i) * a**i * (1 - a) ** (rows_a - i)
            chance *= comb(rows_b, j) * b**j * (1 - b) ** (rows_b - j)
            mean += chance * exp(log_e(block, alternative, margin))
        assert mean <= 1 + 1e-9


@pytest.mark.parametrize("judge", [worse, no_worse])
def test_at_the_margin_it_is_wrong_no_more_often_than_promised(judge):
    """400 runs of 60 panes on the boundary: at most 5 % pass 20, ever (with 3 standard errors)."""
    wrong = sum(highest(judge, (0.16, 0.18), seed) >= log(20) for seed in range(400))
    assert wrong / 400 <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5


def test_a_much_worse_side_is_found_at_once_and_an_equal_one_is_cleared():
    """Errors of .16 against .40 within 5 panes of 60; .16 against .16 within 150."""
    assert all(highest(worse, (0.16, 0.40), seed, panes=5) >= log(20) for seed in range(30))
    cleared = [highest(no_worse, (0.16, 0.16), seed, panes=150) >= log(20) for seed in range(30)]
    assert sum(cleared) >= 24


def test_without_rows_on_a_side_nothing_is_staked():
    """Nothing to compare is no evidence."""
    score = Score(rows_a=100, hits_a=10, rows_b=100, hits_b=60)
    lone = Block(rows_a=0, hits_a=0, rows_b=50, hits_b=50)
    assert 0.0 == worse(score, lone, MARGIN).log_e


@pytest.mark.parametrize("margin", [0.0, 0.1])
def test_parts_of_hits_stake_no_more_than_whole_ones(margin):
    """Values in [0, 1] of any spread with equal means: the mean e-value stays at most one."""
    chance = np.random.default_rng(12)
    values = chance.beta(0.4, 0.9, (8_000, 2, 8))
    values[:, 1] = np.minimum(values[:, 1] + margin, 1)
    alternative = (0.25, 0.25 + margin + 0.2)
    earned = [
        exp(log_e(Block(rows_a=8, hits_a=a, rows_b=8, hits_b=b), alternative, margin))
        for a, b in values.sum(axis=2).tolist()
    ]
    assert np.mean(earned) <= 1 + 3 * np.std(earned) / len(earned) ** 0.5
