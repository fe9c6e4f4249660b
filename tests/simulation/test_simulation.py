"""The whole pipeline counts and says the same, whatever fails and whenever.

A failure names its number; `scripts/simulate --from NUMBER --seeds 1` repeats it.
"""

import pytest

from tests.simulation.__main__ import line
from tests.simulation.mutations import MUTATIONS
from tests.simulation.run import many, some
from tests.simulation.simulation import POINTS

SHORT = 200
LONG = 10_000
BOUND = 100
"""Simulations within which every mutation must show."""


def test_no_schedule_changes_what_is_counted_and_said():
    """Some hundred simulations, in which processes were killed at each of the eight points."""
    report = some(range(SHORT))
    assert {} == report.failures
    assert set(POINTS) == set(report.crashes)
    assert report.repeated > 0, "nothing was ever said twice, so nothing was put to the test"


def test_a_state_of_another_epoch_that_goes_on_is_seen(monkeypatch):
    """Else the worlds whose config changes would put nothing to the test."""
    keep_all = lambda models, unnamed, _counting: (models, unnamed)
    monkeypatch.setattr("streams.profiler.machine.epochs.going_on", keep_all)
    assert some(range(110, 120), first=True).failures


@pytest.mark.slow
def test_no_schedule_of_ten_thousand_changes_what_is_counted_and_said():
    """Ten thousand simulations in as many processes as there are cores."""
    reports = list(many(range(LONG)))
    assert {} == reports[-1].failures
    assert LONG == reports[-1].seeds


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_is_seen(name):
    """Each of the eight faults of the code shows within a bounded number of simulations."""
    assert some(range(BOUND), name, first=True).failures


def test_a_number_is_the_same_simulation_everywhere():
    """What a failing number prints is enough to see it again."""
    name = "output_not_awaited"
    (number,) = some(range(BOUND), name, first=True).failures
    one, other = some([number], name), some([number], name)
    assert one.failures
    assert one == other


def test_a_run_is_told_in_one_line():
    """Seconds, the number to repeat, and mutations that were not seen."""
    document = {"seeds": 20, "seconds": 1.5, "failures": {}, "mutations": {}}
    assert "20 simulated in 1.5 s, none failed" == line(document)
    document |= {"failures": {7: "", 9: ""}, "mutations": {"a": True, "b": False}}
    expected = "20 simulated in 1.5 s, 2 failed: --from 7 --seeds 1 repeats the first"
    assert f"{expected}; 1 of 2 mutations seen, not b" == line(document)
