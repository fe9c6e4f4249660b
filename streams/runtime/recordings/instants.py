"""Instants of a file as epoch milliseconds: RFC 3339, ISO dates, or epoch s / ms / us / ns.

Promises: the unit of numbers is decided once per column, by the first, and so is the form of dates
that are not ISO; a text without a zone is UTC; a cell that is no instant gives None.
Leaves to others: dates of spreadsheets (`dates`), a row without an instant (`rows`).
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final

from schemas.log import Millis
from streams.runtime.recordings.dates import Ambiguous, Form, form_of

_SMALLEST: Final = 1e8
"""Smaller numbers (before 1973 in seconds) are row numbers or dates written as numbers."""

_UNITS: Final = ((1e11, 1000.0), (1e14, 1.0), (1e17, 1e-3), (1e20, 1e-6))
"""(numbers below this, milliseconds in one of them): seconds, milliseconds, micro-, nanoseconds."""


class NoInstants(ValueError):  # noqa: N818  # says what the column holds, not that we failed
    """A column of numbers that count no time since the epoch, or of dates that are ambiguous."""


class InstantColumn:
    """One column of instants: decides the unit of its numbers once."""

    def __init__(self) -> None:
        self._scale: float | None = None
        self._form: Form | None = None
        self._looked = False

    def read(self, cells: Sequence[object]) -> list[Millis | None]:
        """Epoch milliseconds of `cells` (n,); None where a cell is no instant."""
        if not self._looked:
            self._look([cell for cell in cells if isinstance(cell, str)])
        return [self._instant(cell) for cell in cells]

    def _look(self, texts: Sequence[str]) -> None:
        """Decide the form of dates that are not ISO."""
        self._looked = bool(texts)
        try:
            self._form = form_of(texts)
        except Ambiguous as error:
            raise NoInstants(f"{error}; write dates as 2025-01-31") from None

    def _instant(self, cell: object) -> Millis | None:
        if isinstance(cell, str):
            try:
                return self._scaled(float(cell))
            except ValueError as error:
                if isinstance(error, NoInstants):
                    raise
            cell = self._dated(cell)
        if isinstance(cell, datetime):
            zoned = cell if cell.tzinfo is not None else cell.replace(tzinfo=UTC)
            return round(zoned.timestamp() * 1000)
        if isinstance(cell, date):
            return self._instant(datetime(cell.year, cell.month, cell.day, tzinfo=UTC))
        if isinstance(cell, int | float):
            return self._scaled(float(cell))
        return None

    def _dated(self, text: str) -> datetime | None:
        try:
            return datetime.fromisoformat(text.strip())
        except ValueError:
            return None if self._form is None else self._form.read(text)

    def _scaled(self, number: float) -> Millis | None:
        if self._scale is None:
            self._scale = _scale(number)
        try:
            return round(number * self._scale)
        except (ValueError, OverflowError):  # NaN, infinity
            return None


def _scale(number: float) -> float:
    for below, scale in _UNITS:
        if _SMALLEST <= number < below:
            return scale
    raise NoInstants(f"{number:g} is no time in epoch seconds, ms, us or ns")
