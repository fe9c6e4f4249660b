"""The smallest shift is about what a simulation finds in as many rows."""

import numpy as np
import pytest

from detectors.smallest import smallest_shift
from tests.quality.made import delays, numeric_bank, true_shares


@pytest.mark.parametrize(
    ("tolerance", "reference", "rows", "pane", "run_length"),
    [(0.1, 5000, 2000, 50, 2e4), (0.0, 2000, 1000, 20, 1e4), (0.2, 5000, 3000, 50, 1e4)],
)
def test_the_mean_delay_at_the_smallest_shift_is_about_the_rows(
    tolerance, reference, rows, pane, run_length
):
    shift = smallest_shift(
        rows, run_length, tolerance=tolerance, reference_rows=reference, pane_rows=pane
    )
    rng = np.random.default_rng(11)
    bank, grids = numeric_bank(40, reference, tolerance, rng)
    before, after = true_shares(grids), true_shares(grids, mean=shift)
    found = delays(bank, before, after, pane, run_length, rng, limit=6 * rows)
    assert rows == pytest.approx(np.nanmean(found), rel=0.4)


def test_more_rows_and_shorter_run_lengths_find_smaller_shifts():
    at = lambda rows, run_length: smallest_shift(
        rows, run_length, tolerance=0.1, reference_rows=5000, pane_rows=10
    )
    assert at(1e5, 1e4) <= at(1e4, 1e4) <= at(1e4, 1e6)
    assert at(1e9, 1e4) > 0.1


def test_nothing_is_found_in_hardly_any_rows():
    found = smallest_shift(1, 1e300, tolerance=0.1, reference_rows=5000, pane_rows=1)
    assert found is None
