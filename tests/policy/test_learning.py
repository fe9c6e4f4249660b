"""What verdicts teach: realised rates beside the promise, and which threshold to move."""

import pytest

from streams.policy import record
from streams.policy.state import MAX_KEPT
from tests.policy.panes import PANE, Run, error, event, quiet, red, yellow

STILL = quiet("feature:b", "feature:c")
QUICK = {"policy": {"cool_down": "1h"}}
DAY = 24


def incident(run, *findings, verdict=None, **says):
    """An incident of a few panes, closed with a verdict or resolved by itself."""
    run.panes(4, *findings, *STILL)
    name = run.incident.id
    if verdict is None:
        run.panes(4, *STILL, *quiet(*{f.signal for f in findings}))
        return name
    closed = event("incident_closed", incident_id=name, verdict=verdict, author="ann", **says)
    run.pane_of(*STILL, events=[closed])
    run.panes(10, *STILL, *quiet(*{f.signal for f in findings}))
    return name


def false_alarm(run, psi=0.12):
    """A small movement of feature a that a person calls a false alarm."""
    return incident(run, yellow("feature:a", psi=psi), verdict="false_alarm")


def test_three_false_alarms_in_a_week_suggest_a_threshold_with_its_backtest():
    """A real drift at PSI .4 stays caught, three false alarms below .13 would not have been."""
    run = Run(**QUICK)
    incident(run, red("feature:a", psi=0.4), verdict="true_drift")
    for psi in (0.11, 0.13, 0.12):
        assert [] == run.said("advised")
        false_alarm(run, psi)
    (said,) = run.said("advised")
    last = next(a for a in run.alerts if a.advice is not None)
    advice = last.advice
    assert ("feature:a", "effect.yellow", 0.0) == (advice.signal, advice.field, advice.present)
    assert 0.13 < advice.proposed < 0.4
    assert (3, 3, 1, 1, 0) == (
        advice.false_alarms,
        advice.avoided,
        advice.real,
        advice.caught,
        advice.delay_panes,
    )
    assert said.why == advice.text in last.summary
    assert ("resolved", last) == (last.status, run.alerts[-1])


def test_the_advice_does_what_its_backtest_says():
    """With the override it proposes none of the false alarms opens, and the real one does."""
    run = Run(**QUICK)
    for psi in (0.11, 0.13, 0.12):
        false_alarm(run, psi)
    advice = run.alerts[-1].advice
    own = {"signal": advice.signal, "effect": {"yellow": advice.proposed, "red": 0.25}}
    again = Run(policy={"cool_down": "1h", "overrides": [own]})
    for psi in (0.11, 0.13, 0.12):
        again.panes(4, yellow("feature:a", psi=psi), *STILL)
    assert [] == again.drift
    again.pane_of(red("feature:a", psi=0.4), *STILL)
    assert 1 == len(again.open)


def test_advice_on_a_metric_says_when_a_retraining_pays():
    """What acting costs, against what waiting does."""
    run = Run(impact={"retrain_cost": 300, "cost_per_point": 100}, **QUICK)
    for now in (0.19, 0.192, 0.191):
        incident(run, error(now), verdict="false_alarm")
    advice = run.alerts[-1].advice
    assert "metric.yellow" == advice.field
    assert advice.text.endswith(
        "; a retraining (300) pays from a fall of 3 points of the metric (100 a point)"
    )


def test_a_real_drift_no_larger_than_the_false_alarms_is_not_given_away():
    """The limit stops below it, and the advice says how many it avoids."""
    run = Run(**QUICK)
    incident(run, yellow("feature:a", psi=0.125), verdict="true_drift")
    for psi in (0.11, 0.13, 0.12):
        false_alarm(run, psi)
    advice = run.alerts[-1].advice
    assert (0.125, 3, 2, 1, 1) == (
        advice.proposed,
        advice.false_alarms,
        advice.avoided,
        advice.real,
        advice.caught,
    )


def test_what_grows_slowly_would_have_been_caught_later():
    """The backtest counts the panes it would have waited."""
    run = Run(**QUICK)
    for psi in (0.11, 0.13, 0.12):
        run.panes(3, yellow("feature:a", psi=0.1), *STILL)
        run.panes(4, yellow("feature:a", psi=psi), *STILL)
        run.pane_of(yellow("feature:a", psi=0.3), *STILL)
        name = run.incident.id
        closed = event("incident_closed", incident_id=name, verdict="true_drift")
        run.pane_of(*STILL, events=[closed])
        run.panes(10, *quiet("feature:a"), *STILL)
    for psi in (0.11, 0.13, 0.12):
        false_alarm(run, psi)
    assert (3, 5) == (run.alerts[-1].advice.caught, run.alerts[-1].advice.delay_panes)


@pytest.mark.parametrize("verdict", ["true_drift", "data_issue"])
def test_other_verdicts_suggest_nothing(verdict):
    """Only false alarms do."""
    run = Run(**QUICK)
    for _ in range(4):
        incident(run, yellow("feature:a"), verdict=verdict)
    assert [] == run.said("advised")


def test_false_alarms_within_the_promise_suggest_nothing():
    """Four a week were promised."""
    run = Run(**QUICK, false_alarms="4 per 7d")
    for _ in range(3):
        false_alarm(run)
    assert [] == run.said("advised")


def test_false_alarms_far_apart_suggest_nothing():
    """Two in a week are no pattern."""
    run = Run(**QUICK)
    for _ in range(4):
        false_alarm(run)
        run.panes(3 * DAY, *STILL)
    assert [] == run.said("advised")


def test_a_verdict_counts_once_and_may_come_late():
    """An incident long resolved and forgotten by all else still takes its verdict, once."""
    run = Run(**QUICK)
    name = incident(run, red("feature:a"))
    run.panes(60, *STILL)
    assert () == run.state.incidents
    closed = event("incident_closed", incident_id=name, verdict="false_alarm", root_cause="x")
    run.pane_of(*STILL, events=[closed, closed])
    (case,) = run.state.cases
    assert ("false_alarm", "x", {"false_alarm": 1}) == (
        case.verdict,
        case.root_cause,
        run.state.verdicts,
    )


def test_advice_reaches_an_incident_that_is_over_already():
    """A resolved alert is told again, because there is something new to say."""
    run = Run(**QUICK)
    names = [incident(run, yellow("feature:a")) for _ in range(3)]
    told = len(run.alerts)
    closed = [event("incident_closed", incident_id=n, verdict="false_alarm") for n in names]
    run.pane_of(*STILL, events=closed)
    assert ["resolved"] == [a.status for a in run.alerts[told:]]
    assert 3 == run.alerts[-1].advice.false_alarms


def test_the_record_has_rates_recall_and_times():
    """One real, one false, one unjudged, one that people saw alone."""
    run = Run(**QUICK)
    change = run.now
    run.pane_of(*STILL)
    name = incident(run, red("feature:a", change_point=change), verdict="true_drift")
    false_alarm(run)
    incident(run, red("score"))
    missed = event("incident_missed", id="m1", from_=run.now - PANE, until=run.now)
    run.pane_of(*STILL, events=[missed, missed])
    found = record(run.state, run.policy.rules)
    case = next(c for c in run.state.cases if c.id == name)
    assert (3, 1, 1, 0, 1) == (
        found.model.incidents,
        found.model.unjudged,
        found.model.true_drift,
        found.model.data_issue,
        found.model.false_alarm,
    )
    assert (0.5, 0.5, 1) == (found.model.recall, found.model.precision, found.missed)
    assert ["feature:a/shiryaev_roberts", "score/shiryaev_roberts"] == [
        one.monitor for one in found.monitors
    ]
    assert 2 * PANE == found.to_detect == case.opened - change
    assert found.to_acknowledge is None
    assert found.to_recover > 0


def test_drift_events_show_the_realised_beside_the_promised():
    """What people called false in this period, and the share of the real that was told."""
    run = Run(**QUICK)
    false_alarm(run)
    run.pane_of(red("feature:b"))
    budget = run.drift[-1].budget
    assert (1, 2.0, 1.0, None) == (budget.allowed, budget.spent, budget.realised, budget.recall)


def test_cases_are_bounded():
    """The oldest give way."""
    run = Run(**QUICK)
    for at in range(MAX_KEPT + 5):
        run.pane_of(red(f"feature:{at}"), *STILL)
        run.pane_of(*STILL, events=[event("reference_reset")])
        run.panes(4, *STILL)
    assert MAX_KEPT == len(run.state.cases)
