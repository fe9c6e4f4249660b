"""One signal from quiet to cooled down."""

import pytest

from streams.policy.signals.states import TABLE, Patience, step
from tests.policy.panes import PANE, Run, cells, error, finding, quiet, red, yellow

PATIENCE = Patience(sustained=3, resolve_after=3)


def test_a_red_alarm_opens_at_once():
    """A red alarm needs no patience: its run length is budgeted already."""
    run = Run()
    run.pane_of(red("feature:a"))
    assert ["opened"] == [e.transition for e in run.drift]
    assert ["firing"] == [a.status for a in run.alerts]


def test_a_yellow_alarm_opens_when_sustained():
    """Yellow opens in the third judged pane outside the tolerance, alarm or not."""
    run = Run()
    run.pane_of(yellow("feature:a"))
    run.pane_of(finding("feature:a", inside=False, psi=0.12))
    assert [] == run.drift
    run.pane_of(finding("feature:a", inside=False, psi=0.13))
    assert ["opened"] == [e.transition for e in run.drift]
    assert "yellow" == run.incident.severity


def test_an_unjudged_pane_neither_counts_nor_clears():
    """Two breaches, three panes without judgement, one breach: sustained."""
    run = Run()
    run.panes(2, yellow("feature:a"))
    run.panes(3, finding("feature:a", state="too_few_rows"))
    assert [] == run.open
    run.pane_of(yellow("feature:a"))
    assert 1 == len(run.open)


def test_a_pending_signal_that_clears_is_quiet_again():
    """Nothing is told of a yellow breach that is over before it was sustained."""
    run = Run()
    run.panes(2, yellow("feature:a"))
    run.pane_of(*quiet("feature:a"))
    assert ((), []) == (run.state.signals, run.drift)


def test_a_doubtful_alarm_is_restarted():
    """A detector that alarms while its effect is inside the tolerance starts anew."""
    run = Run()
    run.panes(3, finding("feature:a", alarm=True, inside=True, psi=0.01))
    assert ["feature:a"] == [key.signal for key in run.restarts[0].signals]
    assert [] == run.open


def test_a_firing_signal_resolves_after_three_panes_inside():
    """The window back inside its tolerance for three panes: resolved, detectors restarted."""
    run = Run()
    run.pane_of(red("feature:a"))
    run.panes(2, finding("feature:a", alarm=True, inside=True, psi=0.01))
    assert 1 == len(run.open)
    run.pane_of(*quiet("feature:a"))
    assert ["opened", "resolved"] == [e.transition for e in run.drift]
    assert ["firing", "resolved"] == [a.status for a in run.alerts]
    assert ["feature:a"] == [key.signal for key in run.restarts[0].signals]


def test_a_breach_while_resolving_goes_on():
    """Two panes inside, one out: the incident has not ended in between."""
    run = Run()
    run.pane_of(red("feature:a"))
    run.panes(2, *quiet("feature:a"))
    run.pane_of(red("feature:a"))
    run.panes(2, *quiet("feature:a"))
    assert (1, ["opened"]) == (len(run.open), [e.transition for e in run.drift])


def test_a_breach_in_the_cool_down_reopens_the_same_incident():
    """The incident keeps its id; after the cool-down it is another one."""
    run = Run(policy={"cool_down": "4h"})
    run.pane_of(red("feature:a"))
    first = run.incident.id
    run.panes(4, *quiet("feature:a"))
    run.pane_of(red("feature:a"))
    assert first == run.incident.id
    run.panes(11, *quiet("feature:a"))  # six until it is over, because it came back
    run.pane_of(red("feature:a"))
    assert first != run.incident.id


def test_a_yellow_breach_in_the_cool_down_is_counted_and_reopens_when_sustained():
    """Suppressed twice, then sustained."""
    run = Run(policy={"cool_down": "10h"})
    run.pane_of(red("feature:a"))
    first = run.incident.id
    run.panes(3, *quiet("feature:a"))
    run.panes(2, yellow("feature:a"))
    assert (2, []) == (run.state.suppressed, run.open)
    run.pane_of(yellow("feature:a"))
    assert first == run.incident.id


def test_severity_rises_at_once_and_falls_slowly():
    """Escalated in the pane it happens, deescalated after three milder panes."""
    run = Run()
    run.panes(3, yellow("feature:a"))
    run.pane_of(red("feature:a"))
    run.panes(2, yellow("feature:a"))
    assert ["opened", "escalated"] == [e.transition for e in run.drift]
    run.pane_of(yellow("feature:a"))
    assert ("deescalated", "red") == (run.drift[-1].transition, run.drift[-1].previous_severity)
    assert ["yellow", "red", "yellow"] == [a.severity for a in run.alerts]


def test_an_effect_that_hovers_at_the_tolerance_is_told_ever_more_rarely():
    """Inside for four panes, outside for four: each time it must be inside for twice as long."""
    run = Run(policy={"resolve_after": "3 panes", "cool_down": "2d"})
    for _ in range(50):
        run.panes(4, red("feature:a"))
        run.panes(4, *quiet("feature:a"))
    assert 1 == [alert.status for alert in run.alerts].count("resolved")
    run.panes(48, *quiet("feature:a"))
    assert "resolved" == run.alerts[-1].status
    assert [] == run.open


@pytest.mark.parametrize("milder", [0.21, 0.19])
def test_an_effect_that_hovers_at_the_limit_is_no_string_of_alerts(milder):
    """Within a fifth of the limit it stays red; clearly below it falls, once."""
    run = Run()
    run.panes(3, red("feature:a", psi=0.26))
    for _ in range(20):
        run.panes(5, yellow("feature:a", psi=milder))
        run.panes(2, red("feature:a", psi=0.26))
    fallen = ["yellow", "red"] if milder < 0.2 else []
    assert ["red", *fallen] == [alert.severity for alert in run.alerts]
    assert {"red"} == {one.severity for one in run.open}


def test_a_reversed_departure_supersedes_the_old_one():
    """A cell that emptied and then overflows closes one opening and makes another, same id."""
    run = Run()
    run.panes(8, red("feature:RELP", cells=cells(c17=(0.05, 0.0), c1=(0.4, 0.42))))
    run.pane_of(red("feature:RELP", cells=cells(c17=(0.05, 0.6), c1=(0.4, 0.1))))
    assert ["opened", "resolved", "opened"] == [e.transition for e in run.drift]
    assert 1 == len({e.incident_id for e in run.drift})
    assert "superseded" in run.drift[1].reason
    assert 1 == len(run.open)


def test_better_is_no_breach():
    """An error rate that falls, or a metric that rises, opens nothing."""
    run = Run()
    run.panes(4, error(0.05), finding("metric:accuracy", alarm=True, fall_ratio=-0.1))
    assert [] == run.open


@pytest.mark.parametrize(
    ("fall", "severity"), [(0.01, None), (0.02, "yellow"), (0.049, "yellow"), (0.05, "red")]
)
def test_metrics_are_graded_by_their_fall(fall, severity):
    """Yellow from 2 % of the baseline, red from 5 %."""
    run = Run()
    run.panes(3, finding("metric:accuracy", alarm=True, fall_ratio=fall))
    assert severity == (run.open[0].severity if run.open else None)


def test_the_config_moves_the_limits():
    """Points, relative limits and a monitor's own thresholds replace the defaults."""
    loose = {"policy": {"effect": {"yellow": 0.2, "red": 0.5}}}
    run = Run(**loose)
    run.panes(4, yellow("feature:a"), red("feature:b"))
    assert (["feature:b"], "yellow") == (
        [t.key.signal for t in run.state.signals if t.incident],
        run.incident.severity,
    )
    own = [{"watch": "feature:a", "detector": "psi", "red": 0.1}]
    run = Run(monitors=own)
    run.pane_of(yellow("feature:a"))
    assert "red" == run.incident.severity
    run = Run(policy={"metric": {"yellow": "1 points", "red": "3 points"}})
    run.panes(3, finding("metric:accuracy", alarm=True, fall=0.02, fall_ratio=0.2))
    assert "yellow" == run.incident.severity


def test_two_detectors_of_one_signal_are_one_signal():
    """A quiet window detector beside an alarming sequential one makes no second opening."""
    run = Run()
    run.pane_of(red("feature:a"), finding("feature:a", detector="psi", psi=0.4, inside=False))
    assert 1 == len(run.drift)


def test_a_context_signal_never_pages():
    """Role context joins what is open and opens nothing."""
    run = Run()
    run.panes(4, red("feature:a", role="context"))
    assert [] == run.open
    run.pane_of(red("feature:a", role="context"), red("feature:b"))
    assert ["feature:b", "feature:a"] == [e.signal for e in run.drift]


@pytest.mark.parametrize("phase", [None, "pending", "firing", "resolving", "cooling"])
def test_an_unjudged_pane_leaves_every_phase(phase):
    """Whatever the phase, no judgement changes nothing."""
    found = step(phase, "unjudged", 2, 1, PATIENCE)
    assert ("stay", 2, 1) == (found.act, found.breaches, found.clears)


def test_the_table_is_complete():
    """Every phase answers every judged input."""
    phases = (None, "pending", "firing", "resolving", "cooling")
    inputs = ("strong", "breach", "doubt", "calm")
    assert {(p, i) for p in phases for i in inputs} == set(TABLE)


def test_the_pane_length_is_the_models():
    """The cool-down is at least as long as resolving takes, whatever the pane."""
    run = Run(pane=PANE * 60)
    run.pane_of(red("feature:a"))
    first = run.incident.id
    run.panes(4, *quiet("feature:a"))
    run.pane_of(red("feature:a"))
    assert first == run.incident.id


def test_a_reading_has_the_severity_of_its_own_effect():
    """Without any state: red, yellow, or None where it is no breach."""
    policy = Run().policy
    said = [red("feature:a"), yellow("feature:a"), *quiet("feature:a"), error(0.1)]
    assert ["red", "yellow", None, None] == [policy.severity(one) for one in said]
