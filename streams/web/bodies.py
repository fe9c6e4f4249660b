"""HTTP bodies: what arrived, cut into records for the logs without changing a byte of them.

Promises: one event, a JSON array, JSON Lines and CloudEvents in every mode come out as the
records a Kafka client would have sent; whatever can be told apart as a record goes into a log,
good or bad, so that the profiler refuses it with a code and nothing is lost.
Leaves to others: judging records (the profiler), storing them (`streams.runtime`).
"""

import json
from collections.abc import Mapping
from json import JSONDecodeError
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from schemas.envelope import ARROW, BATCHED, STRUCTURED
from schemas.log import InputLog

LINES: Final = frozenset({"application/x-ndjson", "application/jsonl", "application/json-lines"})

LOG_OF_TYPE: Final[dict[str, InputLog]] = {
    "windage.prediction.v1": "predictions",
    "windage.label.v1": "labels",
    "windage.metric.v1": "metrics",
    "windage.model-event.v1": "model-events",
}

PASSED_ON: Final = frozenset({"traceparent", "tracestate"})
"""Request headers that become record headers, beside those of CloudEvents."""

Headers = tuple[tuple[str, bytes], ...]


class BodyError(Exception):
    """The body cannot be cut into records: the sender's fault; the message never quotes it."""


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One record. `name` recognises it if it comes again; `readable`: it is a JSON object."""

    log: InputLog
    key: bytes | None
    value: bytes
    headers: Headers = ()
    name: str | None = None
    readable: bool = True


class _Shape(msgspec.Struct, gc=False):
    """The members that tell where an object belongs; `unset` where it has no such member."""

    model: Any = msgspec.UNSET
    prediction_id: Any = msgspec.UNSET
    label: Any = msgspec.UNSET
    name: Any = msgspec.UNSET
    value: Any = msgspec.UNSET
    type: Any = msgspec.UNSET
    columns: Any = msgspec.UNSET
    specversion: Any = msgspec.UNSET
    id: Any = msgspec.UNSET
    source: Any = msgspec.UNSET
    data: msgspec.Raw = msgspec.Raw(b"")


_shape: Final = msgspec.json.Decoder(_Shape).decode
_raws: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_loose: Final = json.JSONDecoder()
_FAULTS: Final = (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError)
_SPACE: Final = " \t\r\n"


def cut(body: bytes, headers: Mapping[str, str], log: InputLog | None = None) -> list[Piece]:
    """The records in a body, in order; `log` is where all belong, None: each by type or shape.

    `headers` are the request's, names in lower case. BodyError if there are no records in it.
    """
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    attributes = _attributes(headers)
    if "ce_specversion" in dict(attributes):
        return [_binary(body, headers, attributes, log)]
    if not body.strip():
        raise BodyError("the body is empty")
    passed = tuple((name, headers[name].encode()) for name in sorted(PASSED_ON & headers.keys()))
    if media == ARROW:
        content_type = ("content-type", ARROW.encode())
        return [
            Piece(log=log or "predictions", key=None, value=body, headers=(content_type, *passed))
        ]
    if media in LINES:
        return [_piece(line, log, passed) for line in _lines(body)]
    structured = media in (STRUCTURED, BATCHED)
    return [_piece(part, log, passed, structured=structured) for part in _parts(body)]


def _parts(body: bytes) -> list[bytes]:
    """The objects in JSON text: one, the elements of an array, or one a line."""
    if body.lstrip()[:1] == b"[":
        try:
            return [bytes(raw) for raw in _raws(body)]
        except _FAULTS:
            return _loose_elements(body)
    if _is_json(body):
        return [body]
    lines = _lines(body)
    if any(_is_json(line) for line in lines):
        return lines
    raise BodyError("the body is neither JSON nor JSON Lines")


def _loose_elements(body: bytes) -> list[bytes]:
    """The elements of an array in which NaN or Infinity stands, which JSON does not have.

    Python's own JSON writer sends such bodies; the profiler makes the values missing.
    """
    elements: list[bytes] = []
    try:
        text = body.decode()
        at = _skip(text, text.index("[") + 1)
        while text[at] != "]":
            _, end = _loose.raw_decode(text, at)
            elements.append(text[at:end].encode())
            at = _skip(text, end)
            if text[at] == ",":
                at = _skip(text, at + 1)
            elif text[at] != "]":
                raise BodyError("the body is an array that is not well formed")
        if text[at + 1 :].strip(_SPACE):
            raise BodyError("there is more after the array")
    except (ValueError, IndexError, RecursionError):
        raise BodyError("the body is an array that is not well formed") from None
    return elements


def _skip(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at


def _lines(body: bytes) -> list[bytes]:
    return [line for part in body.split(b"\n") if (line := part.strip(b"\r \t"))]


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (JSONDecodeError, UnicodeError, RecursionError, ValueError):
        return False
    return True


def _piece(
    value: bytes, log: InputLog | None, headers: Headers, *, structured: bool = False
) -> Piece:
    """A record without an envelope, or with one around it (structured mode)."""
    shape = _read(value)
    if shape is None:
        return Piece(
            log=log or "predictions", key=None, value=value, headers=headers, readable=False
        )
    if structured:
        headers = (("content-type", STRUCTURED.encode()), *headers)
    if shape.specversion is msgspec.UNSET:
        found = log or _by_shape(shape)
        return Piece(log=found, key=_key(shape, found), value=value, headers=headers)
    inner = _read(bytes(shape.data)) or _Shape()
    found = log or LOG_OF_TYPE.get(str(shape.type)) or _by_shape(inner)
    name = _event_name(shape.source, shape.id)
    return Piece(log=found, key=_key(inner, found), value=value, headers=headers, name=name)


def _binary(
    body: bytes, headers: Mapping[str, str], attributes: Headers, log: InputLog | None
) -> Piece:
    """A record whose envelope is in the headers (binary mode)."""
    said = dict(attributes)
    shape = _read(body)
    kind = said.get("ce_type", b"").decode()
    found = log or LOG_OF_TYPE.get(kind) or _by_shape(shape or _Shape())
    content_type = ("content-type", headers.get("content-type", "application/json").encode())
    passed = tuple((name, headers[name].encode()) for name in sorted(PASSED_ON & headers.keys()))
    return Piece(
        log=found,
        key=None if shape is None else _key(shape, found),
        value=body,
        headers=(*attributes, content_type, *passed),
        name=_event_name(said.get("ce_source", b"").decode(), said.get("ce_id", b"").decode()),
        readable=shape is not None,
    )


def _attributes(headers: Mapping[str, str]) -> Headers:
    """CloudEvents attributes of a request as the Kafka binding writes them."""
    return tuple(
        (f"ce_{name[3:]}", unquote(headers[name]).encode())
        for name in sorted(headers)
        if name.startswith("ce-")
    )


def _read(value: bytes) -> _Shape | None:
    try:
        return _shape(value)
    except _FAULTS:
        pass
    try:
        tree = json.loads(value)
    except (ValueError, RecursionError):
        return None
    if not isinstance(tree, dict):
        return None
    data = tree.pop("data", None)
    fields = {name: tree[name] for name in _Shape.__struct_fields__ if name in tree}
    raw = msgspec.Raw(json.dumps(data).encode()) if isinstance(data, dict) else msgspec.Raw(b"")
    return _Shape(**fields, data=raw)


def _by_shape(shape: _Shape) -> InputLog:
    has = shape.columns if isinstance(shape.columns, dict) else _members(shape)
    if "label" in has:
        return "labels"
    if "name" in has and "value" in has:
        return "metrics"
    return "model-events" if "type" in has and "prediction_id" not in has else "predictions"


def _members(shape: _Shape) -> set[str]:
    return {name for name in shape.__struct_fields__ if getattr(shape, name) is not msgspec.UNSET}


def _key(shape: _Shape, log: InputLog) -> bytes | None:
    """The key a Kafka client would have given the record."""
    key = shape.prediction_id if log in ("predictions", "labels") else shape.model
    return key.encode(errors="replace") if isinstance(key, str) else None


def _event_name(source: object, event_id: object) -> str | None:
    """What recognises a CloudEvent: its source and id together are unique."""
    if not isinstance(event_id, str) or not event_id:
        return None
    return json.dumps(["cloudevent", str(source or ""), event_id])
