"""A lamp says of the state what the outputs said of it."""

from streams.policy import PolicyState, state
from tests.policy.panes import Run, quiet, red


def test_a_lamp_counts_open_incidents_and_what_they_spent():
    """Dark before the first pane; one red incident of two allowed; the same after a restart."""
    run = Run(false_alarms="2 per 30d")
    assert run.policy.lamp(PolicyState()).until is None
    run.pane_of(red("feature:f0"), *quiet("feature:f1"))
    lamp = run.policy.lamp(run.state)
    assert (run.now, {"yellow": 0, "red": 1}, 0.5) == (lamp.until, lamp.incidents, lamp.spent)
    assert lamp == run.policy.lamp(state.decode(state.encode(run.state)))
    assert run.drift[-1].budget.spent / run.drift[-1].budget.allowed == lamp.spent


def test_what_has_ended_is_not_open():
    """The incident is over, what it spent is spent."""
    run = Run()
    run.pane_of(red("feature:f0"))
    run.panes(20, *quiet("feature:f0"))
    assert [] == run.open
    lamp = run.policy.lamp(run.state)
    assert ({"yellow": 0, "red": 0}, 1.0) == (lamp.incidents, lamp.spent)
