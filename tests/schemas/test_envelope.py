"""The envelope: every form opens to the same content, and nothing else than EnvelopeError rises."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import (
    ARROW,
    MESSAGES,
    STRUCTURED,
    Envelope,
    EnvelopeError,
    is_plain,
    open_envelope,
    output_id,
    seal,
)  # fmt: skip

CONTENT = b'{"model":"m","prediction_id":"p"}'
TYPE = "windage.label.v1"


def structured(**members):
    base = {"specversion": "1.0", "id": "1", "source": "/s", "type": TYPE}
    return json.dumps({**base, **members}, separators=(",", ":")).encode()


BODY = structured(data=json.loads(CONTENT), correlationid="c")
PREFIX = b"\x00\x00\x00\x00\x2a"


def test_a_plain_record_is_its_own_content():
    assert is_plain((), CONTENT)
    opened = open_envelope((), CONTENT)
    assert opened.content is CONTENT
    assert opened.type is None


def test_a_plain_record_may_have_other_headers():
    opened = open_envelope([("app", b"\xff"), ("content-type", b"application/json")], CONTENT)
    assert Envelope(content=CONTENT) == opened


@pytest.mark.parametrize("value", [CONTENT, PREFIX + CONTENT], ids=["bare", "registry"])
@pytest.mark.parametrize("prefix", ["ce_", "ce-", "CE_"])
def test_binary_headers_are_the_envelope(prefix, value):
    headers = [
        (prefix + "specversion", b"1.0"),
        (prefix + "type", TYPE.encode()),
        (prefix + "id", b"1"),
        (prefix + "source", b"/s"),
        (prefix + "correlationid", b"c"),
        ("content-type", b"application/json; charset=utf-8"),
    ]
    expected = Envelope(
        content=CONTENT, type=TYPE, id="1", source="/s", extensions={"correlationid": "c"}
    )
    assert expected == open_envelope(headers, value)


@pytest.mark.parametrize("value", [BODY, PREFIX + BODY], ids=["bare", "registry"])
@pytest.mark.parametrize("headers", [(), [("content-type", STRUCTURED.encode())]])
def test_a_structured_record_is_found_by_content_type_or_specversion(headers, value):
    expected = Envelope(
        content=CONTENT, type=TYPE, id="1", source="/s", extensions={"correlationid": "c"}
    )
    assert expected == open_envelope(headers, value)


def test_content_is_handed_on_byte_for_byte():
    body = b'{"specversion":"1.0","id":"1","source":"s","type":"t","data": { "a" : 1.50 } }'
    assert b'{ "a" : 1.50 }' == open_envelope((), body).content


def test_encoded_content_is_decoded():
    body = structured(data_base64=base64.b64encode(CONTENT).decode())
    assert CONTENT == open_envelope((), body).content


def test_an_arrow_stream_is_marked_and_left_alone():
    stream = b"\xff\xff\xff\xff\x10\x00"
    assert ("arrow", stream) == _said(open_envelope([("content-type", ARROW.encode())], stream))
    body = structured(datacontenttype=ARROW, data_base64=base64.b64encode(stream).decode())
    assert ("arrow", stream) == _said(open_envelope((), body))


def _said(envelope):
    return envelope.media, envelope.content


def test_specversion_deeper_inside_is_content():
    inner = b'{"model":"m","features":{"specversion":"1.0"}}'
    assert Envelope(content=inner) == open_envelope((), inner)


def test_traceparent_is_passed_on():
    assert {"traceparent": "00-ab"} == open_envelope(
        [("traceparent", b"00-ab")], CONTENT
    ).extensions


def test_attributes_that_are_numbers_or_truths_are_texts():
    opened = open_envelope((), structured(data=1, sequence=5, sampled=True, gone=None))
    assert {"sequence": "5", "sampled": "true"} == opened.extensions


DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("headers", "value", "code"),
    [
        ((), b"", "empty"),
        ([("ce_type", b"x")], b"", "empty"),
        ([("ce_type", b"\xff\xfe")], CONTENT, "bad_header"),
        ([("content-type", b"\xff")], CONTENT, "bad_header"),
        ([("ce_id", None)], CONTENT, "bad_header"),
        ([("ce_specversion", b"0.3")], CONTENT, "unsupported_version"),
        ((), structured(specversion="2.0", data=1), "unsupported_version"),
        ((), structured(specversion=None, data=1), "unsupported_version"),
        ((), structured(), "no_content"),
        ((), BODY[:-1], "malformed"),
        ((), BODY + b"}", "malformed"),
        ((), b'\xef\xbb\xbf{"specversion":"1.0","data":1}', "malformed"),
        ((), b'{"specversion":"1.0","type":"\xff","data":1}', "malformed"),
        ((), b'{"specversion":"1.0","\xff":"a","data":1}', "malformed"),
        ((), b'{"specversion":"1.0","type":"\\ud800","data":1}', "malformed"),
        ((), b'{"specversion":"1.0","type":{"a":1},"data":1}', "malformed"),
        ((), b'{"specversion":"1.0","type":NaN,"data":1}', "malformed"),
        ((), b'{"specversion":"1.0","data":' + DEEP, "malformed"),
        ((), b'{"specversion":"1.0","data":' + DEEP + b"]" * 100_000 + b"}", "malformed"),
        ((), structured(data_base64="%%%"), "malformed"),
        ((), structured(data_base64=7), "malformed"),
        ((), structured(data_base64="é"), "malformed"),
        ([("content-type", STRUCTURED.encode())], b"[1]", "malformed"),
        ([("content-type", STRUCTURED.encode())], CONTENT, "unsupported_version"),
    ],
)
def test_what_cannot_be_opened_has_a_code(headers, value, code):
    with pytest.raises(EnvelopeError) as refusal:
        open_envelope(headers, value)
    assert code == refusal.value.code
    assert MESSAGES[code] == str(refusal.value)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
keys = st.sampled_from(
    ["specversion", "type", "id", "source", "data", "data_base64", "datacontenttype", "x"]
)
almost = st.dictionaries(keys, st.just("1.0") | json_like).map(lambda v: json.dumps(v).encode())
header = st.tuples(
    st.sampled_from(["ce_specversion", "ce_type", "content-type", "traceparent", "x"]),
    st.sampled_from([b"1.0", STRUCTURED.encode(), ARROW.encode()]) | st.binary(max_size=5),
)


@given(st.lists(header, max_size=3), st.binary(max_size=40) | almost, st.integers(0, 60))
def test_any_record_opens_or_is_refused(headers, value, cut):
    for candidate in (value, value[:cut], PREFIX + value):
        try:
            outcome = open_envelope(headers, candidate).content
        except EnvelopeError as refusal:
            outcome = MESSAGES[refusal.code]
        assert isinstance(outcome, bytes | str)


attributes = {"type": "windage.drift.v1", "id": "x", "source": "/windage", "time": 1500}


@given(
    st.dictionaries(st.from_regex(r"\Ax[a-z0-9]{0,9}\Z"), st.none() | st.text(st.characters(
        exclude_categories=["Cs"]), max_size=9), max_size=3),
    st.sampled_from(["binary", "structured"]),
)  # fmt: skip
def test_what_is_sealed_opens_again(extensions, form):
    sealed = seal(CONTENT, **attributes, subject="m", extensions=extensions, form=form)
    opened = open_envelope(sealed.headers, sealed.value)
    assert CONTENT == opened.content
    assert ("windage.drift.v1", "x", "/windage") == (opened.type, opened.id, opened.source)
    said = {name: text for name, text in extensions.items() if text is not None}
    assert said | {"time": "1970-01-01T00:00:01.500Z", "subject": "m"} == opened.extensions


def test_binary_headers_are_those_of_the_contract():
    sealed = seal(CONTENT, **attributes, subject="m", extensions={"correlationid": "i"})
    assert [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"x"),
        ("ce_source", b"/windage"),
        ("ce_type", b"windage.drift.v1"),
        ("ce_time", b"1970-01-01T00:00:01.500Z"),
        ("ce_subject", b"m"),
        ("ce_correlationid", b"i"),
        ("content-type", b"application/json"),
    ] == list(sealed.headers)
    assert CONTENT == sealed.value


def test_an_extension_cannot_replace_an_attribute():
    for name in ("id", "Upper", "under_score"):
        with pytest.raises(AssertionError):
            seal(CONTENT, **attributes, extensions={name: "y"})


parts = st.fixed_dictionaries(
    {
        "model": st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
        "version": st.sampled_from(["", "a", "ab"]),
        "segment": st.sampled_from(["", "a", "b"]),
        "window": st.none() | st.integers(0, 3) | st.tuples(st.integers(0, 3), st.integers(0, 3)),
        "transition": st.sampled_from(["", "opened"]),
    }
)


@given(parts, parts)
def test_ids_are_equal_exactly_where_the_identity_is(one, other):
    same = output_id("windage.drift.v1", **one) == output_id("windage.drift.v1", **other)
    assert (one == other) == same


def test_an_id_does_not_change_between_releases():
    expected = "141a8389c9d088d2b7f98baa3a09fd19"
    assert expected == output_id(
        "windage.drift.v1", model="fraud", version="3.2", segment="*", monitor="feature:age/psi",
        window=(0, 60_000), transition="opened",
    )  # fmt: skip
