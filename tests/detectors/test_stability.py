"""Stability indices of many signals at once are those of one at a time."""

import numpy as np
import pytest

from detectors.distances import Pair, psi
from detectors.stability import CategoryStability


def worlds(seed):
    """Windows and references of signals with few and many, rare and frequent categories."""
    rng = np.random.default_rng(seed)
    for _ in range(40):
        width = int(rng.integers(3, 40))
        shares = rng.dirichlet(np.full(width, rng.choice([0.05, 0.5, 5.0])))
        shares[-2:] = 0
        rows = int(rng.choice([3, 40, 500, 5000]))
        moved = rng.dirichlet(np.full(width, 1.0)) if rng.random() < 0.3 else shares / shares.sum()
        reference = rng.multinomial(int(rng.choice([30, 1000, 60000])), shares / shares.sum())
        yield rng.multinomial(rows, moved), reference, float(rng.uniform(1, 4))


@pytest.mark.parametrize("seed", range(5))
def test_many_at_once_equal_one_at_a_time(seed):
    """Effect and p-value agree for every signal of a mixed stack."""
    current, references, dispersion = zip(*worlds(seed), strict=True)
    effects, p_values = CategoryStability(references, dispersion).psi(current)
    for i, one in enumerate(current):
        alone = psi(Pair(one, references[i], "categorical", None, dispersion[i]))
        assert alone.effect == pytest.approx(effects[i], rel=1e-9, abs=1e-12)
        assert alone.p_value == pytest.approx(p_values[i], rel=1e-9, abs=1e-12)


def test_a_window_without_rows_is_not_judged():
    """NaN, as there is nothing to say, and the signals beside it are judged all the same."""
    empty, full = np.zeros(4, np.int64), np.array([50, 30, 20, 0])
    effects, p_values = CategoryStability([full, full], [1.0, 1.0]).psi([empty, full])
    assert [True, False] == np.isnan(effects).tolist() == np.isnan(p_values).tolist()
