"""The budget: thresholds from promises, and discoveries at a false discovery rate."""

from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from detectors.budget import Budget, benjamini_hochberg, e_bh


def test_one_alarm_per_period_over_fifty_signals_needs_fifty_periods_each():
    budget = Budget(false_alarms=1, panes=30 * 24, signals=50)
    assert 50 * 30 * 24 == budget.run_length
    assert log(50 * 30 * 24) == budget.log_threshold


def test_a_generous_budget_asks_for_a_run_length_of_at_least_one_pane():
    assert 0 == Budget(false_alarms=1000, panes=10, signals=5).log_threshold


def test_evidence_becomes_an_e_value_of_the_period():
    budget = Budget(false_alarms=1, panes=100, signals=2)
    e_values = budget.e_values(np.array([log(500), -np.inf, 1e6]))
    np.testing.assert_allclose([5, 0, exp(700)], e_values)


@pytest.mark.parametrize("field", ["false_alarms", "panes", "signals"])
def test_an_empty_budget_is_refused(field):
    with pytest.raises(ValueError, match="positive"):
        Budget(**{"false_alarms": 1, "panes": 1, "signals": 1, field: 0})


def test_e_bh_rejects_as_its_definition_says():
    e_values = np.array([100.0, 1.0, 21.0, 30.0, 0.0])  # 5 / (.1 k) = 50, 25, 16.7, 12.5, 10
    assert [True, False, True, True, False] == e_bh(e_values, 0.1).tolist()
    assert not e_bh(np.array([9.0, 9.0]), 0.1).any()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.sampled_from([0.01, 0.1, 0.5]))
def test_benjamini_hochberg_equals_scipy(p_values, alpha):
    expected = stats.false_discovery_control(p_values) <= alpha
    close = np.isclose(stats.false_discovery_control(p_values), alpha)
    found = benjamini_hochberg(p_values, alpha)
    np.testing.assert_array_equal(expected[~close], found[~close])


def test_signals_that_cannot_be_judged_are_never_rejected_but_count():
    assert [True, False] == benjamini_hochberg([0.04, None], 0.1).tolist()
    assert [False, False, False] == benjamini_hochberg([0.04, None, None], 0.1).tolist()
    assert [False] == benjamini_hochberg([None], 1.0).tolist()


def test_a_look_without_change_spends_its_level():
    rng = np.random.default_rng(1)
    looks = [benjamini_hochberg(rng.random(20).tolist(), 0.1).any() for _ in range(4000)]
    assert 0.1 == pytest.approx(np.mean(looks), abs=0.02)
