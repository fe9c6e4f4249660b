"""Great Expectations: the result of validating a batch, as what happened to a model's data.

| validation result | event of ours |
|---|---|
| `statistics.success_percent` / 100 | metric `great_expectations:SUITE`, operational |
| `success` false | model event `annotation` that names the expectations that failed |
| `suite_name`, or `meta.expectation_suite_name` | `SUITE` |
| `meta.run_id.run_time`, or `meta.validation_time` | `timestamp` |

A checkpoint's result (`run_results`) is read too, each validation in it. The model is not in the
record: `--model`. After the documentation of ExpectationSuiteValidationResult, 0.18 and 1.x.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.inputs import Event, Metric, ModelEvent, safe_names
from schemas.instants import Timestamp
from streams.adapters.asked import Asked, MisfitError, decoded, model_of
from streams.adapters.values import Json

NAMED: Final = 20
"""Failed expectations that a note names; the rest is counted."""


class _Config(msgspec.Struct, frozen=True, kw_only=True):
    expectation_type: str = ""
    type: str = ""
    kwargs: dict[str, Json] = {}


class _Expectation(msgspec.Struct, frozen=True, kw_only=True):
    success: bool | None = None
    expectation_config: _Config = _Config()


class _RunId(msgspec.Struct, frozen=True, kw_only=True):
    run_time: str | None = None


class _Meta(msgspec.Struct, frozen=True, kw_only=True):
    expectation_suite_name: str | None = None
    run_id: _RunId | None = None
    validation_time: str | None = None


class _Statistics(msgspec.Struct, frozen=True, kw_only=True):
    evaluated_expectations: int = 0
    successful_expectations: int = 0
    success_percent: float | None = None


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    success: bool | None = None
    results: list[_Expectation] = []
    statistics: _Statistics = _Statistics()
    suite_name: str | None = None
    meta: _Meta = _Meta()
    run_results: dict[str, msgspec.Raw] = {}


class _Wrapped(msgspec.Struct, frozen=True, kw_only=True):
    validation_result: msgspec.Raw


_decoder: Final = msgspec.json.Decoder(_Result)
_wrapped: Final = msgspec.json.Decoder(_Wrapped)


class GreatExpectations:
    """Reads validation results."""

    waiting = 0

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def take(self, record: bytes) -> Iterator[Event]:
        """How much was as expected, and what was not."""
        one = decoded(_decoder, record, "validation result of Great Expectations")
        if one.run_results:
            for raw in one.run_results.values():
                yield from self.take(_inner(bytes(raw)))
            return
        if one.success is None:
            raise MisfitError("has no success: it is no validation result")
        model = model_of(self._asked, None, "the record")
        suite = one.suite_name or one.meta.expectation_suite_name or "suite"
        at = self._at(one.meta)
        if one.statistics.success_percent is not None:
            yield Metric(
                model=model,
                name=safe_names([f"great_expectations:{suite}"])[0],
                value=one.statistics.success_percent / 100,
                timestamp=at,
                kind="operational",
                direction="higher_is_better",
            )
        if not one.success:
            yield ModelEvent(
                model=model,
                type="annotation",
                timestamp=at,
                author="Great Expectations",
                note=_note(suite, one),
            )

    def _at(self, meta: _Meta) -> Timestamp:
        run = None if meta.run_id is None else meta.run_id.run_time
        return _instant(run) or _instant(meta.validation_time) or self._asked.now


def _inner(raw: bytes) -> bytes:
    """A validation of a checkpoint: as it is, or one step further in (0.18)."""
    try:
        return bytes(_wrapped.decode(raw).validation_result)
    except msgspec.DecodeError:
        return raw


def _instant(text: str | None) -> str | None:
    """A time that can be read: RFC 3339, or the basic form `20220727T154327.630107Z`."""
    if not text:
        return None
    date, t, clock = text.partition("T")
    if len(date) == len("20220727") and date.isdigit():
        date = f"{date[:4]}-{date[4:6]}-{date[6:]}"
        clock = f"{clock[:2]}:{clock[2:4]}:{clock[4:]}" if ":" not in clock else clock
    text = f"{date}{t or 'T'}{clock}" if t else text.replace(" ", "T", 1)
    return text if text.endswith("Z") or "+" in text[10:] else f"{text}Z"


def _note(suite: str, one: _Result) -> str:
    """Which expectations failed, and of which columns; no value of the data."""
    failed = [each.expectation_config for each in one.results if each.success is False]
    named = [_named(each) for each in failed[:NAMED]]
    more = f" and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
    count = f"{len(failed)} of {one.statistics.evaluated_expectations or len(one.results)}"
    return f"{count} expectations of {suite} failed: {', '.join(named)}{more}"


def _named(config: _Config) -> str:
    column = config.kwargs.get("column")
    name = config.type or config.expectation_type or "an expectation"
    return f"{name}({column})" if isinstance(column, str) else name
