"""Quantities as people write them in the config: 62h30m, 1 per 30d, 10%, 256KiB, 3 panes.

Promises: every quantity has a `parse_*` and a `show_*` that are inverse to each other; what
cannot be read is a ValueError that says what would be allowed and never quotes the input.
Leaves to others: which field takes which quantity (`config_values`).
"""

import math
import re
from dataclasses import dataclass
from typing import Final, Literal

from schemas.log import Millis

_UNITS: Final[dict[str, Millis]] = {
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
DURATION_PATTERN: Final = (
    r"^(?=\d)(\d{1,9}w)?(\d{1,9}d)?(\d{1,9}h)?(\d{1,9}m(?!s))?(\d{1,9}s)?(\d{1,9}ms)?$"
)
_duration: Final = re.compile(DURATION_PATTERN, re.ASCII)
_duration_part: Final = re.compile(r"(\d+)(ms|[wdhms])", re.ASCII)
LONGEST: Final[Millis] = 100 * 366 * 86_400_000
"""A century; longer is a slip of the pen, and would overflow instants."""

_SIZES: Final = {"GiB": 2**30, "MiB": 2**20, "KiB": 2**10, "B": 1}
LARGEST: Final = 2**40
"""A tebibyte."""
SIZE_PATTERN: Final = r"^\d{1,13}(B|KiB|MiB|GiB)$"
_size: Final = re.compile(r"(\d{1,13})(B|KiB|MiB|GiB)", re.ASCII)

NUMBER: Final = r"\d{1,9}(\.\d{1,9})?"
RATIO_PATTERN: Final = rf"^{NUMBER}%$"
_ratio: Final = re.compile(rf"({NUMBER}) ?(%?)", re.ASCII)
BUDGET_PATTERN: Final = rf"^{NUMBER} per .+$"
_budget: Final = re.compile(rf"({NUMBER}) per (\S+)", re.ASCII)
PANES_PATTERN: Final = r"^\d{1,6} panes?$"
_panes: Final = re.compile(r"(\d{1,6})(?: panes?)?", re.ASCII)
THRESHOLD_PATTERN: Final = rf"^{NUMBER}(%| points?)?$"
_threshold: Final = re.compile(rf"({NUMBER})(%| points?)?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Rate:
    """So many (`count`) in every `per` milliseconds."""

    count: float
    per: Millis


@dataclass(frozen=True, kw_only=True)
class Length:
    """The length of a window, in panes or in milliseconds: exactly one of them is set."""

    panes: int | None = None
    span: Millis | None = None

    def in_panes(self, pane: Millis) -> int:
        """Whole panes of `pane` milliseconds that cover this length; at least 1."""
        if self.panes is not None:
            return self.panes
        assert self.span is not None
        return max(1, -(-self.span // pane))


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A limit: of the statistic itself, relative to the baseline (0..1), or in points of it."""

    value: float
    scale: Literal["absolute", "relative", "points"] = "absolute"


def parse_duration(value: object) -> Millis:
    """Milliseconds of `62h30m`: whole numbers with w, d, h, m, s, ms, largest first."""
    if isinstance(value, str):
        if _duration.fullmatch(value):
            total = sum(int(n) * _UNITS[unit] for n, unit in _duration_part.findall(value))
            if total > LONGEST:
                raise ValueError("must not be longer than a century")
            return total
        if value.startswith("-"):
            raise ValueError("must not be negative")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(  # noqa: TRY004 - pydantic reports only ValueError
            'needs a unit: "30s", "1m", "62h30m", "30d"'
        )
    raise ValueError('must be a duration such as "30s", "1m", "62h30m" or "30d"')


def show_duration(span: Millis) -> str:
    """The shortest text of a duration; weeks are shown as days."""
    if span == 0:
        return "0s"
    text = ""
    for unit, length in _UNITS.items():
        if unit != "w":
            count, span = divmod(span, length)
            text += f"{count}{unit}" if count else ""
    return text


def parse_size(value: object) -> int:
    """Bytes of `256KiB`; a whole number is bytes."""
    size = -1
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str) and (found := _size.fullmatch(value)):
        size = int(found[1]) * _SIZES[found[2]]
    if not 0 <= size <= LARGEST:
        raise ValueError('must be a size such as "256KiB" or "8MiB", at most 1024GiB')
    return size


def show_size(size: int) -> str:
    """The size in the largest unit that leaves a whole number."""
    for unit, length in _SIZES.items():
        if size and size % length == 0:
            return f"{size // length}{unit}"
    return f"{size}B"


def parse_ratio(value: object) -> float:
    """A share (0..1) of `10%` or `0.1`."""
    number, percent = math.nan, False
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    elif isinstance(value, str) and (found := _ratio.fullmatch(value)):
        number, percent = float(found[1]), found[3] == "%"
    if percent:
        number /= 100
    if not 0 <= number <= 1:
        raise ValueError('must be a share between 0 and 1, or a percentage such as "10%"')
    return number


def parse_rate(value: object) -> Rate:
    """`1 per 30d`."""
    if isinstance(value, Rate):
        return value
    found = _budget.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('must be a number per duration, such as "1 per 30d"')
    count, per = float(found[1]), parse_duration(found[3])
    if count <= 0 or per <= 0:
        raise ValueError("must be more than nothing per duration")
    return Rate(count=count, per=per)


def show_rate(rate: Rate) -> str:
    """`1 per 30d`."""
    return f"{_show_number(rate.count)} per {show_duration(rate.per)}"


def parse_panes(value: object) -> int:
    """Panes of `3 panes`, or a whole number; at least 1."""
    count = 0
    if isinstance(value, int) and not isinstance(value, bool):
        count = value
    elif isinstance(value, str) and (found := _panes.fullmatch(value)):
        count = int(found[1])
    if not 1 <= count <= 999_999:  # noqa: PLR2004 - six digits, as the pattern says
        raise ValueError('must be a number of panes of at least 1, such as "3 panes"')
    return count


def show_panes(panes: int) -> str:
    """`3 panes`."""
    return f"{panes} pane{'s' if panes != 1 else ''}"


def parse_length(value: object) -> Length:
    """`20 panes` or a duration."""
    if isinstance(value, Length):
        return value
    try:
        if isinstance(value, int) or (isinstance(value, str) and _panes.fullmatch(value)):
            return Length(panes=parse_panes(value))
        span = parse_duration(value)
    except ValueError:
        raise ValueError('must be a length such as "20 panes" or "1h"') from None
    if span == 0:
        raise ValueError("must be longer than nothing")
    return Length(span=span)


def show_length(length: Length) -> str:
    """`20 panes` or a duration."""
    return show_panes(length.panes) if length.panes is not None else show_duration(length.span or 0)


def parse_threshold(value: object) -> Threshold:
    """`0.25` (of the statistic), `5%` (of the baseline) or `2 points` (below the baseline)."""
    if isinstance(value, Threshold):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        if math.isfinite(value) and value >= 0:
            return Threshold(value=float(value))
    elif isinstance(value, str) and (found := _threshold.fullmatch(value)):
        number = float(found[1])
        if found[3] == "%":
            return Threshold(value=number / 100, scale="relative")
        return Threshold(value=number, scale="points" if found[3] else "absolute")
    raise ValueError('must be a number, a percentage such as "5%", or "2 points"')


def show_threshold(threshold: Threshold) -> str | float:
    """As it would be written."""
    if threshold.scale == "relative":
        return f"{_show_number(threshold.value * 100)}%"
    if threshold.scale == "points":
        return f"{_show_number(threshold.value)} points"
    return threshold.value


def _show_number(number: float) -> str:
    """A number without exponent, and without a point where it is whole."""
    return f"{round(number, 9):.9f}".rstrip("0").rstrip(".")
