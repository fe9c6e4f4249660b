"""Schedules: five-field cron expressions in a time zone, without a clock.

Promises: `Cron.parse` gives a ValueError (operator's fault) that names the field; `after` is a
pure function. Day of month and day of week are alternatives if both are restricted, as in
crontab(5). A local time that a change to summer time skips is left out; one that comes twice
counts the first time.
Leaves to others: what is due (`retrain`).
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from schemas.log import Millis

_FIELDS: Final = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of month", 1, 31),
    ("month", 1, 12),
    ("day of week", 0, 7),
)
_MONTHS: Final = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
]
_DAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_NAMED: Final = {
    "@yearly": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_HORIZON_DAYS: Final = 366 * 8
"""No expression that ever matches waits longer (29 February across a century)."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Cron(msgspec.Struct, frozen=True, kw_only=True):
    """A compiled schedule: allowed values per field, and the name of its time zone."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    timezone: str

    @classmethod
    def parse(cls, text: str, timezone: str = "UTC") -> "Cron":
        """The schedule of `text`; ValueError names the field that is wrong."""
        fields = _NAMED.get(text.strip().lower(), text).split()
        if len(fields) != len(_FIELDS):
            raise ValueError(f"a schedule has five fields, not {len(fields)}: {text!r}")
        sets = [_values(field, *spec) for field, spec in zip(fields, _FIELDS, strict=True)]
        minutes, hours, days, months, weekdays = sets
        try:
            ZoneInfo(timezone)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"unknown time zone {timezone!r}") from None
        return cls(
            minutes=tuple(sorted(minutes)),
            hours=tuple(sorted(hours)),
            days=frozenset(days),
            months=frozenset(months),
            weekdays=frozenset(day % 7 for day in weekdays),
            either_day=not fields[2].startswith("*") and not fields[4].startswith("*"),
            timezone=timezone,
        )

    def after(self, instant: Millis) -> Millis | None:
        """The first scheduled instant later than `instant`; None if there is none for years."""
        zone = ZoneInfo(self.timezone)
        local = (_EPOCH + timedelta(milliseconds=instant)).astimezone(zone)
        day = local.date()
        for _ in range(_HORIZON_DAYS):
            if self._on(day.month, day.day, day.isoweekday() % 7):
                for hour in self.hours:
                    for minute in self.minutes:
                        moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                        found = moment.astimezone(UTC)
                        exists = found.astimezone(zone).replace(tzinfo=None) == moment.replace(
                            tzinfo=None
                        )
                        millis = (found - _EPOCH) // timedelta(milliseconds=1)
                        if exists and millis > instant:
                            return millis
            day += timedelta(days=1)
        return None

    def _on(self, month: int, day: int, weekday: int) -> bool:
        """Whether the schedule runs on a day."""
        if month not in self.months:
            return False
        if self.either_day:
            return day in self.days or weekday in self.weekdays
        return day in self.days and weekday in self.weekdays


def _values(field: str, name: str, low: int, high: int) -> set[int]:
    """The values of one field: lists, ranges, steps, names."""
    found: set[int] = set()
    for part in field.lower().split(","):
        span, _, step_text = part.partition("/")
        step = _number(step_text, name, 1, high) if step_text else 1
        if span == "*":
            start, stop = low, high
        else:
            first, dash, last = span.partition("-")
            start = _number(first, name, low, high)
            stop = _number(last, name, low, high) if dash else (high if step_text else start)
        if start > stop:
            raise ValueError(f"{name}: {part!r} runs backwards")
        found.update(range(start, stop + 1, step))
    return found


def _number(text: str, name: str, low: int, high: int) -> int:
    """One number or name of a field."""
    names = {"month": (_MONTHS, 1), "day of week": (_DAYS, 0)}.get(name)
    if names and text in names[0]:
        return names[0].index(text) + names[1]
    if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
        raise ValueError(f"{name}: {text!r} is not between {low} and {high}")
    return int(text)
