"""Each template makes what its service documents (the forms below are made after its pages)."""

import base64
import re
from uuid import UUID

import msgspec
import pytest

from schemas.config_sinks import NEEDS, Sink
from schemas.output_parts import Annotations, SignalInIncident
from streams.sinks.call import Answer, judge
from streams.sinks.facts import NAMES
from streams.sinks.signature import sign
from streams.sinks.template import Template, fill, names
from streams.sinks.templates import TEMPLATES
from streams.sinks.webhook import Webhook
from tests.sinks.world import RUNBOOK, alert, message, retraining, rollback

EVENTS = {"alerts": alert(), "retrain-requests": retraining(), "rollback-requests": rollback()}
TOKEN = "t0ken"
FIELDS = {
    "jira": {"project": "OPS"},
    "dagster": {"location": "defs", "job": "retrain"},
    "openlineage": {"namespace": "kafka://broker:9092", "dataset": "predictions"},
}


def called(template, event, id="e-1", *, token=TOKEN, **more):
    """The call for an event, and its body."""
    sink = Sink(
        url="https://service.example/x",
        template=template,
        token=token,
        fields=FIELDS.get(template, {}),
        **more,
    )
    call = Webhook(sink).compose(message(event, id), None, 0)
    return call, msgspec.json.decode(call.body)


def test_each_template_of_the_config_is_there_with_its_topics():
    """And asks only for facts and fields that there are."""
    assert set(NEEDS) == set(TEMPLATES)
    for name, template in TEMPLATES.items():
        assert set(NEEDS[name].topics) == set(template.forms)
        known = {*NAMES, "token", *NEEDS[name].required, *template.usual, *template.derived}
        for form in template.forms.values():
            assert set() == names(form) - known


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_every_event_of_a_template_has_a_form(name):
    """None leaves a hole: no brace of the template remains."""
    for topic in NEEDS[name].topics:
        call, _ = called(name, EVENTS[topic], topics=(topic,))
        assert call.body.startswith(b"{")
        assert not re.search(rb"\{[a-z_]+(:\d+)?\}", call.body)


def test_slack_takes_text_and_blocks():
    call, body = called("slack", alert(annotations=Annotations(runbook_url=RUNBOOK)), token=None)
    assert {"text", "blocks"} == set(body)
    section, context = body["blocks"]
    assert ("section", "mrkdwn") == (section["type"], section["text"]["type"])
    assert "&lt;in&gt; EU &amp; beyond" in section["text"]["text"]
    assert "retrain on everything" in section["text"]["text"]
    assert [{"mrkdwn"}] == [{one["type"] for one in context["elements"]}]
    assert RUNBOOK in [one["text"] for one in context["elements"]]
    assert "Authorization" not in call.headers


def test_nobody_is_mentioned_in_slack_by_a_name_from_outside():
    """A title that holds Slack's own marks stays a text."""
    _, body = called("slack", alert(title="<!channel> *x* <http://e.example|y>"), token=None)
    assert "<!channel>" not in msgspec.json.encode(body).decode()


def test_pagerduty_opens_and_resolves_one_incident():
    """Events API v2: routing key, action, one dedup key, and a payload with a known severity."""
    call, body = called("pagerduty", alert())
    assert ("t0ken", "trigger", "i-1") == (
        body["routing_key"],
        body["event_action"],
        body["dedup_key"],
    )
    payload = body["payload"]
    assert ("critical", "fraud") == (payload["severity"], payload["source"])
    assert 0 < len(payload["summary"]) <= 1024
    assert "Authorization" not in call.headers
    assert "links" not in body or all("href" in link for link in body["links"])
    _, resolved = called("pagerduty", alert(status="resolved", severity="yellow"))
    assert ("resolve", "i-1") == (resolved["event_action"], resolved["dedup_key"])
    assert "warning" == resolved["payload"]["severity"]
    _, long = called("pagerduty", alert(summary="x" * 5000))
    assert len(long["payload"]["summary"]) <= 1024


def test_jira_makes_an_issue_of_a_project():
    """Version 2: project key, type, a summary of at most 255 characters, a description as text."""
    call, body = called("jira", alert(title="x" * 400), username="bot@example.com")
    fields = body["fields"]
    assert ({"key": "OPS"}, {"name": "Task"}) == (fields["project"], fields["issuetype"])
    assert len(fields["summary"]) <= 255
    assert isinstance(fields["description"], str)
    assert all(" " not in label for label in fields["labels"])
    basic = base64.b64encode(b"bot@example.com:t0ken").decode()
    assert f"Basic {basic}" == call.headers["Authorization"]


def test_airflow_runs_a_dag_once_for_an_event():
    """`logical_date` must be there, null; no other member is allowed but these."""
    call, body = called("airflow", retraining(), "e-7")
    assert {"dag_run_id", "logical_date", "conf", "note"} == set(body)
    assert ("windage__e-7", None) == (body["dag_run_id"], body["logical_date"])
    assert "r-1" == body["conf"]["event"]["request_id"]
    assert "Bearer t0ken" == call.headers["Authorization"]
    assert "taken" == judge(call, Answer(status=409)).outcome


def test_prefect_runs_a_deployment_once_for_an_event():
    call, body = called("prefect", retraining(), "e-7")
    assert {"name", "idempotency_key", "parameters", "tags"} == set(body)
    assert "e-7" == body["idempotency_key"]
    assert "r-1" == body["parameters"]["event"]["request_id"]
    assert "Bearer t0ken" == call.headers["Authorization"]


def test_dagster_launches_a_job_and_believes_no_bare_200():
    call, body = called("dagster", retraining(), "e-7")
    assert body["query"].startswith("mutation")
    run = body["variables"]["run"]
    assert {
        "repositoryLocationName": "defs",
        "repositoryName": "__repository__",
        "jobName": "retrain",
    } == run["selector"]
    tags = {tag["key"]: tag["value"] for tag in run["executionMetadata"]["tags"]}
    assert ("e-7", "full") == (tags["windage/event_id"], tags["windage/strategy"])
    assert "windage/to_version" not in tags
    assert "t0ken" == call.headers["Dagster-Cloud-Api-Token"]
    launched = b'{"data":{"launchRun":{"__typename":"LaunchRunSuccess","run":{"runId":"1"}}}}'
    refused = b'{"data":{"launchRun":{"__typename":"PythonError","message":"x"}}}'
    outcomes = [judge(call, Answer(status=200, body=body)).outcome for body in (launched, refused)]
    assert ["taken", "refused"] == outcomes
    assert "refused" == judge(call, Answer(status=200, body=b"<html>")).outcome


def test_github_dispatches_an_event_with_at_most_ten_members():
    call, body = called("github_actions", retraining(), "e-7")
    assert {"event_type", "client_payload"} == set(body)
    assert "windage" == body["event_type"]
    assert len(body["client_payload"]) <= 10
    assert "r-1" == body["client_payload"]["event"]["request_id"]
    assert ("application/vnd.github+json", "Bearer t0ken") == (
        call.headers["Accept"],
        call.headers["Authorization"],
    )
    assert "taken" == judge(call, Answer(status=204)).outcome


SIGNALS = (
    SignalInIncident(
        signal="feature:age", segment="*", kind="covariate_drift", detector="psi", severity="red",
        contribution=0.9,
    ),
    SignalInIncident(
        signal="score", segment="*", kind="prediction_drift", detector="psi", severity="yellow",
        contribution=0.1,
    ),
)  # fmt: skip


def test_openlineage_gets_assertions_on_a_dataset():
    """A run event with the facet dataQualityAssertions, by the published schemas of both."""
    _, body = called("openlineage", alert(signals=SIGNALS), "e-1", token=None)
    assert {"eventType", "eventTime", "producer", "schemaURL", "run", "job", "inputs"} == set(body)
    assert "COMPLETE" == body["eventType"]
    assert UUID(body["run"]["runId"]).version == 5
    assert {"namespace": "kafka://broker:9092", "name": "windage.fraud"} == body["job"]
    (dataset,) = body["inputs"]
    assert ("kafka://broker:9092", "predictions") == (dataset["namespace"], dataset["name"])
    facet = dataset["inputFacets"]["dataQualityAssertions"]
    assert {"_producer", "_schemaURL", "assertions"} == set(facet)
    assert [
        {"assertion": "no covariate_drift", "success": False},
        {"assertion": "no covariate_drift of feature:age", "success": False, "column": "age"},
        {"assertion": "no prediction_drift of score", "success": False},
    ] == facet["assertions"]


def test_openlineage_is_told_when_it_is_over():
    """The same assertions are met, in a run of its own; a repeated event is the same run."""
    runs = []
    for event, name in ((alert(), "e-1"), (alert(status="resolved"), "e-2"), (alert(), "e-1")):
        _, body = called("openlineage", event, name, token=None)
        facet = body["inputs"][0]["inputFacets"]["dataQualityAssertions"]
        runs.append((body["run"]["runId"], facet["assertions"][0]["success"]))
    assert [False, True, False] == [met for _, met in runs]
    assert runs[0] == runs[2]
    assert runs[0][0] != runs[1][0]


def test_a_field_of_the_config_replaces_the_usual_one():
    sink = Sink(
        url="https://h.example",
        template="github_actions",
        token="t",
        fields={"event_type": "retrain"},
    )
    call = Webhook(sink).compose(message(retraining()), None, 0)
    assert "retrain" == msgspec.json.decode(call.body)["event_type"]


def test_a_fact_is_never_read_as_a_template():
    """A title with braces stays as it is."""
    made = Template(name="slack", documentation="", forms={"alerts": {"text": "{a} and {a:3}"}})
    assert b'{"text":"{b} and {b}"}' == fill(made, "alerts", {"a": "{b}", "b": "no"})


def test_a_missing_fact_takes_its_member_or_item_away():
    forms = {"alerts": {"x": "{a}", "y": ["{a}", {"k": "{a}", "l": 1}, {"m": None}], "z": "-{a}-"}}
    made = Template(name="slack", documentation="", forms=forms)
    assert b'{"y":[{"m":null}],"z":"--"}' == fill(made, "alerts", {"a": None})


def test_the_signature_is_that_of_the_published_example():
    """Key, id, time, body and signature of the tests of Standard Webhooks."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    id = "msg_p5jXN8AQM9LWM0D4loKWxJek"
    made = sign([key], id, 1_614_265_330, b'{"test": 2432232314}')
    assert {
        "webhook-id": id,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    } == made


def test_while_a_key_is_replaced_both_sign():
    """A receiver that holds either of them can check it."""
    one, other = bytes(24), bytes(range(24))
    both = sign([one, other], "i", 1, b"{}")["webhook-signature"].split()
    assert both == [sign([key], "i", 1, b"{}")["webhook-signature"] for key in (one, other)]
