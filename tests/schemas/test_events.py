"""Events: what producers may send, what the product writes, and that both survive a round trip."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import inputs, outputs
from schemas.inputs import ColumnBatch, Label, Metric, ModelEvent, Prediction
from schemas.output_parts import (
    Bound,
    Current,
    Detector,
    Effect,
    Gates,
    Histograms,
    ReferenceRef,
    Triage,
    Window,
)  # fmt: skip
from schemas.outputs import Alert, DriftEvent, Reading, RetrainRequest, RollbackRequest

prediction_of = msgspec.json.Decoder(Prediction).decode
label_of = msgspec.json.Decoder(Label).decode
metric_of = msgspec.json.Decoder(Metric).decode
model_event_of = msgspec.json.Decoder(ModelEvent).decode
batch_of = msgspec.json.Decoder(ColumnBatch).decode

finite = st.floats(allow_nan=False, allow_infinity=False)
names = st.from_regex(r"\A[A-Za-z0-9_.:-]{1,20}\Z")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = finite | st.integers(-(2**53), 2**53) | texts | st.booleans() | st.none()

predictions = st.builds(
    Prediction,
    model=names,
    version=names,
    prediction_id=texts.filter(bool),
    timestamp=st.integers(0, 2**53) | texts | finite,
    features=st.dictionaries(names, values | st.lists(finite, max_size=3), max_size=4),
    prediction=values,
    score=st.none() | finite,
    probabilities=st.none() | st.dictionaries(texts, finite, max_size=3),
    tags=st.dictionaries(names, values, max_size=3),
    role=st.sampled_from(["champion", "canary", "shadow"]),
    sampled_rate=st.floats(0.001, 1),
)


@given(predictions)
def test_a_prediction_survives_the_wire(prediction):
    assert prediction == prediction_of(inputs.encode(prediction))


def test_a_label_a_metric_and_a_model_event_survive_the_wire():
    label = Label(model="m", prediction_id="p", label=True, timestamp=1, revision=2)
    metric = Metric(model="m", name="ctr", value=0.1, timestamp="2026-11-21T07:55:00Z")
    event = ModelEvent(model="m", type="silence", timestamp=1, from_=2, until=3.5)
    assert label == label_of(inputs.encode(label))
    assert metric == metric_of(inputs.encode(metric))
    assert event == model_event_of(inputs.encode(event))
    assert b'"from":2' in inputs.encode(event)


def test_defaults_are_those_of_the_contract():
    prediction = prediction_of(b'{"model":"m","version":"1","prediction_id":"p","timestamp":1}')
    assert "champion" == prediction.role
    assert 1.0 == prediction.sampled_rate
    assert {} == prediction.features
    label = label_of(b'{"model":"m","prediction_id":"p","timestamp":1,"label":0}')
    assert (1.0, "truth", 1) == (label.weight, label.source, label.revision)


def test_numbers_and_truths_keep_their_type():
    for text, expected in ((b"1", int), (b"1.0", float), (b"true", bool), (b'"1"', str)):
        label = label_of(b'{"model":"m","prediction_id":"p","timestamp":1,"label":%s}' % text)
        assert expected is type(label.label)


def test_unknown_fields_are_ignored():
    raw = b'{"model":"m","prediction_id":"p","timestamp":1,"label":0,"colour":{"a":[1]}}'
    assert 0 == label_of(raw).label


@pytest.mark.parametrize(
    "change",
    [
        {"model": None},
        {"model": ""},
        {"model": "x" * 129},
        {"prediction_id": 5},
        {"prediction_id": ""},
        {"timestamp": None},
        {"role": "boss"},
        {"features": []},
        {"features": {"a": {"b": 1}}},
        {"features": {"a": ["b"]}},
        {"sampled_rate": 0},
        {"sampled_rate": 1.5},
        {"latency_ms": -1},
        {"probabilities": {"0": "high"}},
        {"tags": {"a": [1]}},
    ],
)
def test_a_mistyped_prediction_is_refused(change):
    good = {"model": "m", "version": "1", "prediction_id": "p", "timestamp": 1}
    prediction_of(msgspec.json.encode(good))
    with pytest.raises(msgspec.ValidationError):
        prediction_of(msgspec.json.encode(good | change))


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_by_two_known_errors_only(raw):
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        prediction_of(raw)


def test_a_batch_keeps_loose_cells_and_nested_columns():
    batch = batch_of(
        b'{"model":"m","version":"1","columns":{"prediction_id":["a","b"],"score":[0.1,"x"],'
        b'"features":{"amount":[1,null],"embedding":[[0.1,0.2],null]}}}'
    )
    assert [0.1, "x"] == batch.columns["score"]
    assert [1, None] == batch.columns["features"]["amount"]
    assert batch == batch_of(inputs.encode(batch))


@given(st.text(max_size=130))
def test_names_are_ascii_words(text):
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-")
    assert (0 < len(text) <= 128 and set(text) <= allowed) == inputs.is_name(text)


# -- outputs -----------------------------------------------------------------------------------

WINDOW = Window(start="2026-11-21T07:00:00Z", end="2026-11-21T08:00:00Z")
REFERENCE = ReferenceRef(id="r1", rows=5000)


def reading(**change):
    fields = {
        "model": "m", "version": "1", "segment": "*", "monitor": "feature:age/psi",
        "signal": "feature:age", "detector": "psi", "statistic": 0.3, "threshold": 0.1,
        "breach": True, "severity": "red", "p_value": 1e-9, "effect": Effect(psi=0.3),
        "reference": REFERENCE, "current": Current(rows=500, window=WINDOW), "state": "judged",
    }  # fmt: skip
    return Reading(**(fields | change))


def drift_event(**change):
    fields = {
        "incident_id": "i", "transition": "opened", "model": "m", "version": "1", "segment": "*",
        "kind": "covariate_drift", "severity": "red", "monitor": "feature:age/psi",
        "signal": "feature:age", "reference": REFERENCE, "reason": "sustained",
        "detector": Detector(name="psi", statistic=0.3, threshold=0.1),
        "current": Current(rows=500, window=WINDOW, histograms=Histograms(
            labels=("<30", ">=30"), reference=(0.5, 0.5), current=(0.25, 0.75))),
        "explanation": "Age moved.",
    }  # fmt: skip
    return DriftEvent(**(fields | change))


def alert(**change):
    fields = {
        "status": "firing", "sequence": 7, "recommended_action": "investigate",
        "incident_id": "i", "fingerprint": "f", "severity": "red", "model": "m", "version": "1",
        "title": "t", "summary": "s", "triage": Triage(class_="novelty"),
        "starts_at": "2026-11-21T08:00:00Z", "updated_at": "2026-11-21T08:00:00Z",
    }  # fmt: skip
    return Alert(**(fields | change))


def retrain_request(**change):
    fields = {
        "request_id": "q", "model": "m", "version": "1", "trigger": "drift", "urgency": "normal",
        "reason": "r", "requested_at": "2026-11-21T08:00:00Z",
        "gates": Gates(metrics={"recall": Bound(min=0.7), "accuracy": Bound(min=0.8)}),
    }  # fmt: skip
    return RetrainRequest(**(fields | change))


OUTPUTS = [
    reading(),
    drift_event(),
    alert(labels={"team": "risk"}),
    retrain_request(),
    RollbackRequest(request_id="b", model="m", version="2", to_version="1", reason="r",
                    severity="red"),
]  # fmt: skip


@pytest.mark.parametrize("event", OUTPUTS, ids=lambda e: type(e).__name__)
def test_an_output_survives_the_wire(event):
    assert event == msgspec.json.decode(outputs.encode(event), type=type(event))


def test_field_names_are_those_of_the_contract():
    """What was added since stands behind them."""
    contract = [
        "incident_id",
        "transition",
        "model",
        "version",
        "segment",
        "kind",
        "shape",
        "severity",
        "previous_severity",
        "monitor",
        "signal",
        "detector",
        "reference",
        "current",
        "change_point",
        "evidence",
        "reason",
        "explanation",
        "runbook",
        "budget",
    ]
    assert [*contract, "breadth"] == list(msgspec.json.decode(outputs.encode(drift_event())))
    assert {"class", "because", "against"} == msgspec.json.decode(outputs.encode(alert()))[
        "triage"
    ].keys()


def test_equal_content_is_equal_bytes_whatever_the_order_of_mappings():
    one = alert(labels={"a": "1", "b": "2"})
    other = alert(labels={"b": "2", "a": "1"})
    assert outputs.encode(one) == outputs.encode(other)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_say_is_refused_and_named(bad):
    for event, name in (
        (reading(statistic=bad), "Reading.statistic"),
        (reading(effect=Effect(psi=bad)), "Reading.effect.psi"),
        (retrain_request(gates=Gates(metrics={"a": Bound(min=bad)})), "gates.metrics.a.min"),
        (drift_event(current=Current(rows=1, window=WINDOW, histograms=Histograms(
            labels=("a",), reference=(bad,), current=(1.0,)))), "histograms.reference"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=name):
            outputs.encode(event)
    assert outputs.finite(bad) is None


def test_finite_numbers_are_kept():
    assert 0.5 == outputs.finite(0.5)
    assert outputs.finite(None) is None


def test_effects_that_were_not_measured_are_left_out():
    assert {"psi": 0.3} == msgspec.json.decode(outputs.encode(reading()))["effect"]


def test_at_most_64_bins_are_shown():
    shares = (0.0,) * 65
    event = drift_event(current=Current(rows=1, window=WINDOW, histograms=Histograms(
        labels=("x",) * 65, reference=shares, current=shares)))  # fmt: skip
    with pytest.raises(msgspec.ValidationError, match="length"):
        msgspec.json.decode(outputs.encode(event), type=DriftEvent)
