"""Checks of events against the public contract, for the tests of other people's programs.

Promises: what passes has the form the product takes; a message names the place, what is wrong
there, and what is allowed.
Leaves to others: judging content (an unknown model, an instant in the future).
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from windage.fields import nearest

SCHEMAS: Final = {
    "predictions": "prediction",
    "labels": "label",
    "metrics": "metric",
    "model-events": "model-event",
    "readings": "reading",
    "drift-events": "drift-event",
    "alerts": "alert",
    "retrain-requests": "retrain-request",
    "rollback-requests": "rollback-request",
}
"""Topics, and the schema of their events."""

INPUTS: Final = ("predictions", "labels", "metrics", "model-events")
_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
).fullmatch
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list, tuple),
    "object": (dict,),
}


def assert_valid_event(event: Mapping[str, Any] | bytes | str, *, topic: str | None = None) -> None:
    """AssertionError with every fault of an event (a mapping, or its JSON); None if it has none.

    Without `topic` it is told from the fields. Fields the contract does not know are faults here,
    though the product would only ignore them: they are mostly misspelt.

    >>> assert_valid_event({"model": "m", "prediction_id": "p", "label": 1})
    Traceback (most recent call last):
    AssertionError: not a label: timestamp is missing
    """
    found = faults(event, topic)
    if found:
        raise AssertionError("; ".join(found))


def faults(event: object, topic: str | None = None) -> list[str]:
    """Sentences on what is wrong, none if nothing is."""
    if isinstance(event, bytes | str):
        try:
            event = json.loads(event)
        except ValueError:
            return ["not an event: it is not JSON in UTF-8"]
    if not isinstance(event, Mapping):
        return ["not an event: it is no object"]
    event = dict(event)
    if topic is not None and topic not in SCHEMAS:
        raise ValueError(f"there is no topic {topic!r}; {nearest(topic, SCHEMAS)}")
    topic = topic or topic_of(event)
    name = "column-batch" if topic in INPUTS and "columns" in event else SCHEMAS[topic]
    found = list(_faults(event, schema(name), schema(name), ""))
    found += [
        f"{field} is no instant: RFC 3339 with a zone, or an epoch number"
        for field in ("timestamp", "from", "until")
        if isinstance(event.get(field), str) and not _is_instant(event[field])
    ]
    return [f"not a {name}: {fault}" for fault in found]


@cache
def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of an event; these are copies of the product's own, and a test says so."""
    text = files("windage").joinpath("json", f"{name}.json").read_text("utf-8")
    return json.loads(text)  # type: ignore[no-any-return]


def topic_of(event: Mapping[str, Any]) -> str:
    """Where an event without an envelope belongs, by its fields."""
    columns = event.get("columns")
    has = columns if isinstance(columns, dict) else event
    for field, topic in (
        ("label", "labels"),
        ("transition", "drift-events"),
        ("recommended_action", "alerts"),
        ("to_version", "rollback-requests"),
        ("trigger", "retrain-requests"),
        ("statistic", "readings"),
    ):
        if field in has:
            return topic
    if "name" in has and "value" in has:
        return "metrics"
    return "model-events" if "type" in has and "prediction_id" not in has else "predictions"


def _faults(value: Any, rule: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:  # noqa: ANN401
    """What of JSON Schema the contract uses: no more, and a test holds it against a full one."""
    while "$ref" in rule:
        rule = root["$defs"][rule["$ref"].rpartition("/")[2]]
    here = at or "it"
    if "anyOf" in rule:
        tried = [list(_faults(value, one, root, at)) for one in rule["anyOf"]]
        if [] not in tried:
            fits = [
                found
                for found, one in zip(tried, rule["anyOf"], strict=True)
                if _has_type(value, _resolved(one, root))
            ]
            yield from (
                fits[0] if fits else [f"{here} is {_kind(value)}, not {_allowed(rule, root)}"]
            )
        return
    if not _has_type(value, rule):
        yield f"{here} is {_kind(value)}, not {rule['type']}"
        return
    if "enum" in rule and value not in rule["enum"]:
        words = ", ".join(map(str, rule["enum"]))
        hint = nearest(str(value), map(str, rule["enum"]))
        yield f"{here} is not one of {words}. {hint}".rstrip(". ")
    if isinstance(value, str):
        yield from _of_text(value, rule, here)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _of_number(value, rule, here)
    elif isinstance(value, dict):
        yield from _of_object(value, rule, root, at)
    elif isinstance(value, list | tuple):
        if len(value) > rule.get("maxItems", math.inf):
            yield f"{here} has more than {rule['maxItems']} items"
        for i, item in enumerate(value):
            yield from _faults(item, rule.get("items", {}), root, f"{at}[{i}]")


def _of_text(value: str, rule: dict[str, Any], here: str) -> Iterator[str]:
    if not rule.get("minLength", 0) <= len(value) <= rule.get("maxLength", math.inf):
        yield f"{here} has {len(value)} characters, not {_range(rule, 'Length')}"
    elif "pattern" in rule and not re.search(rule["pattern"].replace("$", r"\Z"), value):
        yield f"{here} has other characters than {rule['pattern']} allows"
    if rule.get("format") == "date-time" and not _is_instant(value):
        yield f"{here} is no RFC 3339 instant with a zone"


def _of_number(value: float, rule: dict[str, Any], here: str) -> Iterator[str]:
    if not math.isfinite(value):
        yield f"{here} is not a finite number"
        return
    too_low = value < rule.get("minimum", -math.inf) or value <= rule.get(
        "exclusiveMinimum", -math.inf
    )
    if too_low or value > rule.get("maximum", math.inf):
        yield f"{here} is outside {_range(rule, 'imum')}"


def _of_object(
    value: dict[str, Any], rule: dict[str, Any], root: dict[str, Any], at: str
) -> Iterator[str]:
    prefix = f"{at}." if at else ""
    known = rule.get("properties", {})
    for name in rule.get("required", ()):
        if name not in value:
            yield f"{prefix}{name} is missing"
    more = rule.get("additionalProperties")
    for name, item in value.items():
        if name in known:
            yield from _faults(item, known[name], root, prefix + name)
        elif isinstance(more, dict):
            yield from _of_text(name, rule.get("propertyNames", {}), f"the name {name!r} in {at}")
            yield from _faults(item, more, root, prefix + name)
        elif known:
            hint = nearest(name, known) or f"known are {', '.join(known)}"
            yield f"there is no field {prefix}{name}; {hint}"


def _has_type(value: Any, rule: dict[str, Any]) -> bool:  # noqa: ANN401
    if "type" not in rule:
        return True
    allowed = _TYPES[rule["type"]]
    if isinstance(value, bool):
        return bool in allowed
    if int in allowed and float not in allowed and isinstance(value, float):
        return value.is_integer()  # JSON has no whole numbers of their own
    return isinstance(value, allowed)


def _resolved(rule: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in rule:
        rule = root["$defs"][rule["$ref"].rpartition("/")[2]]
    return rule


def _allowed(rule: dict[str, Any], root: dict[str, Any]) -> str:
    kinds = [str(_resolved(one, root).get("type", "one of a list")) for one in rule["anyOf"]]
    return " or ".join(dict.fromkeys(kinds))


def _kind(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, bool):
        return "boolean"
    for name, types in _TYPES.items():
        if isinstance(value, types):
            return name
    return f"a {type(value).__name__}"


def _range(rule: dict[str, Any], ending: str) -> str:
    low = rule.get(f"min{ending}", rule.get(f"exclusiveM{'in' + ending}", ""))
    return f"{low}..{rule.get(f'max{ending}', '')}"


def _is_instant(text: str) -> bool:
    """RFC 3339, or a number as text."""
    try:
        float(text)
    except ValueError:
        return _RFC3339(text) is not None
    return True
