"""Stability indices of many signals at once are those of one at a time."""

import numpy as np
import pytest

from detectors.distances import Pair, psi
from detectors.stability import CategoryStability, StabilityGauge


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


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["categorical", "numeric"])
def test_a_gauge_says_to_the_bit_what_the_distance_says(kind, seed):
    """Whatever is worked out in advance, the sums are the same sums."""
    for now, then, dispersion in worlds(seed):
        # at least: below, three inner cells, above, missing
        current, reference = (np.concatenate([one, one[:3]]) for one in (now, then))
        expected = psi(Pair(current, reference, kind, None, dispersion))
        found = StabilityGauge(reference, kind, dispersion).psi(current)
        assert (expected.effect, expected.p_value) == found


def test_a_gauge_does_not_judge_without_rows():
    """Neither a window nor a reference without rows has an index; all missing has."""
    full, empty, missing = np.array([5, 20, 9, 0]), np.zeros(4, np.int64), np.array([0, 0, 0, 30])
    assert StabilityGauge(full, "numeric", 1.0).psi(empty) is None
    assert StabilityGauge(empty, "categorical", 1.0).psi(full) is None
    assert psi(Pair(missing, full)).effect == StabilityGauge(full, "numeric", 1.0).psi(missing)[0]
