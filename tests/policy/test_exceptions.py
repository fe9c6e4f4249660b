"""What the operator declares beside thresholds: other limits, floors, and times that differ."""

import pytest

from schemas.config_model import ModelConfig
from schemas.instants import parse, rfc3339
from streams.policy.state import SignalKey
from tests.policy.panes import PANE, START, Run, event, finding, quiet, red, yellow

STILL = quiet("feature:b", "feature:c")


def instant(pane):
    """The end of a pane as the config writes it."""
    return rfc3339(START + pane * PANE)


def test_an_override_holds_for_its_signal_segment_and_version_only():
    """PSI .4 of feature a in version 2 is no breach below its own yellow of .5; elsewhere it is."""
    own = {"signal": "feature:a", "version": "2", "effect": {"yellow": 0.5, "red": 0.9}}
    run = Run(policy={"overrides": [own]})
    run.panes(5, red("feature:a", version="2"), *STILL)
    assert [] == run.open
    run.pane_of(red("feature:a", version="2"), red("feature:a", segment="SEX=1"), *STILL)
    assert ["SEX=1"] == [e.segment for e in run.drift]


def test_a_metric_below_its_floor_is_red_at_once_without_a_detectors_proof():
    """Precision was context and lies surely below .85: a firing alert; it resolves above."""
    run = Run(policy={"floors": {"precision": 0.85}})
    low = {"role": "context", "detector": "window", "baseline": 0.82}
    held = finding("metric:precision", current=0.84, high=0.86, **low)
    run.panes(4, held)
    assert [] == run.open
    run.pane_of(finding("metric:precision", current=0.8, high=0.83, **low))
    assert ("red", "performance_drop") == (run.incident.severity, run.incident.kind)
    run.panes(3, held)
    assert ([], "resolved") == (run.open, run.alerts[-1].status)


def test_an_estimate_never_breaks_a_floor():
    """What is only foreseen is context."""
    run = Run(policy={"floors": {"accuracy": 0.85}})
    run.panes(3, finding("metric:accuracy", current=0.7, role="context", detector="estimate"))
    assert [] == run.open


@pytest.mark.parametrize(
    ("watch", "field"), [("metric:precision", "floor"), ("metric:log_loss", "ceiling")]
)
def test_an_absolute_red_of_a_declared_metric_is_a_limit_on_its_better_side(watch, field):
    """`red: 0.85` of precision is a floor; of a loss, a ceiling."""
    monitor = {"watch": watch, "detector": "control_chart", "red": 0.85}
    limits = Run(monitors=[monitor]).policy.rules.limits_of(SignalKey("1", "*", watch))
    assert 0.85 == getattr(limits, field)


def test_nothing_is_judged_in_an_exception_of_the_calendar():
    """Black Friday moves everything: no event, and afterwards the detectors start anew."""
    days = {"name": "black friday", "from": instant(3), "to": instant(8)}
    run = Run(calendar=[days])
    run.panes(3, *STILL)
    run.panes(5, red("feature:a"), *STILL)
    assert ([], []) == (run.drift, run.restarts)
    run.pane_of(red("feature:a"), *STILL)
    assert ([], ["feature:a"]) == (run.drift, [k.signal for k in run.restarts[0].signals])
    run.panes(2, *quiet("feature:a"), *STILL)
    run.pane_of(red("feature:a"), *STILL)
    assert 1 == len(run.open)


def test_an_exception_leaves_what_fires_as_it_is():
    """An incident neither resolves nor grows while nothing is judged."""
    days = {"name": "x", "from": instant(2), "to": instant(9)}
    run = Run(calendar=[days])
    run.panes(2, red("feature:a"), *STILL)
    run.panes(7, *quiet("feature:a"), *STILL)
    assert (1, 1) == (len(run.open), len(run.drift))


def test_an_exception_is_left_out_of_what_is_trained_on():
    """A request lists it beside the stretches of faulty data."""
    days = {"name": "sale", "from": instant(2), "to": instant(4)}
    run = Run(calendar=[days])
    run.panes(8, *STILL)
    run.pane_of(red("feature:a"), *STILL)
    (stretch,) = run.retrains[0].data_window.exclude
    assert ("calendar, sale", START + 2 * PANE) == (stretch.reason, parse(stretch.start))


def test_a_maintenance_window_holds_alerts_each_time():
    """Drift events go on; the alert comes when the window is over."""
    window = {"schedule": "0 * * * *", "lasts": "30m", "reason": "nightly load"}
    run = Run(policy={"maintenance": [window]}, pane=600_000)
    run.index = 6 - (START // 600_000) % 6  # the next full hour
    run.panes(2, red("feature:a"))
    assert (1, []) == (len(run.drift), run.alerts)
    run.panes(3, red("feature:a"))
    assert ["firing"] == [a.status for a in run.alerts]


def test_a_maintenance_window_is_short():
    """Longer exceptions belong into the calendar."""
    window = {"schedule": "0 2 * * 0", "lasts": "8d", "reason": "x"}
    with pytest.raises(ValueError, match="calendar"):
        ModelConfig(task="binary", policy={"maintenance": [window]})


def test_red_that_nobody_acknowledges_is_escalated_once():
    """After four hours somebody else is told; an acknowledged incident is not escalated."""
    config = {"policy": {"escalation": {"after": "4h", "owner": "lead", "sink": "phone"}}}
    run = Run(**config)
    run.panes(20, red("feature:a"), *STILL)
    first, second = run.alerts
    assert "escalated" not in first.labels
    assert ("true", "lead", "phone") == tuple(
        second.labels[name] for name in ("escalated", "escalated_to", "sink")
    )
    assert 4 * PANE == parse(second.updated_at) - parse(first.updated_at)
    calm = Run(**config)
    calm.pane_of(red("feature:a"), *STILL)
    said = event("incident_acknowledged", incident_id=calm.incident.id, author="ann")
    calm.pane_of(red("feature:a"), *STILL, events=[said])
    calm.panes(20, red("feature:a"), *STILL)
    assert [None, "ann"] == [a.acknowledged_by for a in calm.alerts]


def test_yellow_is_never_escalated():
    """It can wait."""
    run = Run(policy={"escalation": {"after": "1h", "owner": "lead"}})
    run.panes(9, yellow("feature:a"), *STILL)
    assert 1 == len(run.alerts)


def test_a_signal_of_role_context_joins_and_never_opens():
    """Declared in an override."""
    run = Run(policy={"overrides": [{"signal": "feature:a", "role": "context"}]})
    run.panes(5, red("feature:a"), *STILL)
    assert [] == run.open
    run.pane_of(red("feature:a"), red("feature:d"), *STILL)
    assert {"feature:a", "feature:d"} == {e.signal for e in run.drift}


def test_a_route_may_be_of_a_signal():
    """The owner of a feature hears of its incidents; nobody else's route applies."""
    routes = [
        {"signal": "feature:pay*", "owner": "payments", "runbook": "https://runbook/pay"},
        {"class": "covariate_drift", "owner": "science"},
    ]
    run = Run(policy={"routes": routes})
    run.pane_of(red("feature:pay_day"), *STILL)
    assert ("payments", "https://runbook/pay") == (run.alerts[0].owner, run.drift[0].runbook)
    other = Run(policy={"routes": routes})
    other.pane_of(red("feature:a"), *STILL)
    assert ("science", None) == (other.alerts[0].owner, other.drift[0].runbook)
