"""What becomes of a retrain request: told when nobody starts it, asked again when it fails."""

from schemas.output_parts import Performance
from schemas.standing import Standing
from tests.policy.panes import Run, error, event, quiet, red

STILL = quiet(*[f"feature:f{i}" for i in range(4)])
SHORT = {"min_interval": "0s", "expires_after": "5h"}


def concept(**says):
    """Errors move, inputs do not."""
    return [error(0.23, **says), *STILL]


def test_a_request_that_nobody_starts_is_told_once_and_not_repeated():
    """An update of the alert at its expiry; a request that is void is not sent again."""
    run = Run(retrain=SHORT)
    run.panes(20, *concept())
    assert (1, 2) == (len(run.retrains), len(run.alerts))
    assert "was not started before it expired" in run.alerts[-1].summary


def test_a_retraining_without_an_end_is_told_and_asked_for_again():
    """It counts as an attempt."""
    run = Run(retrain=SHORT)
    run.pane_of(*concept())
    (first,) = run.retrains
    run.pane_of(*concept(), events=[event("retraining_started", request_id=first.request_id)])
    run.panes(7, *concept())
    assert [1, 2] == [r.attempt for r in run.retrains]
    assert "has not reported its end in time" in run.alerts[-1].summary


def test_three_attempts_and_then_a_person():
    """Each failure asks again, with an id of its own; the third says that somebody must look."""
    run = Run(retrain=SHORT)
    run.pane_of(*concept())
    for _ in range(4):
        last = run.retrains[-1].request_id
        run.pane_of(*concept(), events=[event("retraining_started", request_id=last)])
        run.pane_of(*concept(), events=[event("retraining_failed", request_id=last)])
    assert [1, 2, 3] == [r.attempt for r in run.retrains]
    assert 3 == len({r.request_id for r in run.retrains})
    assert "attempt 3 of 3) failed: a person must look" in run.alerts[-1].summary
    assert "investigate" == run.alerts[-1].recommended_action
    assert any("a person must look" in r.why for r in run.said("retrain_held"))


def test_a_service_may_refuse_before_it_starts():
    """A failure of a request that was never started asks again too."""
    run = Run(retrain=SHORT)
    run.pane_of(*concept())
    said = event("retraining_failed", request_id=run.retrains[0].request_id)
    run.pane_of(*concept(), events=[said])
    assert [1, 2] == [r.attempt for r in run.retrains]
    run.pane_of(*concept(), events=[said])
    assert 2 == len(run.retrains)


def test_a_retraining_that_finished_and_did_not_cure_asks_again():
    """The incident goes on for as long as a request lives."""
    run = Run(retrain=SHORT)
    run.pane_of(*concept())
    name = run.retrains[0].request_id
    run.pane_of(*concept(), events=[event("retraining_finished", request_id=name)])
    run.panes(8, *concept())
    assert [1, 2] == [r.attempt for r in run.retrains]
    assert "the incident goes on" in run.alerts[-1].summary


def test_a_cause_that_returns_with_the_new_version_has_used_an_attempt():
    """Version 2 was trained to cure it and shows it again: attempt 2, not a fresh start."""
    run = Run(retrain={"min_interval": "0s"})
    run.pane_of(*concept())
    name = run.retrains[0].request_id
    done = [
        event("retraining_finished", request_id=name),
        event("promoted", version="2"),
    ]
    run.pane_of(*quiet("error", version="2"), *STILL, events=done)
    run.panes(4, *quiet("error", version="2"), *STILL)
    assert [] == run.open
    run.pane_of(*concept(version="2"))
    assert [1, 2] == [r.attempt for r in run.retrains]
    assert "returned after retraining" in run.alerts[-1].summary


def test_a_request_of_the_world_is_asked_again_when_it_fails():
    """An external event has no incident; its request comes again as the next attempt."""
    run = Run(retrain=SHORT)
    run.pane_of(*STILL, events=[event("external", id="x", note="new market")])
    for _ in range(4):
        last = run.retrains[-1].request_id
        run.pane_of(*STILL, events=[event("retraining_failed", request_id=last)])
    assert [1, 2, 3] == [r.attempt for r in run.retrains]


def test_a_failure_keeps_the_minimum_interval():
    """Asking again is no emergency."""
    run = Run(retrain={"min_interval": "10h"})
    run.pane_of(*concept())
    said = event("retraining_failed", request_id=run.retrains[0].request_id)
    run.pane_of(*concept(), events=[said])
    run.panes(8, *concept())
    assert 1 == len(run.retrains)
    run.pane_of(*concept())
    assert 2 == len(run.retrains)


def test_a_gate_may_ask_for_more_than_the_champion_shows():
    """At least a point above what the present version shows now, and never below the own bound."""
    gates = {"metrics": {"auc": {"min": 0.7}}, "deltas": {"accuracy": 0.01, "auc": 0.0}}
    run = Run(retrain={"gates": gates})
    shown = Performance(metric="accuracy", estimated=0.8, realised=0.77, baseline=0.83)
    run.standing = Standing(performance={"1": shown})
    run.pane_of(*concept())
    found = run.retrains[0].gates.metrics
    assert (0.78, 0.7) == (found["accuracy"].min, found["auc"].min)


def test_a_full_retraining_comes_every_few_weeks_between_incremental_ones():
    """The third incremental one is five weeks after the first: it is a full one."""
    run = Run(retrain={"min_interval": "0s"}, policy={"cool_down": "1h"})
    for at in range(3):
        run.pane_of(red(f"feature:g{at}"), *STILL)
        run.panes(4, *quiet(f"feature:g{at}"), *STILL)
        run.index += 18 * 24
    asked = [r.suggestion.strategy for r in run.retrains]
    assert ["incremental", "incremental", "full"] == asked
