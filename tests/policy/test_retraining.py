"""Retrain and rollback requests: one per cause, throttled, held where they would do harm."""

from itertools import pairwise

import pytest

from schemas.instants import parse
from streams.policy.retraining.cron import Cron
from tests.policy.panes import PANE, Run, error, event, finding, quiet, red, yellow

STILL = quiet(*[f"feature:f{i}" for i in range(4)])
DAY = 24


def concept(**says):
    """Errors move, inputs do not."""
    return [error(0.23, **says), *STILL]


def test_concept_drift_asks_once_for_the_rows_after_the_change():
    """However long it lasts there is one request, and its window begins at the change."""
    run = Run()
    run.panes(5, *STILL)
    change = run.now - PANE
    run.panes(60, *concept(change_point=change))
    (request,) = run.retrains
    assert change == parse(request.data_window.start) == parse(request.data_window.change_point)
    assert ("performance", "normal", "full") == (
        request.trigger,
        request.urgency,
        request.suggestion.strategy,
    )
    assert (run.incident.id,) == request.incident_ids
    assert "2,000 labelled rows" in request.reason
    assert request.reason.startswith("performance (red): the error rate in m 1")


def test_labels_tell_late_of_rows_that_changed_before():
    """The window begins a label delay before the labels of changed rows began to arrive."""
    run = Run()
    run.panes(20, *STILL)
    change, delay = run.now - PANE, 5 * PANE
    run.panes(60, *concept(change_point=change, label_delay=delay))
    (request,) = run.retrains
    assert change - delay == parse(request.data_window.start)
    assert change - delay == parse(request.data_window.change_point)


def test_covariate_drift_keeps_history_and_doubles_what_is_recent():
    """Window from the beginning, two weights meeting at the change point."""
    run = Run()
    run.panes(20, *STILL)
    change = run.now - 2 * PANE
    run.pane_of(red("feature:a", change_point=change), *STILL)
    (request,) = run.retrains
    before, after = request.suggestion.weights
    assert (1.0, 2.0) == (before.weight, after.weight)
    assert before.end == after.start == request.data_window.change_point
    assert parse(request.data_window.start) < change == parse(after.start)


@pytest.mark.parametrize(
    "findings",
    [
        [red("feature:a", symptom="missing")],
        [red("score"), *quiet("prediction")],
        [yellow("feature:a")],
        [red("feature:a", important=False)],
        [red("score"), red("prediction")],
        [red("label")],
        [red("operational:latency_ms", fall_ratio=0.5)],
    ],
    ids=["fault", "calibration", "yellow", "unimportant", "prediction", "label", "operational"],
)
def test_what_a_retraining_does_not_cure_asks_for_none(findings):
    """Faults, calibration, small or unimportant drift, and what is no matter of the model."""
    run = Run()
    run.panes(8, *findings, *STILL)
    assert (1, []) == (len(run.open), run.retrains)


def test_a_fault_with_errors_asks_for_none():
    """A red fall of performance under a data fault is held, and the reason says so."""
    run = Run()
    run.panes(6, red("feature:a", symptom="missing"), error(0.4), *STILL)
    assert [] == run.retrains
    assert any("data are at fault" in r.why for r in run.said("retrain_held"))


def test_the_minimum_interval_queues_until_it_allows():
    """A second cause waits; it is sent while its incident is still open."""
    run = Run(retrain={"min_interval": "2d"})
    run.pane_of(red("feature:a"), *STILL)
    run.panes(20, *quiet("feature:a"), *STILL)
    run.panes(10, *concept())
    assert (1, 1) == (len(run.retrains), run.state.throttled)
    assert 1 == len(run.said("retrain_queued"))
    run.panes(40, *concept())
    first, second = run.retrains
    assert 2 * DAY * PANE == parse(second.requested_at) - parse(first.requested_at)


def test_a_queued_request_is_dropped_with_its_incident():
    """What is over before the interval allows is never sent."""
    run = Run(retrain={"min_interval": "2d"})
    run.pane_of(red("feature:a"), *STILL)
    run.panes(20, *quiet("feature:a"), *STILL)
    run.panes(5, *concept())
    run.panes(60, *quiet("error"), *STILL)
    assert 1 == len(run.retrains)


def test_emergencies_pass_the_interval():
    """A tenth of the performance lost does not wait."""
    run = Run()
    run.pane_of(red("feature:a"), *STILL)
    run.panes(20, *quiet("feature:a"), *STILL)
    run.pane_of(error(0.5), *STILL)
    assert ["normal", "emergency"] == [r.urgency for r in run.retrains]


def test_nothing_is_asked_while_a_retraining_runs():
    """From started to finished, and a failure asks again as the next attempt."""
    run = Run(retrain={"min_interval": "0s"})
    run.pane_of(*concept())
    (first,) = run.retrains
    run.pane_of(*concept(), events=[event("retraining_started", request_id=first.request_id)])
    run.panes(4, red("feature:a", version="2"), *concept())
    assert 1 == len(run.retrains)
    run.pane_of(*concept(), events=[event("retraining_failed", request_id=first.request_id)])
    again = [r for r in run.retrains if r.incident_ids == first.incident_ids]
    assert [1, 2] == [r.attempt for r in again]
    assert 2 == len({r.request_id for r in again})


def test_faulty_stretches_are_excluded():
    """What the fault spoilt is not trained on."""
    run = Run()
    run.panes(5, *STILL)
    began = run.now
    run.panes(4, red("feature:s", symptom="missing"), *STILL)
    run.panes(5, *quiet("feature:s"), *STILL)
    run.pane_of(red("feature:a"), *STILL)
    (stretch,) = run.retrains[0].data_window.exclude
    assert (began, began + 7 * PANE) == (parse(stretch.start), parse(stretch.end))


def test_yellow_performance_waits_for_the_schedule():
    """A small fall asks too, but not before the next scheduled time."""
    run = Run(retrain={"schedule": "0 2 * * *"})
    run.panes(3, finding("metric:accuracy", alarm=True, fall_ratio=0.03), *STILL)
    (request,) = run.retrains
    assert "scheduled" == request.urgency
    assert Cron.parse("0 2 * * *").after(run.now) == parse(request.not_before)


def test_the_schedule_asks_and_a_triggered_request_resets_it():
    """Daily without triggers; after a triggered one not before the interval is over."""
    run = Run(retrain={"schedule": "0 2 * * *", "min_interval": "1d"})
    run.panes(3 * DAY + 1, *STILL)
    assert 3 == len(run.retrains)
    assert {"schedule"} == {r.trigger for r in run.retrains}
    run.pane_of(red("feature:a"), *STILL)
    run.panes(2 * DAY, red("feature:a"), *STILL)
    stamps = [parse(r.requested_at) for r in run.retrains]
    assert all(b - a >= DAY * PANE for a, b in pairwise(stamps))
    assert "drift" in {r.trigger for r in run.retrains}


def test_events_from_outside_ask_once():
    """A repeated event is known; redefined labels leave only the rows since then."""
    run = Run(retrain={"min_interval": "0s"})
    run.pane_of(*STILL)
    said = event("external", id="x", note="new market")
    run.pane_of(*STILL, events=[said, said])
    run.pane_of(*STILL, events=[said, event("labels_redefined", id="y", from_=run.now)])
    first, second = run.retrains
    assert ("new market" in first.reason, "external") == (True, first.trigger)
    assert parse(second.data_window.start) == parse(second.data_window.change_point)


def test_mode_off_is_off():
    """Nothing is asked, nothing scheduled."""
    run = Run(retrain={"mode": "off"})
    run.pane_of(*STILL, events=[event("external", id="x")])
    run.panes(5, *concept())
    assert [] == run.retrains


def test_a_tenth_below_the_baseline_asks_for_the_version_before():
    """Once per incident, naming the predecessor; without one it is held with a reason."""
    run = Run()
    run.pane_of(*quiet("error", version="1"), *STILL)
    bad = [error(0.4, version="2"), *quiet("error"), *STILL]
    run.pane_of(*bad, events=[event("deployed", version="2")])
    run.panes(5, *bad)
    assert [("2", "1")] == [(r.version, r.to_version) for r in run.rollbacks]
    alone = Run()
    alone.panes(4, error(0.4), *STILL)
    assert [] == alone.rollbacks
    assert 1 == len(alone.said("rollback_held"))


def test_a_spike_after_a_deployment_asks_for_a_rollback():
    """A red fall below a tenth counts within two hours of the deployment only."""
    run = Run()
    run.panes(2, *quiet("error"), *STILL)
    run.pane_of(*STILL, events=[event("deployed", version="2")])
    run.pane_of(error(0.23, version="2"), *STILL)
    assert ["1"] == [r.to_version for r in run.rollbacks]
    late = Run()
    late.panes(2, *quiet("error"), *STILL)
    late.pane_of(*STILL, events=[event("deployed", version="2")])
    late.panes(6, *STILL)
    late.pane_of(error(0.23, version="2"), *STILL)
    assert [] == late.rollbacks
