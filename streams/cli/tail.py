"""`windage tail`: what is written to a topic, as it comes.

Promises: with `--json` one JSON object a line, an output as a structured CloudEvent, anything else
with its place, key and headers; bytes that are no text are base64; with offsets it prints exactly
these records and ends.
Leaves to others: where it reads (`places`).
"""

import base64
import sys
from typing import Any, Final

import msgspec

from schemas.envelope import EnvelopeError, open_envelope
from schemas.instants import rfc3339
from schemas.log import Output
from schemas.outputs import Alert, DriftEvent, Reading, RetrainRequest, RollbackRequest
from streams.cli import console
from streams.cli.history import content_of
from streams.cli.places import Place, reading
from streams.cli.structured import structured
from streams.runtime.installation.reading import Located, Span, newest_of

USUAL_NEWEST: Final = 10
_ALERTS: Final = ("readings", "drift-events", "alerts", "retrain-requests", "rollback-requests")


class _Modelled(msgspec.Struct):
    model: str | None = None


_modelled: Final = msgspec.json.Decoder(_Modelled).decode


def run(
    place: Place, topic: str, span: Span, model: str | None, *, follow: bool, as_json: bool
) -> None:
    """Print records of a topic; with `follow` until Ctrl-C."""
    with reading(place) as reader:
        if not follow:
            for record in newest_of(reader.read(topic, span), span):
                _tell(record, model, as_json=as_json)
            return
        for one in reader.follow([topic], newest=span.newest or 0):
            if one is None:
                sys.stdout.flush()
            else:
                _tell(one, model, as_json=as_json)


def _tell(record: Located, model: str | None, *, as_json: bool) -> None:
    if model is not None and model_of(record) != model:
        return
    if as_json:
        console.emit(line_of(record))
        return
    from rich.markup import escape

    console.results().print(escape(_words(record)), soft_wrap=True)


def model_of(record: Located) -> str | None:
    """The model a record is about, as far as it says."""
    opened = content_of(record)
    if opened is None:
        return None
    try:
        return _modelled(opened[1]).model
    except msgspec.MsgspecError:
        return None


def line_of(record: Located) -> bytes:
    """A record as one line of JSON."""
    if record.topic in _ALERTS and record.value is not None:
        output = Output(
            topic=record.topic,  # type: ignore[arg-type]  # one of the five above
            key=record.key,
            value=record.value,
            headers=tuple(record.headers),
        )
        line = structured(output)
        if line is not None:
            return line
    return msgspec.json.encode(shown(record))


def shown(record: Located) -> dict[str, Any]:
    """A record as a JSON object with everything it carries."""
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": rfc3339(record.timestamp),
        **_text("key", record.key),
        "headers": {name: (text or b"").decode(errors="replace") for name, text in record.headers},
        **_value(record.value),
    }


def _value(value: bytes | None) -> dict[str, Any]:
    """The value as JSON where it is JSON, as text where it is text, else in base64."""
    if value is None:
        return {"value": None}
    try:
        msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _text("value", value)
    return {"value": msgspec.Raw(value)}


def _text(name: str, value: bytes | None) -> dict[str, Any]:
    if value is None:
        return {name: None}
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value).decode()}


def _words(record: Located) -> str:
    """A record in one line for people."""
    at = rfc3339(record.timestamp)
    try:
        content = open_envelope(record.headers, record.value or b"").content
        told = _said(record.topic, content)
    except (EnvelopeError, msgspec.MsgspecError):
        told = None
    if told is None:
        key = (record.key or b"").decode(errors="replace")
        value = (record.value or b"").decode(errors="replace")
        reason = dict(record.headers).get("windage.error.message")
        why = f"  ({reason.decode(errors='replace')})" if reason else ""
        return f"{at}  [{record.partition}] {record.offset}  {key}{why}  {value[:300]}"
    return f"{at}  {told}"


def _said(topic: str, content: bytes) -> str | None:
    match topic:
        case "alerts":
            alert = msgspec.json.decode(content, type=Alert)
            ends = "" if alert.status == "firing" else " resolved"
            return f"{alert.severity}{ends}  {alert.title}  [{alert.incident_id}]  {alert.summary}"
        case "drift-events":
            event = msgspec.json.decode(content, type=DriftEvent)
            return (
                f"{event.severity} {event.transition}  [{event.incident_id}]  {event.explanation}"
            )
        case "retrain-requests":
            asked = msgspec.json.decode(content, type=RetrainRequest)
            return f"retrain {asked.model} {asked.version} ({asked.urgency}): {asked.reason}"
        case "rollback-requests":
            back = msgspec.json.decode(content, type=RollbackRequest)
            return f"roll back {back.model} {back.version}: {back.reason}"
        case "readings":
            return _reading(msgspec.json.decode(content, type=Reading))
    return None


def _reading(one: Reading) -> str:
    value = "-" if one.statistic is None else f"{one.statistic:.4g}"
    limit = "-" if one.threshold is None else f"{one.threshold:.4g}"
    mark = f"  {one.severity or 'breach'}" if one.breach else ""
    where = f"{one.model} {one.version} {one.segment}"
    return f"{where}  {one.monitor}  {value} of {limit}  {one.state}{mark}"
