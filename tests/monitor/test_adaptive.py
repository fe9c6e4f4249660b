"""Adaptive detectors follow series and say what they see as context."""

import numpy as np
import pytest

from detectors.grid import numeric_grid
from detectors.reference import reference_of
from schemas.inputs import Metric
from streams.monitor.adaptive import FIRST_VALUES, Figures, Series, Subject, standardised
from tests.monitor.closing import closing

SPAN = (0, 60_000)
SUBJECT = Subject("fraud", "1", "*", "score")


def reference(rng):
    """Scores of 60 panes of 200 rows, with their grid."""
    values = rng.normal(0.5, 0.1, 12_000)
    grid = numeric_grid(values)
    panes = np.array(
        [np.bincount(grid.codes(v), minlength=grid.width) for v in np.split(values, 60)]
    )
    return grid, reference_of("numeric", panes)


def test_a_pane_is_measured_in_its_own_noise():
    """Without a change standardised panes have mean 0 and spread 1; a shift moves them all."""
    rng = np.random.default_rng(5)
    grid, normal = reference(rng)

    def panes(shift):
        drawn = rng.normal(0.5 + shift, 0.1, (400, 200))
        counts = [np.bincount(grid.codes(v), minlength=grid.width) for v in drawn]
        return [standardised(normal, c) for c in counts]

    still, moved = panes(0.0), panes(0.02)
    assert np.mean(still) == pytest.approx(0, abs=0.35)
    assert np.std(still) == pytest.approx(1, abs=0.15)
    assert np.mean(moved) == pytest.approx(0.2 * np.sqrt(200), rel=0.15)


def test_an_indicator_is_measured_by_its_share():
    """Twice as many errors as usual lie as far off as the binomial law says."""
    normal = reference_of("binary", np.tile([90, 10], (50, 1)))
    assert 20 / np.sqrt(9) / 2 == pytest.approx(standardised(normal, np.array([80, 20])), rel=0.01)
    assert standardised(normal, np.array([0, 0])) is None


def test_both_detectors_see_a_lasting_shift():
    """A shift of two standard errors a pane is seen by ADWIN and by Page-Hinkley, as context."""
    rng = np.random.default_rng(6)
    series = Series(standardised=True)
    found = [
        finding
        for i in range(600)
        for finding in series.update(SUBJECT, rng.normal(0 if i < 300 else 2), SPAN, 200)
        if finding.alarm
    ]
    assert {"adwin", "page_hinkley"} == {finding.detector for finding in found}
    assert {"context"} == {finding.role for finding in found}


def test_a_figure_finds_its_unit_first_and_then_alarms():
    """A KPI is silent until its unit is known; a fall of five spreads is seen whatever the unit."""
    rng = np.random.default_rng(7)
    alarms = {}
    for unit in (1e-3, 1e6):
        figures = Figures("fraud")
        seen = []
        for i in range(400):
            value = (100 + rng.normal() - (5 if i >= 200 else 0)) * unit
            metric = Metric(model="fraud", name="revenue", value=value, timestamp=i)
            found = figures.close(closing(i, metrics=[metric]))
            assert (i < FIRST_VALUES) == (not found)
            seen += [i for finding in found if finding.alarm]
        alarms[unit] = seen
    assert all(seen and min(seen) >= 200 for seen in alarms.values())


def test_a_series_goes_on_after_a_snapshot():
    """Restored at any value, it says the same as if it had never stopped."""
    rng = np.random.default_rng(8)
    values = np.concatenate([rng.normal(0, 1, 120), rng.normal(3, 1, 120)]).tolist()
    whole = Series(standardised=False)
    said = [whole.update(SUBJECT, v, SPAN, 1) for v in values]
    for cut in (10, FIRST_VALUES, 100, 180):
        first = Series(standardised=False)
        for v in values[:cut]:
            first.update(SUBJECT, v, SPAN, 1)
        again = Series(standardised=False)
        again.load(first.save())
        assert said[cut:] == [again.update(SUBJECT, v, SPAN, 1) for v in values[cut:]]
