"""Persistence: sums of panes vary more than single ones where rows follow one another."""

import numpy as np
import pytest

from detectors.grid import numeric_grid
from detectors.persistence import PROVEN, lasting, persistence
from detectors.reference import reference_of

PANES = 400


def walks(keep, columns, seed):
    """Deviations of panes (PANES, columns), each `keep` of the one before and chance."""
    rng = np.random.default_rng(seed)
    out = rng.normal(size=(PANES, columns))
    for at in range(1, PANES):
        out[at] = keep * out[at - 1] + np.sqrt(1 - keep**2) * out[at]
    return out


def test_sums_of_correlated_panes_vary_as_much_as_it_says():
    """An AR(1) series has a long-run variance of (1 + a) / (1 - a) times its own."""
    found = persistence(walks(0.6, 200, 1), PROVEN)
    assert 4.0 == pytest.approx(found.mean(), rel=0.2)


def test_chance_is_not_taken_for_persistence():
    """Of independent panes nearly all keep a factor of 1, so that no alarm comes later."""
    found = persistence(walks(0.0, 2000, 2), PROVEN)
    assert 0.995 <= (found == 1.0).mean()
    assert 1.05 <= persistence(walks(0.0, 2000, 2)).mean()


def test_a_shift_that_turns_back_at_once_makes_nothing_surer():
    """Neighbours that cancel one another never lower a dispersion below that of single panes."""
    assert [1.0] == np.unique(persistence(-walks(-0.8, 50, 3), PROVEN)).tolist()


def test_few_panes_tell_nothing():
    assert [1.0] == np.unique(persistence(walks(0.9, 5, 4)[:10], PROVEN)).tolist()


def test_a_reference_of_rows_that_follow_one_another_is_less_sure():
    """Correlation beyond a pane widens its mean; a column without any keeps its dispersion."""
    rng = np.random.default_rng(5)
    steps = np.repeat(walks(0.8, 1, 6)[:, 0], 10)
    for column, wider in (
        (steps + rng.normal(size=10 * PANES), True),
        (rng.normal(size=10 * PANES), False),
    ):
        grid = numeric_grid(column)
        codes = grid.codes(column).reshape(PANES, 10)
        panes = np.array([np.bincount(one, minlength=grid.width) for one in codes])
        plain = reference_of("numeric", panes)
        found = lasting(plain, panes, PROVEN)
        ratio = found.pattern_dispersion[0] / plain.pattern_dispersion[0]
        assert (ratio >= 3) if wider else (1.0 == ratio)
