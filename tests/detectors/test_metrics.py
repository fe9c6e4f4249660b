"""Control charts and trends: design values of the literature, scipy as the oracle."""

import numpy as np
import pytest
from scipy import stats

from detectors.control_chart import ControlChart, ControlChartSettings
from detectors.trend import slope

RULES = ("shewhart", "ewma", "cusum")


def run_length(rule, shift, streams, seed=1):
    rng = np.random.default_rng(seed)
    lengths = []
    for _ in range(streams):
        chart = ControlChart(ControlChartSettings(center=0, sd=1, rule=rule))
        lengths.append(next(i for i in range(1, 10**6) if chart.update(rng.normal(shift))))
    return np.mean(lengths)


@pytest.mark.parametrize(
    ("rule", "expected"), [("shewhart", 370.4), ("ewma", 370.0), ("cusum", 465.0)]
)
def test_run_lengths_without_change_are_those_of_the_literature(rule, expected):
    assert expected == pytest.approx(run_length(rule, 0, 300), rel=0.25)


@pytest.mark.parametrize(("rule", "expected"), [("shewhart", 43.9), ("ewma", 9.0), ("cusum", 10.4)])
def test_delays_at_one_standard_deviation_are_those_of_the_literature(rule, expected):
    assert expected == pytest.approx(run_length(rule, 1, 300), rel=0.2)


@pytest.mark.parametrize("rule", RULES)
def test_both_directions_alarm_in_any_unit(rule):
    for scale in (1e-6, 1e6):
        for sign in (-1, 1):
            settings = ControlChartSettings(center=5 * scale, sd=scale, rule=rule)
            chart = ControlChart(settings)
            assert any(chart.update((5 + 4 * sign) * scale) for _ in range(3))


def test_a_wave_around_the_center_is_in_control():
    chart = ControlChart(ControlChartSettings(center=0, sd=1, rule="cusum"))
    assert not any(chart.update((-1) ** i) for i in range(1000))


@pytest.mark.parametrize(
    "wrong", [{"sd": 0}, {"sd": float("nan")}, {"weight": 0}, {"slack": -1}, {"limit": 0}]
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        ControlChartSettings(**({"center": 0, "sd": 1} | wrong))


def test_a_slope_and_its_band_equal_scipy():
    rng = np.random.default_rng(2)
    t = np.arange(40.0)
    y = 0.8 - 0.004 * t + rng.normal(0, 0.02, 40)
    expected = stats.linregress(t, y)
    found = slope(t, y)
    reach = stats.t.ppf(0.975, 38) * expected.stderr
    assert expected.slope == pytest.approx(found.per_unit, rel=1e-12)
    assert expected.slope - reach == pytest.approx(found.low, rel=1e-9)
    assert expected.slope + reach == pytest.approx(found.high, rel=1e-9)
    assert expected.intercept + expected.slope * 39 == pytest.approx(found.level, rel=1e-12)


def test_a_fall_of_half_a_percent_a_week_is_sure_after_four_weeks():
    rng = np.random.default_rng(3)
    weeks = np.arange(28) / 7
    falling = slope(weeks, 0.9 - 0.008 * weeks + rng.normal(0, 0.002, 28))
    assert -0.012 < falling.low < falling.high < -0.005
    assert 0.005 < slope(weeks, 0.9 + 0.008 * weeks).low


def test_what_cannot_be_judged_has_no_slope():
    nan = np.nan
    assert slope(np.arange(2.0), np.arange(2.0)) is None
    assert slope(np.zeros(5), np.arange(5.0)) is None
    assert slope(np.arange(4.0), np.array([1.0, nan, 2.0, nan])) is None
