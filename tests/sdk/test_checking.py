"""`assert_valid_event` agrees with the product's schemas, and says what is wrong."""

import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import windage
from windage.checking import INPUTS, SCHEMAS, faults, schema, topic_of

LABEL = {"model": "m", "prediction_id": "p", "label": 1, "timestamp": "2026-01-01T00:00:00Z"}
PREDICTION = {
    "model": "m",
    "version": "1",
    "prediction_id": "p",
    "timestamp": "2026-01-01T00:00:00Z",
    "features": {"x": 1.5, "v": [1, 2]},
    "prediction": 1,
}


@pytest.mark.parametrize("name", ["column-batch", *SCHEMAS.values()])
def test_the_schemas_shipped_are_those_of_the_product(name, root):
    """Copies, so that the client library imports no room; scripts/schemas writes both."""
    original = (root / "schemas" / "json" / f"{name}.json").read_bytes()
    assert original == (root / "windage" / "json" / f"{name}.json").read_bytes()


VALID = [
    LABEL,
    PREDICTION,
    {**PREDICTION, "timestamp": 1_790_000_000},
    {"model": "m", "name": "ctr", "value": 0.1, "timestamp": 1},
    {"model": "m", "type": "deployed", "timestamp": "2026-01-01T00:00:00.5+02:00"},
    {"model": "m", "columns": {"prediction_id": ["a"], "features": {"x": [None]}}},
    {"model": "m", "columns": {"prediction_id": ["a"], "label": [1]}},
]


@pytest.mark.parametrize("event", VALID)
def test_a_valid_event_passes_in_every_form(event):
    """As a mapping, as text, as bytes."""
    assert [] == faults(event)
    windage.assert_valid_event(event)
    windage.assert_valid_event(json.dumps(event))
    windage.assert_valid_event(json.dumps(event).encode())


WRONG = [
    ({"model": "m", "prediction_id": "p", "label": 1}, "not a label: timestamp is missing"),
    ({**LABEL, "label": {}}, "not a label: label is object, not number or integer or string or"),
    ({**LABEL, "label": [1, -1]}, "not a label: label[1] is outside 0.."),
    ({**LABEL, "revison": 2}, "not a label: there is no field revison; did you mean revision?"),
    ({**LABEL, "weight": -1}, "not a label: weight is outside 0.."),
    ({**LABEL, "model": "my model"}, "not a label: model has other characters than"),
    ({**LABEL, "prediction_id": ""}, "not a label: prediction_id has 0 characters, not 1..256"),
    ({**LABEL, "source": "thruth"}, "source is not one of feedback, truth. did you mean truth?"),
    ({**LABEL, "timestamp": "yesterday"}, "timestamp is no instant: RFC 3339 with a zone"),
    ({**PREDICTION, "features": {"x": {"y": 1}}}, "features.x is object, not number or"),
    ({**PREDICTION, "features": {"a b": 1}}, "the name 'a b' in features has other characters"),
    ({**PREDICTION, "score": float("nan")}, "score is not a finite number"),
    ({**PREDICTION, "sampled_rate": 0}, "sampled_rate is outside 0..1"),
    ({**PREDICTION, "role": "champ"}, "role is not one of"),
    (b"{", "not an event: it is not JSON in UTF-8"),
    (b"[]", "not an event: it is no object"),
]


@pytest.mark.parametrize(("event", "said"), WRONG)
def test_a_wrong_event_is_told_what_is_wrong(event, said):
    """Place, fault, and what is allowed."""
    with pytest.raises(AssertionError) as caught:
        windage.assert_valid_event(event)
    assert said in str(caught.value)


def test_an_unknown_topic_is_an_error_of_the_caller():
    """With the nearest one."""
    with pytest.raises(ValueError, match="did you mean labels"):
        windage.assert_valid_event(LABEL, topic="label")


words = st.sampled_from(["m", "", "a b", "truth", "champion", "x" * 300, "2026-01-01T00:00:00Z"])
cells = st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-2, 2) | words
values = st.recursive(cells, lambda inner: st.lists(inner, max_size=2), max_leaves=3)
nested = values | st.dictionaries(st.sampled_from(["x", "a b", "signal"]), values, max_size=2)


@settings(max_examples=150)
@given(st.sampled_from(sorted(INPUTS)), st.data())
def test_it_agrees_with_a_full_validator(topic, data):
    """On known fields with any values: refused by one, refused by the other."""
    rule = schema(SCHEMAS[topic])
    fields = sorted(rule["properties"])
    event = {"model": "m", "timestamp": 1, "prediction_id": "p", "version": "1", "label": 1}
    event = {name: value for name, value in event.items() if name in fields}
    event.update(data.draw(st.dictionaries(st.sampled_from(fields), nested, max_size=3)))
    expected = jsonschema.Draft202012Validator(rule).is_valid(event)
    ours = [fault for fault in faults(event, topic) if "is no instant" not in fault]
    assert expected == (not ours), ours


@pytest.mark.parametrize("topic", sorted(SCHEMAS))
def test_a_topic_is_told_from_the_required_fields(topic):
    """Every schema has fields that no other has."""
    required = schema(SCHEMAS[topic])["required"]
    assert topic == topic_of(dict.fromkeys([*required, *EXTRA.get(topic, ())], 1))


EXTRA = {"rollback-requests": ["to_version"]}
