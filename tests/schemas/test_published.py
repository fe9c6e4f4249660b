"""Published schemas: equal to the types, true to the contract's samples, complete and linked."""

import json

import jsonschema
import msgspec
import pytest
import yaml

from schemas import inputs, outputs
from schemas.config import Config
from schemas.generate import EVENTS, config_schema, documents, event_schema

INSTANT = "2026-11-21T07:55:00Z"

PREDICTION = {
    "model": "fraud", "version": "3.2", "prediction_id": "p-123", "timestamp": INSTANT,
    "features": {"amount": 20.1, "country": "DE", "age": None, "embedding": [0.1, 0.2]},
    "prediction": 1, "score": 0.83,
    "tags": {"region": "eu"}, "role": "champion", "feature_set": "v7", "probe_id": None,
    "latency_ms": 12.5, "cost": 0.0004, "error": None, "queue_depth": 3, "sampled_rate": 1.0,
}  # fmt: skip
LABEL = {
    "model": "fraud", "prediction_id": "p-123", "label": 0, "timestamp": INSTANT, "weight": 1.0,
    "annotator": "a7", "source": "truth", "revision": 1,
}  # fmt: skip
METRIC = {
    "model": "fraud", "name": "chargeback_rate", "value": 0.021, "timestamp": INSTANT,
    "kind": "kpi", "direction": "lower_is_better", "tags": {},
}  # fmt: skip
MODEL_EVENT = {
    "model": "fraud", "version": "3.3", "type": "deployed", "id": "e-1", "timestamp": INSTANT,
    "author": "ci", "note": "first", "traffic_share": 0.05, "incident_id": None,
    "request_id": None, "verdict": "true_drift", "root_cause": None, "resolution": None,
    "prevention": None, "matchers": {"signal": "feature:age", "segment": "*"}, "from": None,
    "until": None, "severity": None,
    "deployment": {"git_commit": None, "training_window": None, "features": None,
                   "offline_metrics": {}, "registry": None},
}  # fmt: skip
BATCH = {
    "model": "fraud", "version": "3.2",
    "columns": {"prediction_id": ["a"], "timestamp": [INSTANT], "prediction": [1], "score": [0.5],
                "features": {"amount": [1.5]}},
}  # fmt: skip
MODEL_EVENT_TYPES = (
    "deployed|canary_started|approved|rejected|promoted|rolled_back|retraining_started|"
    "retraining_failed|retraining_finished|external|labels_redefined|end_of_stream|annotation|"
    "silence|incident_acknowledged|incident_assigned|incident_closed|incident_missed|"
    "reference_reset"
)

WINDOW = {"start": INSTANT, "end": "2026-11-21T08:55:00Z"}
READING = {
    "model": "fraud", "version": "3.2", "segment": "*", "monitor": "feature:age/psi",
    "signal": "feature:age", "detector": "psi", "statistic": 0.3, "threshold": 0.1, "breach": True,
    "severity": "red", "p_value": 0.001, "e_value": None,
    "effect": {"psi": 0.3, "ks": 0.2, "mean_shift_sd": 0.4}, "reference": {"id": "r", "rows": 5000},
    "current": {"rows": 500, "window": WINDOW}, "state": "judged",
}  # fmt: skip
DRIFT_EVENT = {
    "incident_id": "i", "transition": "opened", "model": "fraud", "version": "3.2", "segment": "*",
    "kind": "covariate_drift", "shape": "sudden", "severity": "red", "previous_severity": None,
    "monitor": "feature:age/psi", "signal": "feature:age",
    "detector": {"name": "psi", "statistic": 0.3, "threshold": 0.1, "p_value": None,
                 "e_value": None, "effect": {"psi": 0.3}},
    "reference": {"id": "r", "rows": 5000},
    "current": {"rows": 500, "window": WINDOW, "histograms": {
        "labels": ["<30", ">=30"], "reference": [0.5, 0.5], "current": [0.2, 0.8]}},
    "change_point": INSTANT,
    "evidence": {"ranges": [{"topic": "predictions", "partition": 0, "from": 1, "to": 9}]},
    "reason": "sustained", "explanation": "Age moved.", "runbook": None,
    "budget": {"allowed": 1, "per": "30d", "spent": 0.5},
}  # fmt: skip
ALERT = {
    "status": "firing", "sequence": 7, "recommended_action": "retrain_full",
    "acknowledged_by": None, "incident_id": "i", "fingerprint": "f", "severity": "red",
    "model": "fraud", "version": "3.2", "title": "t", "summary": "s",
    "triage": {"class": "covariate_drift", "because": ["x"], "against": []}, "segments": ["*"],
    "signals": [{"signal": "feature:age", "segment": "*", "kind": "covariate_drift",
                 "detector": "psi", "severity": "red", "contribution": 1}],
    "performance": {"estimated": 0.8, "realised": None, "baseline": 0.83},
    "starts_at": INSTANT, "updated_at": INSTANT, "ends_at": None, "labels": {},
    "annotations": {"runbook_url": None, "dashboard_url": None}, "owner": "data-eng",
}  # fmt: skip
GROUND = {"incident_id": "i", "signal": "feature:age", "explanation": "Age moved."}
RETRAIN = {
    "request_id": "q", "model": "fraud", "version": "3.2", "incident_ids": ["i"],
    "trigger": "drift", "urgency": "normal", "reason": "r", "requested_at": INSTANT,
    "not_before": None, "expires_at": None, "attempt": 1,
    "data_window": {**WINDOW, "change_point": INSTANT, "rows": 10, "labelled_rows": 5,
                    "exclude": [{**WINDOW, "reason": "data_quality"}]},
    "suggestion": {"strategy": "full", "weights": [{**WINDOW, "weight": 2}]},
    "gates": {"metrics": {"f1": {"min": 0.7}}, "slices": ["region=eu"]}, "evidence": [GROUND],
}  # fmt: skip
ROLLBACK = {
    "request_id": "q", "model": "fraud", "version": "3.3", "to_version": "3.2", "reason": "r",
    "severity": "red", "evidence": [GROUND],
}  # fmt: skip
SAMPLES = {
    "prediction": PREDICTION, "label": LABEL, "metric": METRIC, "model-event": MODEL_EVENT,
    "column-batch": BATCH, "reading": READING, "drift-event": DRIFT_EVENT, "alert": ALERT,
    "retrain-request": RETRAIN, "rollback-request": ROLLBACK,
}  # fmt: skip


def validator(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def accepts(name, sample):
    """Whether the schema takes a sample; the decoder must say the same."""
    said = validator(event_schema(name)).is_valid(sample)
    try:
        msgspec.json.decode(msgspec.json.encode(sample), type=EVENTS[name])
        decoded = True
    except msgspec.ValidationError:
        decoded = False
    assert said == decoded, "schema and decoder disagree"
    return said


def test_the_checked_in_files_are_what_the_types_say(root):
    folder = root / "schemas"
    present = {p.relative_to(folder).as_posix() for p in folder.glob("json/*.json")}
    assert documents().keys() == present | {"asyncapi.json"}
    for name, text in documents().items():
        assert text == (folder / name).read_text("utf-8"), f"{name}: run scripts/schemas"


@pytest.mark.parametrize("name", EVENTS)
def test_the_samples_of_the_contract_are_valid(name):
    assert accepts(name, SAMPLES[name])


@pytest.mark.parametrize("name", EVENTS)
def test_every_field_of_a_sample_is_a_field_of_ours(name):
    schema = event_schema(name)
    assert SAMPLES[name].keys() <= schema["properties"].keys()
    kept = msgspec.to_builtins(msgspec.convert(SAMPLES[name], EVENTS[name]))
    assert SAMPLES[name].keys() <= kept.keys()


def test_alternatives_of_the_contract_are_valid():
    probabilities = {**PREDICTION, "probabilities": {"0": 0.17, "1": 0.83}}
    del probabilities["score"]
    for change in (
        probabilities,
        {**PREDICTION, "prediction": 12.5},
        {**PREDICTION, "timestamp": 1795247700},
        {**PREDICTION, "timestamp": 1795247700.5},
        {**PREDICTION, "role": "canary"},
        {**PREDICTION, "role": "shadow"},
        {**PREDICTION, "an_unknown_field": {"is": ["ignored"]}},
    ):
        assert accepts("prediction", change)
    for kind in MODEL_EVENT_TYPES.split("|"):
        assert accepts("model-event", {**MODEL_EVENT, "type": kind})
    for verdict in ("true_drift", "false_alarm", "data_issue"):
        assert accepts("model-event", {**MODEL_EVENT, "verdict": verdict})
    assert accepts("label", {**LABEL, "source": "feedback"})
    assert accepts("metric", {**METRIC, "kind": "operational"})


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("prediction", {"role": "boss"}),
        ("prediction", {"features": {"a": {"nested": 1}}}),
        ("prediction", {"sampled_rate": 0}),
        ("label", {"source": "guess"}),
        ("label", {"revision": -1}),
        ("label", {"label": None}),
        ("metric", {"direction": "sideways"}),
        ("model-event", {"type": "exploded"}),
        ("model-event", {"matchers": {"signal": 5}}),
        ("model-event", {"deployment": {"offline_metrics": {"f1": "high"}}}),
        ("model-event", {"traffic_share": 2}),
        ("column-batch", {"columns": {"score": 0.5}}),
        ("reading", {"state": "guessed"}),
        ("reading", {"p_value": 1.5}),
        ("drift-event", {"kind": "weather"}),
        ("drift-event", {"detector": {"statistic": 1}}),
        ("drift-event", {"evidence": {"ranges": [{"topic": "p", "partition": 0}]}}),
        ("alert", {"status": "maybe"}),
        ("alert", {"recommended_action": "panic"}),
        ("alert", {"triage": {"because": []}}),
        ("retrain-request", {"urgency": "yesterday"}),
        ("retrain-request", {"suggestion": {"strategy": "half"}}),
        ("rollback-request", {"severity": "blue"}),
    ],
)
def test_forbidden_values_are_refused_however_deep(name, change):
    assert not accepts(name, {**SAMPLES[name], **change})


@pytest.mark.parametrize("name", EVENTS)
def test_every_required_field_is_missed(name):
    required = event_schema(name)["required"]
    assert required
    for field in required:
        assert not accepts(name, {k: v for k, v in SAMPLES[name].items() if k != field})


def test_names_outside_the_alphabet_are_refused_by_the_schema():
    check = validator(event_schema("prediction"))
    for change in ({"model": "a b"}, {"features": {"a b": 1}}, {"tags": {"": 1}}):
        assert not check.is_valid({**PREDICTION, **change})
        assert not all(map(inputs.is_name, ("a b", "")))


@pytest.mark.parametrize("name", [n for n in EVENTS if issubclass(EVENTS[n], outputs.OutputEvent)])
def test_what_is_encoded_is_valid(name):
    event = msgspec.convert(SAMPLES[name], EVENTS[name])
    validator(event_schema(name)).validate(json.loads(outputs.encode(event)))


# -- config ------------------------------------------------------------------------------------

CONFIG = """
version: 1
kafka: {bootstrap: "localhost:9092", security: {protocol: PLAINTEXT}}
http: {host: 127.0.0.1, port: 8080}
models:
  fraud:
    task: binary
    pane: 62h30m
    labels: {horizon: 30d, min_coverage: 0.3, sample: 100%}
    features: {amount: {type: numeric, important: true}, country: categorical}
    segments: [region, {feature: amount, edges: [30, 50]}]
    reference: {from: first, rows: 5000, min_duration: 14d}
    false_alarms: 1 per 30d
    monitors: [{watch: "feature:*", detector: psi, window: 20 panes, yellow: 0.1, red: 5%}]
    policy: {sustained: 3 panes, routes: [{class: data_quality, sink: pager}]}
    retrain: {schedule: "0 2 1 * *"}
    rollback: {below_baseline: 10%}
  idle: {task: none, labels: none}
"""


def test_a_config_that_loads_is_valid_for_an_editor():
    value = yaml.safe_load(CONFIG)
    assert Config.model_validate(value).models.keys() == {"fraud", "idle"}
    validator(config_schema()).validate(value)


@pytest.mark.parametrize(
    "path",
    [
        "latenes",
        "kafka/bootsrap",
        "kafka/security/pasword",
        "models/fraud/latenes",
        "models/fraud/labels/horizn",
        "models/fraud/features/amount/typ",
        "models/fraud/policy/routes/0/severty",
        "models/fraud/reference/row",
        "models/fraud/monitors/0/wach",
        "models/fraud/segments/1/edgs",
    ],
)
def test_unknown_keys_of_the_config_are_refused_however_deep(path):
    value = yaml.safe_load(CONFIG)
    *way, key = path.split("/")
    place = value
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[key] = 1
    assert not validator(config_schema()).is_valid(value)
    with pytest.raises(ValueError, match="Extra inputs"):
        Config.model_validate(value)


def test_defaults_in_the_schema_are_written_as_in_the_file():
    fields = config_schema()["$defs"]["ModelConfig"]["properties"]
    assert ("1m", "30s", "1 per 30d") == tuple(
        fields[name]["default"] for name in ("pane", "lateness", "false_alarms")
    )
    defaults = {name: field["default"] for name, field in fields.items() if "default" in field}
    made = Config.model_validate({"models": {"a": {"task": "binary", **defaults}}})
    assert Config.model_validate({"models": {"a": {"task": "binary"}}}) == made
    check = validator(config_schema())
    check.validate({"models": {"a": {"task": "binary", **defaults}}})


# -- AsyncAPI ----------------------------------------------------------------------------------


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_every_reference_leads_somewhere():
    files = {name: json.loads(text) for name, text in documents().items()}
    document = files["asyncapi.json"]
    found = set(references(document))
    assert found
    for reference in found:
        if reference.startswith("./"):
            assert reference[2:] in files
            continue
        target = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
        assert target


def test_public_topics_are_channels_with_one_operation_each():
    document = json.loads(documents()["asyncapi.json"])
    assert "3.0.0" == document["asyncapi"]
    inputs_ = {"predictions", "labels", "metrics", "model-events"}
    public = inputs_ | {"readings", "drift-events", "alerts", "retrain-requests",
                        "rollback-requests", "dead-letters"}  # fmt: skip
    assert public == document["channels"].keys()
    actions = {o["channel"]["$ref"].rpartition("/")[2]: o["action"]
               for o in document["operations"].values()}  # fmt: skip
    assert {t: "receive" if t in inputs_ else "send" for t in public} == actions
    for operation in document["operations"].values():
        channel = operation["channel"]["$ref"]
        assert all(m["$ref"].startswith(channel + "/messages/") for m in operation["messages"])
