"""What a drift looks like reaches events, alerts and sentences, and stays known to the end."""

import pytest

from streams.policy.family import family_of
from tests.policy.panes import Run, cells, error, finding, quiet, red


def moving(**form):
    """A feature that alarms, of this form."""
    return red("feature:x", cells=cells(a=(0.1, 0.4)), **form)


@pytest.mark.parametrize(
    ("breadth", "words"),
    [("uniform", "; uniform over all segments)"), ("localised", "; localised in some segments)")],
)
def test_event_and_alert_say_shape_and_breadth(breadth, words):
    run = Run()
    run.pane_of(moving(shape="gradual", breadth=breadth))
    (event,), (alert,) = run.drift, run.alerts
    assert ("gradual", breadth, breadth) == (event.shape, event.breadth, alert.breadth)
    assert event.explanation.endswith(words)
    assert alert.summary.endswith(words)


def test_what_is_not_known_is_not_said():
    run = Run()
    run.pane_of(moving())
    (event,), (alert,) = run.drift, run.alerts
    assert (None, None, None) == (event.shape, event.breadth, alert.breadth)
    assert event.explanation.endswith("red from 0.25)")


def test_the_end_of_an_incident_still_knows_its_form():
    """Back inside the tolerance there is nothing left to look at."""
    run = Run()
    run.pane_of(moving(shape="sudden", breadth="localised"))
    run.pane_of(moving())
    run.panes(5, *quiet("feature:x"))
    assert ["opened", "resolved"] == [one.transition for one in run.drift]
    assert {("sudden", "localised")} == {(one.shape, one.breadth) for one in run.drift}


def test_a_consequence_does_not_say_how_broad_the_cause_is():
    """The alert's breadth is that of its class: here none is known."""
    run = Run()
    run.pane_of(moving(), red("score", breadth="uniform"))
    (alert,) = run.alerts
    assert "covariate_drift" == alert.triage.class_
    assert alert.breadth is None


def test_of_several_detectors_one_that_knows_the_form_is_enough():
    """In whatever order they come."""
    for order in (1, -1):
        run = Run()
        known = moving(shape="sudden", breadth="uniform")
        run.pane_of(*[known, moving(detector="other")][::order])
        (event,) = run.drift
        assert ("sudden", "uniform") == (event.shape, event.breadth)


def test_parts_that_move_apart_are_a_matter_of_fairness_with_a_sentence():
    """An incident of its own beside a drift: neither explains the other."""
    spread = finding(
        "metric:spread:region",
        alarm=True,
        detector="quartiles",
        size=0.1,
        current=0.12,
        baseline=0.02,
        cells=cells(p25=(0.79, 0.74), p50=(0.8, 0.801), p75=(0.81, 0.86)),
    )
    run = Run()
    run.panes(4, spread, moving())  # yellow waits until it is sustained
    assert "fairness" == family_of("metric:spread:region", "shift")
    assert {"fairness", "covariate_drift"} == {one.kind for one in run.open}
    (event,) = (one for one in run.drift if one.kind == "fairness")
    assert (
        'the spread of performance over region in m 1: "p25" fell from 79.0 % to 74.0 % and'
        ' "p75" rose from 81.0 % to 86.0 % while the median of the parts holds at 80.1 %'
        " over 1,500 rows (a shift of 0.10)"
    ) == event.explanation


def swings(**says):
    """Panes that are better and worse in turn, proven."""
    return finding(
        "spread",
        **{"alarm": True, "detector": "quartiles", "size": 0.1, "current": 0.12, "baseline": 0.02}
        | {"cells": cells(p25=(0.79, 0.74), p50=(0.8, 0.801), p75=(0.81, 0.86))}
        | says,
    )


def test_panes_that_swing_are_to_be_looked_at_not_learned_from():
    """Nothing fell, so nothing is retrained, though the least fall would be."""
    run, fell = Run(), Run()
    run.panes(4, swings())
    fell.panes(4, finding("metric:accuracy", alarm=True, fall_ratio=0.03, symptom="fall"))
    assert "performance_drop" == fell.incident.kind
    assert ["performance"] == [one.trigger for one in fell.retrains]
    assert "retrain_full" == fell.alerts[-1].recommended_action
    assert ("performance_drop", "yellow") == (run.incident.kind, run.incident.severity)
    assert [] == run.retrains
    assert "investigate" == run.alerts[-1].recommended_action
    (event,) = run.drift
    assert (
        'the spread of performance over panes in m 1: "p25" fell from 79.0 % to 74.0 % and'
        ' "p75" rose from 81.0 % to 86.0 % while the median of the panes holds at 80.1 %'
        " over 1,500 rows (a shift of 0.10)"
    ) == event.explanation


def test_swings_belong_to_the_incident_of_the_model():
    """They join where the error alarms, and never open a second incident beside it."""
    run = Run()
    run.panes(4, error(0.3), swings(alarm=False, joins=True))
    assert "concept_drift" == run.incident.kind
    assert {"error", "spread"} == {one.signal for one in run.alerts[-1].signals}
    assert "retrain_full" == run.alerts[-1].recommended_action
