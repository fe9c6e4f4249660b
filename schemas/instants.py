"""Instants: RFC 3339 text and epoch numbers in, integer epoch milliseconds within, text out.

Promises: the unit is a declared choice, or by magnitude (`auto`); what cannot be read is a
ValueError that never quotes the input; fractions below a millisecond are cut off.
Leaves to others: whether an instant is plausible (too old, in the future).
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas import instant_columns
from schemas.log import Millis
from schemas.vocabulary import TimestampUnit

Timestamp = int | float | str
"""An instant as a producer writes it."""

EARLIEST: Final[Millis] = -62_135_596_800_000
"""0001-01-01T00:00:00Z."""
LATEST: Final[Millis] = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z."""

SECONDS_BELOW: Final = 100_000_000_000
"""`auto` reads smaller numbers as seconds (until 5138), others as milliseconds (from 1973)."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = 1_000
_DAY: Final = 86_400_000
_LONGEST: Final = 64
"""Characters; a longer text is no instant, and not worth parsing."""


def parse(value: Timestamp, unit: TimestampUnit = "auto") -> Millis:
    """Epoch milliseconds of one instant; ValueError (producer's fault) if it is none.

    Texts may be RFC 3339 or, unless `unit` is rfc3339, a decimal number.
    """
    if type(value) is str:
        # The usual form: 2026-11-21T07:55:00Z, with or without a fraction or an offset.
        if len(value) > 18 and value[4] == "-" == value[7] and unit in ("auto", "rfc3339"):  # noqa: PLR2004
            return _rfc3339(value)
        return _text(value, unit)
    if type(value) is int or type(value) is float:
        return _number(value, unit)
    raise ValueError("an instant is a number or an RFC 3339 text")


def parse_many(
    values: Sequence[object], unit: TimestampUnit = "auto"
) -> tuple[npt.NDArray[np.int64], list[int]]:
    """Epoch milliseconds (n,) of a column, and the positions that are no instants (0 there)."""
    out, known = _usual(values, unit)
    bad: list[int] = []
    for i in np.flatnonzero(~known).tolist():
        try:
            out[i] = parse(values[i], unit)  # type: ignore[arg-type] # refuses other types itself
        except ValueError:
            out[i] = 0
            bad.append(i)
    return out, bad


def _usual(
    values: Sequence[object], unit: TimestampUnit
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Instants (n,) of a column of usual forms, and for which rows that is certain."""
    kinds = set(map(type, values))
    if len(kinds) == 1:
        return _of_kind(values, kinds.pop(), unit)
    out, known = np.zeros(len(values), np.int64), np.zeros(len(values), np.bool_)
    for kind in kinds:
        rows = [i for i, value in enumerate(values) if type(value) is kind]
        out[rows], known[rows] = _of_kind([values[i] for i in rows], kind, unit)
    return out, known


def _of_kind(
    values: Sequence[object], kind: type, unit: TimestampUnit
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The same for values (n,) of one type, n > 0."""
    if kind is str and unit in ("auto", "rfc3339"):
        return instant_columns.texts(values)  # type: ignore[arg-type] # seen
    if (kind is int or kind is float) and unit != "rfc3339":
        below = {"s": math.inf, "ms": 0.0}.get(unit, SECONDS_BELOW)
        out, known = instant_columns.numbers(values, seconds_below=below)  # type: ignore[arg-type]
        return out, known & (out >= EARLIEST) & (out <= LATEST)
    return np.zeros(len(values), np.int64), np.zeros(len(values), np.bool_)


@lru_cache(maxsize=4096)  # the instants of one pane are written thousands of times
def rfc3339(instant: Millis) -> str:
    """The instant as RFC 3339 in UTC, with milliseconds only where there are any."""
    if not EARLIEST <= instant <= LATEST:
        raise ValueError("the instant is outside the years 1 to 9999")
    spec = "milliseconds" if instant % _SECOND else "seconds"
    text = (_EPOCH + timedelta(milliseconds=instant)).isoformat(timespec=spec)
    return text[:-6] + "Z"  # isoformat ends with +00:00


def _number(value: float, unit: TimestampUnit) -> Millis:
    """An epoch number in seconds or milliseconds."""
    if unit == "rfc3339":
        raise ValueError("an instant must be an RFC 3339 text here, not a number")
    seconds = unit == "s" or (unit == "auto" and -SECONDS_BELOW < value < SECONDS_BELOW)
    if type(value) is int:
        instant = value * _SECOND if seconds else value
    else:
        scaled = value * _SECOND if seconds else value
        if not math.isfinite(scaled):  # 1e306 s are more milliseconds than a float holds
            raise ValueError("an instant must be finite")
        # Rounded to microseconds first: 1.001 s is 1.0009999999999999 in binary.
        instant = math.floor(round(scaled, 3))
    if not EARLIEST <= instant <= LATEST:
        raise ValueError("the instant is outside the years 1 to 9999; check its unit (s or ms)")
    return instant


def _text(value: str, unit: TimestampUnit) -> Millis:
    """A text that is not of the usual RFC 3339 form: a number, or nothing."""
    digits = value[1:] if value[:1] == "-" else value
    whole, _, fraction = digits.partition(".")
    numeric = whole.isascii() and whole.isdigit() and (not fraction or fraction.isdigit())
    if not numeric or len(value) > _LONGEST or not value.isascii():
        raise ValueError("the instant is not RFC 3339 (2026-11-21T07:55:00Z)")
    return _number(float(value) if "." in value else int(value), unit)


def _rfc3339(value: str) -> Millis:
    """An RFC 3339 date-time; stricter than `fromisoformat`, which takes other forms too."""
    if len(value) > _LONGEST or value[13] != ":" or value[16] != ":" or value[10] not in "Tt ":
        raise ValueError("the instant is not RFC 3339 (2026-11-21T07:55:00Z)")
    leap = 0
    if value[17:19] == "60":  # a leap second: the instant after :59
        value, leap = f"{value[:17]}59{value[19:]}", _SECOND
    try:
        moment = datetime.fromisoformat(value.upper() if value[-1] == "z" else value)
        span = moment - _EPOCH
    except (ValueError, OverflowError):
        raise ValueError("the instant is not RFC 3339 (2026-11-21T07:55:00Z)") from None
    except TypeError:  # naive minus aware
        raise ValueError("the instant has no offset; end it with Z or +00:00") from None
    return span.days * _DAY + span.seconds * _SECOND + span.microseconds // _SECOND + leap
