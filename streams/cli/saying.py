"""`windage event` and `windage close`: what people and services tell the product.

Promises: an event that would be refused, or would do something else than it seems to say, is
refused here with the reason; what was said is printed as it was written.
Leaves to others: what an event causes (`streams.policy`), writing (`installation.writing`).
"""

import time
import uuid
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from schemas.inputs import ModelEvent, encode, is_name
from schemas.instants import parse, rfc3339
from schemas.matchers import complaint, doubt
from schemas.vocabulary import ModelEventType, words
from streams.cli.console import emit, say
from streams.cli.endings import REFUSED, OperatorError
from streams.cli.places import Place, known_incidents, writer_of
from streams.runtime.installation.writing import Letter

_NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "silence": ("matchers",),
    "incident_acknowledged": ("incident_id",),
    "incident_assigned": ("incident_id",),
    "incident_closed": ("incident_id", "verdict"),
    "incident_missed": ("from",),
    "deployed": ("version",),
    "canary_started": ("version",),
    "promoted": ("version",),
    "rolled_back": ("version",),
    "annotation": ("note",),
}
"""Fields without which an event of a type says nothing."""

_OPTIONS: Final = {"matchers": "--matcher", "incident_id": "--incident", "from": "--from"}


def event(place: Place, fields: dict[str, Any], *, as_json: bool) -> None:
    """Write one model event; `fields` by their names on the wire, None where nothing was said."""
    _write(place, made(fields), as_json=as_json)


def close(place: Place, wanted: str, fields: dict[str, Any], *, as_json: bool) -> None:
    """Close the incident whose id begins with `wanted`, with a verdict."""
    incident_id, model = find_incident(place, wanted)
    told = {**fields, "type": "incident_closed", "model": model, "incident_id": incident_id}
    _write(place, made(told), as_json=as_json)


def find_incident(place: Place, wanted: str) -> tuple[str, str]:
    """Id and model of the one incident whose id begins so; OperatorError if none or several do."""
    known = known_incidents(place)
    found = [wanted] if wanted in known else [name for name in known if name.startswith(wanted)]
    if len(found) > 1:
        raise OperatorError(f"{wanted}: begins the ids of {', '.join(found[:5])}", REFUSED)
    if not found:
        near = get_close_matches(wanted, known, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else " (windage incidents lists them)"
        raise OperatorError(f"{wanted}: no incident has this id{hint}", REFUSED)
    return found[0], known[found[0]]


def made(fields: dict[str, Any]) -> ModelEvent:
    """The event of what was said; OperatorError where it cannot be one."""
    told = {name: value for name, value in fields.items() if value is not None}
    kind, known = told["type"], words(ModelEventType)
    if kind not in known:
        near = get_close_matches(kind, known, n=1, cutoff=0.5)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        raise OperatorError(f'no event type "{kind}"{hint} allowed: {", ".join(known)}', REFUSED)
    if not is_name(told["model"]):
        raise OperatorError("--model: up to 128 letters, digits and _ . : -", REFUSED)
    wrong = complaint(told.get("matchers"))
    if wrong is not None:
        raise OperatorError(f"--matcher: {wrong}", REFUSED)
    signal = (told.get("matchers") or {}).get("signal")
    doubted = None if signal is None else doubt(signal)
    if doubted is not None:
        say(f"windage: --matcher: {doubted}")
    for field in _NEEDS.get(kind, ()):
        if field not in told:
            option = _OPTIONS.get(field, f"--{field}")
            more = "; signal=* silences everything" if field == "matchers" else ""
            raise OperatorError(f"{kind} needs {option}{more}", REFUSED)
    for field in ("timestamp", "from", "until"):
        if field in told:
            told[field] = instant_text(field, told[field])
    told.setdefault("timestamp", rfc3339(time.time_ns() // 1_000_000))
    told.setdefault("id", uuid.uuid4().hex)
    if "until" in told and parse(told["until"]) <= parse(told.get("from", told["timestamp"])):
        raise OperatorError("--until: is not after --from", REFUSED)
    try:
        return msgspec.convert(told, ModelEvent)
    except msgspec.ValidationError as error:
        raise OperatorError(str(error), REFUSED) from None


def matchers_of(texts: Sequence[str]) -> dict[str, str] | None:
    """`--matcher field=text`, several; OperatorError without a `=`."""
    out = {}
    for text in texts:
        field, sign, value = text.partition("=")
        if not sign:
            raise OperatorError(f"--matcher: {text}: must be field=text, as signal=score", REFUSED)
        out[field.strip()] = value.strip()
    return out or None


def instant_text(option: str, text: str) -> str:
    """An instant as RFC 3339; OperatorError naming the option if it is none."""
    try:
        return rfc3339(parse(text))
    except ValueError as error:
        raise OperatorError(f"--{option}: {error}", REFUSED) from None


def _write(place: Place, event: ModelEvent, *, as_json: bool) -> None:
    content = encode(event)
    writer_of(place).write([Letter(topic="model-events", key=event.model.encode(), value=content)])
    if as_json:
        emit(content)
    else:
        about = event.incident_id or event.version or ""
        say(f"said: {event.type} {event.model} {about}".rstrip() + f"  [{event.id}]")
