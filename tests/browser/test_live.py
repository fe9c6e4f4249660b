"""What happens is shown at once; what is said in the page takes effect in the stream."""

import json
import re

import pytest

from tests.browser.waiting import until

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser

BEFORE = 68_900
AFTER = 70_300
LATER = 71_500
A_WEEK_LATER = 72_500
"""When another retraining may be asked for."""


@pytest.fixture
def stage(play, tmp_path):
    """A stage just before the change of the stream."""
    with play(tmp_path / "log", BEFORE) as stage:
        yield stage


@pytest.fixture
def incident(stage, visit):
    """The page of the incident that the change opens."""
    stage.feed(AFTER)
    until(lambda: stage.runtime.outputs("alerts"))
    page = visit(stage.address)
    page.click("#incidents tbody a")
    page.wait_for_selector("form[name=close]")
    return page


def event(stage, kind):
    """The newest model event of a kind in the log."""
    found = [json.loads(one.value) for one in stage.runtime.log.read("model-events", 0, 0, 100)]
    return next((one for one in reversed(found) if one["type"] == kind), None)


def identity(page):
    return re.search(r"id=(\w+)", page.url)[1]


def test_an_incident_is_on_the_page_within_two_seconds(stage, visit):
    """From the commit of its alert to the row in the table."""
    page = visit(stage.address)
    assert "No incident." == page.inner_text("#incidents")
    stage.feed(AFTER)
    until(lambda: stage.runtime.outputs("alerts"))
    page.wait_for_selector("#incidents tbody a", timeout=2000)
    assert "■ red" in page.inner_text("#incidents")


def test_closing_with_a_verdict(stage, incident, ask):
    """By keyboard alone: the verdict is in the log, the incident is over, and the page says so."""
    incident.focus("form[name=close] select")
    incident.keyboard.type("false")
    incident.keyboard.press("Tab")
    incident.keyboard.type("a survey was changed")
    incident.keyboard.press("Enter")
    expect(incident.locator("#told")).to_contain_text("Said")
    said = event(stage, "incident_closed")
    assert ("false_alarm", "a survey was changed") == (said["verdict"], said["root_cause"])
    assert identity(incident) == said["incident_id"]
    expect(incident.locator("#said")).to_contain_text("false alarm")
    stage.feed(LATER)
    incident.wait_for_selector("#head .state.resolved", timeout=5000)
    file = ask(incident, f"/v1/incidents/{identity(incident)}")
    assert "resolved" == file["incident"]["status"]


def test_silencing(stage, incident, ask, model):
    """The silence is in force, so that the incident moves on and nobody is told."""
    incident.fill("form[name=silence] [name=signal]", "feature:RELP")
    incident.select_option("form[name=silence] [name=hours]", "720")
    incident.fill("form[name=silence] [name=note]", "known since the survey changed")
    before = len(stage.runtime.outputs("alerts"))
    incident.click("form[name=silence] button")
    expect(incident.locator("#told")).to_contain_text("Said")
    said = event(stage, "silence")
    assert {"signal": "feature:RELP", "segment": "*"} == said["matchers"]
    (mark,) = [
        one
        for one in ask(incident, f"/v1/marks?model={model}")["marks"]
        if one["type"] == "silence"
    ]
    assert (said["note"], said["until"]) == (mark["note"], mark["until"].replace("Z", ".000Z"))
    drift = len(stage.runtime.outputs("drift-events"))
    stage.feed(LATER)
    until(lambda: len(stage.runtime.outputs("drift-events")) > drift)
    assert before == len(stage.runtime.outputs("alerts"))


def test_annotating_and_asking_for_a_retraining(stage, incident, ask, model):
    """A note is a mark on the time line; a wish is an event that asks for a retraining."""
    incident.fill("form[name=annotate] textarea", "<b>the survey</b> changed")
    incident.click("form[name=annotate] button")
    expect(incident.locator("#said")).to_contain_text("<b>the survey</b>")
    incident.fill("form[name=retrain] [name=note]", "new survey")
    incident.click("form[name=retrain] button")
    until(lambda: event(stage, "external"))
    stage.feed(A_WEEK_LATER)
    asked = until(
        lambda: [
            one
            for one in map(json.loads, (o.value for o in stage.runtime.outputs("retrain-requests")))
            if one["trigger"] == "external"
        ]
    )
    assert "new survey" in asked[0]["reason"]
