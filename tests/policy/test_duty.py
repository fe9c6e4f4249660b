"""Which versions are heard: not those that serve no more, and canaries only beside the champion."""

import pytest

from tests.policy.panes import Run, error, event, finding, quiet, red

STILL = quiet("feature:b", "feature:c")


def promoted():
    """A run in which version 2 was promoted over version 1, whose errors had fired."""
    run = Run()
    run.panes(2, error(0.3), *STILL)
    run.pane_of(error(0.3), *STILL, events=[event("promoted", version="2")])
    return run


def test_labels_that_come_late_reopen_nothing_of_a_version_promoted_over():
    """They are of rows that it scored while it served."""
    run = promoted()
    run.panes(6, error(0.3), *quiet("feature:b", version="2"))
    assert ([], ["firing", "resolved"]) == (run.open, [alert.status for alert in run.alerts])


@pytest.mark.parametrize("back", ["deployed", "promoted"])
def test_a_version_that_serves_again_is_heard_again(back):
    """From its next deployment or promotion on."""
    run = promoted()
    run.pane_of(error(0.3), events=[event(back, version="1")])
    run.panes(3, error(0.3))
    assert {"1"} == {t.key.version for t in run.state.signals if t.phase == "firing"}


def test_labels_that_come_late_reopen_nothing_of_a_version_rolled_back():
    """It is withdrawn."""
    run = Run()
    run.pane_of(error(0.4, version="2"), *STILL)
    run.pane_of(error(0.4, version="2"), *STILL, events=[event("rolled_back", version="2")])
    run.panes(6, error(0.4, version="2"), *STILL)
    assert [] == run.open


def test_a_canary_that_departs_from_the_reference_opens_nothing():
    """It may be meant to; what counts is how it does beside the champion."""
    run = Run()
    run.pane_of(*STILL, events=[event("canary_started", version="2", traffic_share=0.05)])
    run.panes(3, red("score", version="2"), *STILL)
    assert [] == run.open
    harm = {"version": "2", "current": 0.4, "baseline": 0.2, "fall": 0.2, "fall_ratio": 0.25}
    run.pane_of(finding("canary:error", alarm=True, symptom="fall", **harm), *STILL)
    assert ["canary"] == [incident.kind for incident in run.open]


def test_nothing_is_held_against_a_reference_that_is_replaced():
    """What a promoted version shows at that pane is measured by its predecessor's reference."""
    run = Run()
    run.pane_of(red("score", version="2"), *STILL, events=[event("promoted", version="2")])
    assert ([], ["2"]) == (run.open, [rebuild.version for rebuild in run.rebuilds])
    run.pane_of(red("score", version="2"), *STILL)
    assert 1 == len(run.open)
