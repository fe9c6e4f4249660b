"""Dates as spreadsheets write them: 31.01.2025 14:05, 1/31/2025 2:05 PM, 2025/01/31.

Promises: one form a column, told by many of its cells; where day and month could be either, there
is no form, because a guess would be wrong by months.
Leaves to others: ISO dates and numbers (`instants`).
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

_LOOKED_AT: Final = 500
"""Cells by which the form is told."""

_SOUND: Final = 0.99
"""Share of them that must have it; there is a damaged cell here and there."""

_DATE: Final = re.compile(
    r"\s*(?:(?P<y>\d{4})[/.](?P<m>\d{1,2})[/.](?P<d>\d{1,2})"
    r"|(?P<a>\d{1,2})(?P<mark>[/.])(?P<b>\d{1,2})[/.](?P<year>\d{4}))"
    r"(?:[ T,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?)?\s*",
    re.ASCII,
)


class Ambiguous(ValueError):  # noqa: N818 - says what the column holds, not that we failed
    """A column of dates in which day and month could be either."""


class Form(NamedTuple):
    """How the dates of a column are written: whether 1/2/2025 is the first of February."""

    day_first: bool

    def read(self, text: str) -> datetime | None:
        """The instant of a cell, in UTC; None where it has another form or is no date."""
        found = _DATE.fullmatch(text)
        if found is None:
            return None
        if found["y"]:
            year, month, day = found["y"], found["m"], found["d"]
        else:
            year, first, second = found["year"], found["a"], found["b"]
            day, month = (first, second) if self.day_first else (second, first)
        hour = int(found["hour"] or 0)
        if found["half"]:
            hour = hour % 12 + (12 if found["half"] in "Pp" else 0)
        minute, seconds = int(found["minute"] or 0), int(found["second"] or 0)
        try:
            return datetime(int(year), int(month), int(day), hour, minute, seconds, tzinfo=UTC)
        except ValueError:
            return None


def form_of(cells: Sequence[str]) -> Form | None:
    """The form of a column's dates, or None where they are none; Ambiguous if it cannot be told."""
    texts = [cell for cell in cells if cell.strip()]
    looked = texts[:: max(1, len(texts) // _LOOKED_AT)]
    if not looked:
        return None
    found = [match for text in looked if (match := _DATE.fullmatch(text)) is not None]
    if len(found) < _SOUND * len(looked):
        return None
    short = [match for match in found if match["a"]]
    if not short or all(match["mark"] == "." for match in short):
        return Form(day_first=True)
    fits = [
        form
        for form in (Form(day_first=True), Form(day_first=False))
        if sum(form.read(match[0]) is not None for match in found) >= _SOUND * len(found)
    ]
    if len(fits) > 1:
        raise Ambiguous("day and month could be either")
    return fits[0] if fits else None
