"""What people and services say, and what the policy makes of it."""

from schemas.inputs import Deployment, TrainingWindow
from streams.policy import PolicyState, decode, encode
from tests.policy.panes import PANE, START, Run, error, event, quiet, red

STILL = quiet("feature:b", "feature:c")


def test_accepting_the_new_normal_closes_and_rebuilds_since_the_change():
    """Verdict true_drift, resolution accept_as_new_normal."""
    run = Run()
    run.panes(3, *STILL)
    change = run.now - PANE
    run.pane_of(red("feature:a", change_point=change), *STILL)
    close = event(
        "incident_closed",
        incident_id=run.incident.id,
        verdict="true_drift",
        resolution="accept_as_new_normal",
        author="ann",
    )
    run.pane_of(red("feature:a", change_point=change), *STILL, events=[close])
    assert [(None, change)] == [(r.version, r.since) for r in run.rebuilds]
    assert ([], "resolved") == (run.open, run.alerts[-1].status)
    assert {"true_drift": 1} == run.state.verdicts
    run.pane_of(*STILL, events=[close])
    assert (1, {"true_drift": 1}) == (len(run.rebuilds), run.state.verdicts)


def test_what_a_person_closed_stays_closed_for_the_cool_down():
    """A false alarm that still breaches is suppressed, counted, and later told anew."""
    run = Run(policy={"cool_down": "5h"})
    run.pane_of(red("feature:a"))
    first = run.incident.id
    close = event("incident_closed", incident_id=first, verdict="false_alarm")
    run.pane_of(red("feature:a"), events=[close])
    run.panes(3, red("feature:a"))
    assert ([], 0) == (run.open, len(run.rebuilds))
    run.panes(4, red("feature:a"))
    assert first != run.incident.id


def test_acknowledging_and_assigning_update_the_alert():
    """Who has it is part of the alert."""
    run = Run()
    run.pane_of(red("feature:a"))
    name = run.incident.id
    run.pane_of(
        red("feature:a"), events=[event("incident_acknowledged", incident_id=name, author="ann")]
    )
    run.pane_of(red("feature:a"), events=[event("incident_assigned", incident_id=name, note="bo")])
    assert [None, "ann", "ann"] == [a.acknowledged_by for a in run.alerts]
    assert [None, None, "bo"] == [a.owner for a in run.alerts]


def test_a_reference_reset_ends_what_is_open():
    """The old normal is gone, so nothing departs from it any more."""
    run = Run()
    run.pane_of(red("feature:a"))
    run.pane_of(*STILL, events=[event("reference_reset", from_=run.now)])
    assert ([], [run.now - PANE]) == (run.open, [r.since for r in run.rebuilds])


def test_a_promoted_version_ends_what_others_signalled():
    """The concept drift of version 1 is over for the model when version 2 serves."""
    run = Run()
    run.panes(2, error(0.3), *STILL)
    run.pane_of(*quiet("error", version="2"), events=[event("promoted", version="2")])
    assert ([], ["2"]) == (run.open, [r.version for r in run.rebuilds])
    assert "version 2 was promoted" in run.drift[-1].reason


def test_a_rolled_back_version_matters_no_more():
    """Its signals leave their incidents; those of others stay."""
    run = Run()
    run.pane_of(red("feature:a"), red("feature:a", version="2"), red("score", version="2"))
    run.pane_of(red("feature:a"), events=[event("rolled_back", version="2")])
    alive = {t.key.version for t in run.state.signals if t.phase == "firing"}
    assert {"1"} == alive
    assert 1 == len(run.open)


def test_what_is_unknown_or_of_another_model_is_a_reason():
    """No event raises."""
    run = Run()
    foreign = event("promoted")
    run.pane_of(
        events=[
            event("incident_closed", incident_id="none"),
            foreign,
            event("annotation", note="hi"),
            event("retraining_failed"),
            event("rolled_back"),
            event("approved"),
            event("silence", until="never"),
            event("silence", from_="9999-12-31T23:00:00Z"),
            event("end_of_stream"),
        ]
    )
    assert 9 == len(run.reasons)
    assert ["ignored", "ignored", "event"] == [r.what for r in run.reasons[:3]]


def test_a_state_is_its_bytes():
    """Encoding is a function of the content, decoding gives it back."""
    run = Run()
    run.panes(3, red("feature:a"), error(0.3))
    assert run.state == decode(encode(run.state))
    assert PolicyState() == decode(encode(PolicyState()))


def made(first, last):
    """A deployment trained from one instant to another."""
    return Deployment(training_window=TrainingWindow(start=first, end=last))


def test_a_training_window_that_changed_sharply_raises_a_doubt():
    """Ten days where the champion had a hundred; ninety would do."""
    run = Run()
    day = 24 * PANE
    one = event("deployed", version="1", deployment=made(START, START + 100 * day))
    two = event("deployed", version="2", deployment=made(START, START + 10 * day))
    three = event("deployed", version="3", deployment=made(START, START + 90 * day))
    run.pane_of(*STILL, events=[one, event("promoted", version="1"), two, three])
    doubts = {v.name: v.doubts for v in run.state.versions}
    assert {"1": (), "2": ("its training window is 0.1 times the champion's",), "3": ()} == doubts


def test_a_promotion_without_the_approval_that_is_due_is_on_record():
    """It happened, so it is taken in, and the reason says what was missing."""
    run = Run()
    run.pane_of(*STILL, events=[event("promoted", version="2")])
    run.pane_of(*STILL, events=[event("approved", version="3"), event("promoted", version="3")])
    said = [r.why for r in run.said("event") if "although" in r.why]
    assert ["version 2 was promoted, although nobody has approved it"] == said
