"""Columns of instants: the usual forms many at a time, the same answers as one by one.

Promises: gives for each row what `instants.parse` would give, or says that it does not know
(then `instants` decides); a row never changes another's answer.
Leaves to others: unusual forms, refusals (`instants`).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Known = npt.NDArray[np.bool_]

_WHOLE: Final = 19
"""Characters of 2026-11-21T07:55:00."""
_DIGITS: Final = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18)
_MARKS: Final = ((4, b"-"), (7, b"-"), (10, b"T"), (13, b":"), (16, b":"))
_MILLISECOND_DIGITS: Final = 3
_FEW: Final = 16
"""Lengths of texts of which the most frequent one is looked for."""
_MONTH_DAYS: Final = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def numbers(values: Sequence[int | float], *, seconds_below: float) -> tuple[Ints, Known]:
    """Epoch numbers (n,), all of one type: those nearer 0 than `seconds_below` are seconds."""
    try:
        column = np.array(values, np.float64)
    except OverflowError:  # a whole number of hundreds of digits: all are left to `parse`
        return np.zeros(len(values), np.int64), np.zeros(len(values), np.bool_)
    # Beyond 2**53 a float is no longer the number that was sent.
    known = np.isfinite(column) & (np.abs(column) < 2**53 / 1000)
    column[~known] = 0
    if isinstance(values[0], int):
        exact = column.astype(np.int64)
        return np.where(np.abs(exact) < seconds_below, exact * 1000, exact), known
    scaled = np.where(np.abs(column) < seconds_below, column * 1000, column)
    # Away from a whole millisecond nobody can disagree about rounding; near it, parse decides.
    near = np.abs(scaled - np.rint(scaled)) < 1e-2  # noqa: PLR2004 - ten microseconds
    return np.floor(scaled).astype(np.int64), known & (~near | (scaled == np.rint(scaled)))


def texts(values: Sequence[str]) -> tuple[Ints, Known]:
    """RFC 3339 in UTC (n,): rows of the usual length and its suffix; others are not known."""
    lengths = list(map(len, values))
    length = max(set(lengths), key=lengths.count) if len(set(lengths)) <= _FEW else len(values[0])
    first = values[lengths.index(length)]
    suffix = b"Z" if first.endswith("Z") else b"+00:00"
    fraction = length - len(suffix) - _WHOLE
    known = np.array(lengths) == length
    instants = np.zeros(len(values), np.int64)
    if fraction < 0 or fraction == 1:
        return instants, np.zeros_like(known)
    rows = values if known.all() else [v for v, k in zip(values, known, strict=True) if k]
    raw = "".join(rows).encode("ascii", "replace")  # a question mark is no digit, either
    table = np.frombuffer(raw, np.uint8).reshape(len(rows), length)
    good, found = _read(table, suffix, fraction)
    instants[known] = found
    known[known] = good
    instants[~known] = 0
    return instants, known


def _read(
    table: npt.NDArray[np.uint8], suffix: bytes, fraction: int
) -> tuple[Known, npt.NDArray[np.int64]]:
    """Which rows of characters (n, length) are instants, and when."""
    # Characters become rows, so that each step runs over memory in order.
    characters = np.ascontiguousarray(table.T)
    digits = characters - ord("0")  # wraps round for other characters: > 9
    good = np.ones(len(table), np.bool_)
    for place in (*_DIGITS, *range(_WHOLE + 1, _WHOLE + fraction)):
        good &= digits[place] <= 9  # noqa: PLR2004 - decimal
    ends = ((_WHOLE + fraction + i, suffix[i : i + 1]) for i in range(len(suffix)))
    for place, mark in (*_MARKS, *([(_WHOLE, b".")] if fraction else []), *ends):
        good &= characters[place] == mark[0]
    wide = digits.astype(np.int64)
    year = wide[0] * 1000 + wide[1] * 100 + wide[2] * 10 + wide[3]
    month, day, hour, minute, second = (wide[i] * 10 + wide[i + 1] for i in (5, 8, 11, 14, 17))
    good &= (year >= 1) & (month >= 1) & (month <= 12)  # noqa: PLR2004 - the calendar
    good &= (hour <= 23) & (minute <= 59) & (second <= 59)  # noqa: PLR2004 - the clock
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    days = _MONTH_DAYS[np.where(good, month, 0)] + (leap & (month == 2))  # noqa: PLR2004
    good &= (day >= 1) & (day <= days)
    milliseconds = np.zeros(len(table), np.int64)
    for i in range(min(fraction - 1, _MILLISECOND_DIGITS)):
        milliseconds += wide[_WHOLE + 1 + i] * 10 ** (_MILLISECOND_DIGITS - 1 - i)
    clock = (hour * 60 + minute) * 60 + second
    return good, (_epoch_day(year, month, day) * 86_400 + clock) * 1000 + milliseconds


def _epoch_day(year: Ints, month: Ints, day: Ints) -> Ints:
    """Days since 1970-01-01 in the Gregorian calendar (n,); H. Hinnant, days_from_civil."""
    shifted = year - (month <= 2)  # noqa: PLR2004 - years begin in March here
    era = shifted // 400
    of_era = shifted - era * 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    found: Ints = era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
    return found
