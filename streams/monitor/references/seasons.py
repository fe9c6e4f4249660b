"""Seasons: which recurring part of a day, week or year an instant belongs to. In UTC.

Promises: a function of the instant alone; the stretches of one season follow each other.
Leaves to others: what is normal in each part (`sources`).
"""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from schemas.log import Millis

_HOUR: Final[Millis] = 3_600_000
_DAY: Final[Millis] = 24 * _HOUR
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONDAY: Final = 3
"""1970-01-01 was a Thursday, three days after a Monday."""


class Moment(NamedTuple):
    """A part of the season (`part`), and which of its returns this is (`turn`)."""

    part: int
    turn: int


class Season(NamedTuple):
    """How often parts change, how long one lasts at least, and how many units of it are kept."""

    parts: int
    unit: Millis
    kept: int


SEASONS: Final[dict[str, Season]] = {
    "hour_of_day": Season(24, _HOUR, 60),
    "day_of_week": Season(7, _DAY, 26),
    "hour_of_week": Season(168, _HOUR, 12),
    "month_of_year": Season(12, _DAY, 93),
}
"""At most 2,016 vectors a segment: two months, half a year, a quarter, three years."""


def moment(season: str, at: Millis) -> Moment:
    """The part and the turn of an instant."""
    hour, day = at // _HOUR, at // _DAY
    if season == "hour_of_day":
        return Moment(hour % 24, day)
    if season == "day_of_week":
        return Moment((day + _MONDAY) % 7, (day + _MONDAY) // 7)
    if season == "hour_of_week":
        since = hour + _MONDAY * 24
        return Moment(since % 168, since // 168)
    date = _EPOCH + timedelta(milliseconds=at)
    return Moment(date.month - 1, date.year)
