"""Intervals: a metric, and between which values it lies with 95 % confidence.

Promises: low <= value <= high, all finite; a share's interval never leaves [0, 1].
Leaves to others: where standard errors come from (the file of each metric).
Sources: Wilson (1927), JASA 22, 209-212; Brown, Cai, DasGupta (2001), Statistical Science 16,
101-133, who recommend it for any number of rows.
"""

from math import isfinite, sqrt
from typing import Final, NamedTuple

Z: Final = 1.959963984540054
"""Standard errors on either side: 95 % of the normal law."""


class Interval(NamedTuple):
    """A metric, its confidence limits, and the rows it rests on."""

    value: float
    low: float
    high: float
    rows: int

    @property
    def error(self) -> float:
        """The standard error that the width stands for."""
        return (self.high - self.low) / (2 * Z)


def wilson(hits: float, rows: float, dispersion: float = 1.0) -> Interval | None:
    """The share of `hits` among `rows`; None without rows.

    `dispersion` >= 1 is the factor by which panes vary more than independent rows would: it
    divides the number of rows that the interval believes in.
    """
    if rows <= 0:
        return None
    p, n = hits / rows, rows / max(dispersion, 1.0)
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    # Where nothing or everything hits, rounding must not put the value outside.
    return Interval(p, max(0.0, min(p, middle - half)), min(1.0, max(p, middle + half)), int(rows))


def around(
    value: float,
    error: float,
    rows: int,
    *,
    least: float = -float("inf"),
    most: float = float("inf"),
) -> Interval | None:
    """A metric with a standard error, its limits kept in [least, most]; None if not finite."""
    if not (isfinite(value) and isfinite(error)):
        return None
    half = Z * error
    low, high = max(least, value - half), min(most, value + half)
    return Interval(value, min(value, low), max(value, high), rows)
