"""The dial: settings for promised run lengths, checked by simulations of their own."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.adwin import Adwin
from detectors.control_chart import ControlChart
from detectors.dial import (
    RunLengthError,
    adwin_for,
    chart_for,
    level_for,
    page_hinkley_for,
    reach,
    run_length,
    threshold_for,
    turned,
)
from detectors.page_hinkley import PageHinkley
from detectors.run_lengths import RUN_LENGTHS

MADE = {
    "adwin": lambda arl: Adwin(adwin_for(arl)),
    "page_hinkley": lambda arl: PageHinkley(page_hinkley_for(arl)),
    "control_chart:shewhart": lambda arl: ControlChart(chart_for(arl, rule="shewhart")),
    "control_chart:ewma": lambda arl: ControlChart(chart_for(arl)),
    "control_chart:cusum": lambda arl: ControlChart(chart_for(arl, rule="cusum")),
}
every_detector = pytest.mark.parametrize("name", RUN_LENGTHS)


def alarms(detector, values):
    return sum(detector.update(value) for value in values)


def realised(name, arl, alarms_promised, seed):
    """Lower and upper 95 % bounds of the mean run length over the promise."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(int(arl * alarms_promised)).tolist()
    found = alarms(MADE[name](arl), values)
    return (
        alarms_promised / (found + 2 * max(found, 1) ** 0.5),
        alarms_promised / max(found - 2 * found**0.5, 0.5),
    )


@every_detector
@pytest.mark.parametrize("seed", [5])
def test_a_short_promise_is_kept_and_not_overdone(name, seed):
    """1,500 updates, between two cells of the table, with a generator that did not make it."""
    low, high = realised(name, 1500, 60, seed)
    assert high >= 1
    assert low <= 1.6


@pytest.mark.slow
@every_detector
@pytest.mark.parametrize("arl", [1200, 4000, 15_000])
def test_promises_are_kept(name, arl):
    low, high = realised(name, arl, 150, [9, int(arl)])
    assert high >= 1
    assert low <= 1.6


@every_detector
def test_a_longer_promise_is_never_more_nervous(name):
    shortest, longest = reach(name)
    settings = [turned(name, arl) for arl in np.geomspace(shortest, longest, 200)[1:-1]]
    steps = np.diff(settings)
    assert (steps < 0).all() if name == "adwin" else (steps > 0).all()


@every_detector
def test_the_table_rises(name):
    assert all(a < b for (_, a), (_, b) in pairwise(RUN_LENGTHS[name]))


@every_detector
@given(share=st.floats(0.01, 0.99))
def test_setting_and_run_length_undo_each_other(name, share):
    shortest, longest = reach(name)
    arl = shortest * (longest / shortest) ** share
    assert arl == pytest.approx(run_length(name, turned(name, arl)), rel=1e-6)


@every_detector
@pytest.mark.parametrize("arl", [1, 1e12, float("nan"), float("inf"), -5])
def test_outside_the_table_it_says_what_the_table_holds(name, arl):
    with pytest.raises(RunLengthError, match="calibrated for run lengths from"):
        turned(name, arl)


def test_proof_and_level_need_no_table():
    assert np.log(1e9) == pytest.approx(threshold_for(1e9))
    assert 1e-9 == pytest.approx(level_for(1e9))
    for of in (threshold_for, level_for):
        with pytest.raises(RunLengthError):
            of(0.5)


def test_adwin_was_calibrated_for_its_usual_clock_only():
    with pytest.raises(RunLengthError, match="clock"):
        adwin_for(1e4, clock=1)
