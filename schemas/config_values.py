"""The types that config fields share: quantities, names, instants, and what every part obeys.

Promises: unknown keys are refused everywhere; errors hide the input, which may be a secret;
a dumped value can be loaded again.
Leaves to others: which keys there are (`config`, `config_model`, `config_policy`, `config_links`).
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from schemas import durations, instants
from schemas.log import Millis
from schemas.vocabulary import NAME_PATTERN

_DATE_LENGTH: Final = 10
_NO_INSTANT: Final = "must be a date (2026-11-27) or an RFC 3339 instant"


class Part(BaseModel):
    """A mapping of the config: frozen, without unknown keys, NaN or echoed input."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )


def fault(field: str, reason: str, allowed: Iterable[str] = ()) -> PydanticCustomError:
    """An error of fields that contradict each other, to be shown at `field` (dotted).

    `allowed` are the words of which it should be one.
    """
    context = {"field": field, "reason": reason, "allowed": tuple(allowed)}
    return PydanticCustomError("contradiction", "{reason}", context)


def parse_instant(value: object) -> Millis:
    """Epoch milliseconds of an RFC 3339 text, or of the begin of a date (UTC)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return instants.parse(value, "ms")  # from Python; YAML dates arrive as texts
    if not isinstance(value, str):
        raise ValueError(_NO_INSTANT)  # noqa: TRY004 - pydantic reports only ValueError
    if len(value) == _DATE_LENGTH:
        try:
            day = datetime.combine(date.fromisoformat(value), datetime.min.time(), UTC)
        except ValueError:
            raise ValueError(_NO_INSTANT) from None
        return (day - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    return instants.parse(value, "rfc3339")


def parse_end(value: object) -> Millis:
    """As `parse_instant`, but a date means the end of that day."""
    begin = parse_instant(value)
    return begin + 86_400_000 if isinstance(value, str) and len(value) == _DATE_LENGTH else begin


def _duration(value: object) -> Millis:
    return durations.parse_duration(value)


Duration = Annotated[
    int,
    PlainValidator(_duration),
    PlainSerializer(durations.show_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": durations.DURATION_PATTERN}),
]
"""Milliseconds, written `62h30m`."""


def _silent_after(value: object) -> Literal["auto", "off"] | Millis:
    """`auto`, `off` (which YAML reads as false), or a duration."""
    if value == "auto":
        return "auto"
    if value is False or value == "off":
        return "off"
    wait = durations.parse_duration(value)
    if wait <= 0:
        raise ValueError("must be auto, off, or longer than nothing")
    return wait


SilentAfter = Annotated[
    Literal["auto", "off"] | int,
    PlainValidator(_silent_after),
    PlainSerializer(
        lambda value: value if isinstance(value, str) else durations.show_duration(value)
    ),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["auto", "off", False]},
                {"type": "string", "pattern": durations.DURATION_PATTERN},
            ]
        }
    ),
]
"""How long predictions may stay away before that is an incident; `auto`: by their own pace."""

Bytes = Annotated[
    int,
    PlainValidator(durations.parse_size),
    PlainSerializer(durations.show_size, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": durations.SIZE_PATTERN},
                {"type": "integer", "minimum": 0},
            ]
        }
    ),
]
"""Bytes, written `256KiB`."""

Ratio = Annotated[
    float,
    PlainValidator(durations.parse_ratio),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1},
                {"type": "string", "pattern": durations.RATIO_PATTERN},
            ]
        }
    ),
]
"""A share (0..1), written `0.1` or `10%`."""

Rate = Annotated[
    durations.Rate,
    PlainValidator(durations.parse_rate),
    PlainSerializer(durations.show_rate, return_type=str),
    WithJsonSchema({"type": "string", "pattern": durations.BUDGET_PATTERN}),
]
"""`1 per 30d`."""

Panes = Annotated[
    int,
    PlainValidator(durations.parse_panes),
    PlainSerializer(durations.show_panes, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": durations.PANES_PATTERN},
                {"type": "integer", "minimum": 1},
            ]
        }
    ),
]
"""A number of panes, written `3 panes`."""

Length = Annotated[
    durations.Length,
    PlainValidator(durations.parse_length),
    PlainSerializer(durations.show_length, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": durations.PANES_PATTERN},
                {"type": "string", "pattern": durations.DURATION_PATTERN},
                {"type": "integer", "minimum": 1},
            ]
        }
    ),
]
"""`20 panes` or `1h`."""

Threshold = Annotated[
    durations.Threshold,
    PlainValidator(durations.parse_threshold),
    PlainSerializer(durations.show_threshold),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": durations.THRESHOLD_PATTERN},
            ]
        }
    ),
]
"""`0.25`, `5%` or `2 points`."""

_INSTANT_SCHEMA: Final = {
    "type": "string",
    "anyOf": [{"format": "date-time"}, {"format": "date"}],
}
Begin = Annotated[
    int,
    PlainValidator(parse_instant),
    PlainSerializer(instants.rfc3339, return_type=str),
    WithJsonSchema(_INSTANT_SCHEMA),
]
"""An instant; a date is its begin (UTC)."""
End = Annotated[
    int,
    PlainValidator(parse_end),
    PlainSerializer(instants.rfc3339, return_type=str),
    WithJsonSchema(_INSTANT_SCHEMA),
]
"""An instant; a date is its end (UTC)."""


Name = Annotated[str, Field(pattern=NAME_PATTERN)]
"""The name of a model, version, feature, tag or metric."""
Selector = Annotated[str, Field(min_length=1, max_length=256)]
"""A name, or a pattern with `*`."""
