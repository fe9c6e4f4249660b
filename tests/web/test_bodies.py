"""Bodies are cut into records, byte for byte, good or bad."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.web.bodies import BodyError, cut

PREDICTION = b'{"model":"m","prediction_id":"a","prediction":1}'
LABEL = b'{"model":"m","prediction_id":"a","label":0}'
METRIC = b'{"model":"m","name":"ctr","value":0.5}'
EVENT = b'{"model":"m","type":"deployed"}'
JSON = {"content-type": "application/json"}


def places(pieces):
    return [(piece.log, piece.key) for piece in pieces]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (PREDICTION, ("predictions", b"a")),
        (LABEL, ("labels", b"a")),
        (METRIC, ("metrics", b"m")),
        (EVENT, ("model-events", b"m")),
        (b'{"model":"m","columns":{"prediction_id":["a"],"label":[1]}}', ("labels", None)),
        (b'{"model":"m","columns":{"prediction_id":["a"]}}', ("predictions", None)),
        (b'{"prediction_id":7,"features":{"x":NaN}}', ("predictions", None)),
        (b'{"prediction_id":"a","features":{"x":NaN}}', ("predictions", b"a")),
        (b"{}", ("predictions", None)),
        (b'"text"', ("predictions", None)),
    ],
)
def test_a_record_goes_where_its_shape_says(value, expected):
    """Label, metric, model event, else prediction; keyed as a Kafka client would."""
    (piece,) = cut(value, JSON)
    assert expected == (piece.log, piece.key)
    assert value == piece.value


@pytest.mark.parametrize(
    "body",
    [
        b"[" + PREDICTION + b" ,\n" + LABEL + b"]",
        PREDICTION + b"\n" + LABEL,
        b"\r\n" + PREDICTION + b"\r\n\r\n" + LABEL + b"\r\n",
    ],
    ids=["array", "lines", "crlf and blank lines"],
)
@pytest.mark.parametrize("media", ["application/json", "", "text/plain; charset=utf-8"])
def test_arrays_and_lines(body, media):
    """Many records in one body, whatever it is called."""
    pieces = cut(body, {"content-type": media})
    assert [("predictions", b"a"), ("labels", b"a")] == places(pieces)
    assert [PREDICTION, LABEL] == [piece.value for piece in pieces]


def test_a_pretty_printed_object_is_one_record():
    """Line breaks inside an object do not cut it."""
    body = json.dumps(json.loads(PREDICTION), indent=2).encode()
    (piece,) = cut(body, JSON)
    assert body == piece.value


def test_an_array_with_nan_keeps_its_other_records():
    """What Python's own writer sends: NaN inside an array."""
    body = b'[{"prediction_id":"a","score":NaN}, {"prediction_id":"b","score":-Infinity}]'
    pieces = cut(body, JSON)
    assert [b"a", b"b"] == [piece.key for piece in pieces]
    assert b'{"prediction_id":"a","score":NaN}' == pieces[0].value


def test_bad_lines_are_records_too():
    """They go into the log, marked, so that they become dead letters."""
    pieces = cut(PREDICTION + b"\nnot json\n\xff\xfe\n", {"content-type": "application/x-ndjson"})
    assert [True, False, False] == [piece.readable for piece in pieces]
    assert [b"not json", b"\xff\xfe"] == [piece.value for piece in pieces[1:]]


@pytest.mark.parametrize(
    "body",
    [b"", b" \n ", b"hello", b"\xff\xff", b"[1,", b"[1 2]", b"[1] 2", b"[,]", b"[" * 100_000],
)
def test_bodies_without_records(body):
    """They are the sender's fault, and nothing else."""
    with pytest.raises(BodyError):
        cut(body, JSON)


def test_structured_cloudevents():
    """By type, keyed by its data, recognised by source and id; the envelope stays on."""
    body = (
        b'{"specversion":"1.0","id":"1","source":"s","type":"windage.label.v1","data":' + LABEL
    ) + b"}"
    (piece,) = cut(body, {"content-type": "application/cloudevents+json; charset=utf-8"})
    assert ("labels", b"a") == (piece.log, piece.key)
    assert body == piece.value
    assert (("content-type", b"application/cloudevents+json"),) == piece.headers
    assert '["cloudevent", "s", "1"]' == piece.name
    (plain,) = cut(body, JSON)
    assert ("labels", b"a", piece.name) == (plain.log, plain.key, plain.name)


def test_batched_cloudevents():
    """Each element is one structured record."""
    one = b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":' + PREDICTION + b"}"
    other = b'{"specversion":"1.0","id":"2","source":"s","type":"t","data":' + METRIC + b"}"
    pieces = cut(
        b"[" + one + b"," + other + b"]", {"content-type": "application/cloudevents-batch+json"}
    )
    assert [("predictions", b"a"), ("metrics", b"m")] == places(pieces)
    assert [one, other] == [piece.value for piece in pieces]


def test_binary_cloudevents():
    """Attributes become record headers, percent-encoding undone."""
    headers = {
        **JSON, "ce-specversion": "1.0", "ce-id": "1", "ce-source": "caf%C3%A9",
        "ce-type": "windage.model-event.v1", "traceparent": "00-1-2-01",
    }  # fmt: skip
    (piece,) = cut(EVENT, headers)
    assert ("model-events", b"m") == (piece.log, piece.key)
    assert "café".encode() == dict(piece.headers)["ce_source"]
    assert b"00-1-2-01" == dict(piece.headers)["traceparent"]
    assert b"application/json" == dict(piece.headers)["content-type"]


def test_arrow_is_handed_on_whole():
    """An Arrow stream is one record with its content type."""
    media = "application/vnd.apache.arrow.stream"
    (piece,) = cut(b"\xff\xff\xff\xff", {"content-type": media})
    assert (("content-type", media.encode()),) == piece.headers


@given(
    st.binary(max_size=200) | st.text(alphabet='{}[]":,1eNa\n ', max_size=60).map(str.encode),
    st.sampled_from(
        ["application/json", "application/x-ndjson", "application/cloudevents+json", ""]
    ),
)
def test_any_bytes_are_records_or_a_body_error(body, media):
    """No other exception comes out, and no byte of a record is changed."""
    try:
        pieces = cut(body, {"content-type": media})
    except BodyError:
        return
    assert all(piece.value in body for piece in pieces)
