"""Matchers that do not say what they seem to say are refused, with the nearest word."""

import msgspec
import pytest

from schemas.inputs import ModelEvent
from schemas.matchers import complaint, complaint_of, doubt


@pytest.mark.parametrize(
    "matchers", [None, {}, {"signal": "feature:age"}, {"signal": "*", "segment": "region=eu"}]
)
def test_what_is_allowed_is_not_complained_of(matchers):
    """Both fields may be said or left out."""
    assert complaint(matchers) is None


def test_a_misspelt_field_is_named_with_the_nearest():
    """It would otherwise match everything."""
    assert (
        'matchers.sgnal: unknown field; did you mean "signal"? allowed: signal, segment'
    ) == complaint({"sgnal": "feature:age"})


@pytest.mark.parametrize("matchers", [[], "feature:age", {"signal": 5}])
def test_what_is_no_text_is_complained_of(matchers):
    """Each field is a text."""
    assert complaint(matchers).startswith("matchers")


def test_complaints_reach_into_an_envelope_and_pass_over_what_is_no_json():
    """Other problems are told elsewhere."""
    assert complaint_of(b'{"specversion":"1.0","data":{"matchers":{"segmnt":"a"}}}') is not None
    assert complaint_of(b"{no json") is None
    assert complaint_of(b"[]") is None


def test_the_decoder_refuses_a_misspelt_field():
    """So a silence with a typo becomes a dead letter and silences nothing."""
    event = b'{"model":"m","type":"silence","timestamp":1,"matchers":{"sgnal":"feature:age"}}'
    with pytest.raises(msgspec.ValidationError, match="matchers"):
        msgspec.json.decode(event, type=ModelEvent)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("amount", "feature:amount"), ("featur:age", "feature:age"), ("scores", "score")],
)
def test_a_name_that_is_no_signal_is_doubted(name, meant):
    """With the name that may have been meant."""
    assert f'did you mean "{meant}"?' in doubt(name)


@pytest.mark.parametrize("name", ["*", "feature:age", "feature:*", "score", "error|score", "?ge"])
def test_signals_and_wildcards_are_not_doubted(name):
    """As detectors name them."""
    assert doubt(name) is None
