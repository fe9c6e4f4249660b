"""Instants of a file as epoch milliseconds: RFC 3339, ISO dates, or epoch s / ms / us / ns.

Promises: the unit of numbers is decided once per column, by the first; a text without a zone is
UTC; a cell that is no instant gives None.
Leaves to others: what becomes of a row without an instant (`rows`).
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final

from schemas.log import Millis

_SMALLEST: Final = 1e8
"""Smaller numbers (before 1973 in seconds) are row numbers or dates written as numbers."""

_UNITS: Final = ((1e11, 1000.0), (1e14, 1.0), (1e17, 1e-3), (1e20, 1e-6))
"""(numbers below this, milliseconds in one of them): seconds, milliseconds, micro-, nanoseconds."""


class NoInstants(ValueError):  # noqa: N818  # says what the column holds, not that we failed
    """A column whose first cell is a number, but none that counts time since the epoch."""


class InstantColumn:
    """One column of instants: decides the unit of its numbers once."""

    def __init__(self) -> None:
        self._scale: float | None = None

    def read(self, cells: Sequence[object]) -> list[Millis | None]:
        """Epoch milliseconds of `cells` (n,); None where a cell is no instant."""
        return [self._instant(cell) for cell in cells]

    def _instant(self, cell: object) -> Millis | None:
        if isinstance(cell, str):
            try:
                return self._scaled(float(cell))
            except ValueError as error:
                if isinstance(error, NoInstants):
                    raise
            try:
                cell = datetime.fromisoformat(cell.strip())
            except ValueError:
                return None
        if isinstance(cell, datetime):
            zoned = cell if cell.tzinfo is not None else cell.replace(tzinfo=UTC)
            return round(zoned.timestamp() * 1000)
        if isinstance(cell, date):
            return self._instant(datetime(cell.year, cell.month, cell.day, tzinfo=UTC))
        if isinstance(cell, int | float):
            return self._scaled(float(cell))
        return None

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
