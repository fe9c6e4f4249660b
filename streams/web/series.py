"""One monitor's readings over time, in little memory: the newest as they are, older ones thinned.

Promises: at most `NEWEST` + 2 `OLDER` points; of the readings that share a place in time the most
remarkable is kept, so no peak and no breach is ever thinned away.
Leaves to others: which monitors there are (`history`), what is asked (`charts`).
"""

import math
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.instants import parse
from schemas.log import Millis
from schemas.outputs import Reading
from schemas.vocabulary import ReadingState, words

NEWEST: Final = 512
OLDER: Final = 512
NOTHING: Final = -2
UNJUDGED: Final = -1
_FIRST: Final = 32
_FINEST: Final[Millis] = 60_000

STATES: Final = words(ReadingState)
_JUDGED: Final = STATES.index("judged")

POINT: Final = np.dtype(
    [
        ("at", "i8"),  # end of the window, epoch milliseconds
        ("statistic", "f8"),
        ("threshold", "f8"),
        ("value", "f8"),  # of a metric or figure
        ("psi", "f4"),
        ("low", "f4"),
        ("high", "f4"),
        ("rows", "u4"),
        ("state", "u1"),  # index into STATES
        ("breach", "?"),
    ]
)

_instant: Final = lru_cache(4096)(parse)  # the readings of a pane have one end

Points = NDArray[Any]
"""An array of `POINT`."""


class Series:
    """Readings of one monitor."""

    __slots__ = ("_count", "_level", "_newest", "_older")

    def __init__(self, *, level: bool) -> None:
        """`level`: what is remarkable is the distance to the threshold, not a large statistic."""
        self._level = level
        self._newest: Points = np.zeros(_FIRST, POINT)
        self._older: Points = np.zeros(0, POINT)
        self._count = 0

    def add(self, one: Reading) -> Millis:
        """Take a reading in; gives the end of its window."""
        if self._count == len(self._newest):
            self._make_room()
        at = _instant(one.current.window.end)
        effect = one.effect
        self._newest[self._count] = (
            at,
            _number(one.statistic),
            _number(one.threshold),
            _number(effect.current),
            _number(effect.psi),
            _number(effect.low),
            _number(effect.high),
            min(one.current.rows, 0xFFFFFFFF),
            STATES.index(one.state),
            one.breach,
        )
        self._count += 1
        return at

    def between(self, start: Millis, end: Millis, most: int) -> Points:
        """At most `most` points of windows that end in [start, end], by time."""
        points = np.concatenate([self._older, self._newest[: self._count]])
        points = points[(points["at"] >= start) & (points["at"] <= end)]
        if len(points) > most:
            width = max(1, -(-(end - start + 1) // most))
            return self._thin(points, width, start)
        return points[np.argsort(points["at"], kind="stable")]

    def ratios(self, edges: NDArray[np.int64]) -> NDArray[np.int16]:
        """Per cent of the threshold reached at most in each (edge, next edge].

        `NOTHING` was read there that is judged, `UNJUDGED`: there was too little to judge; from
        100: a breach.
        """
        points = self.between(int(edges[0]) + 1, int(edges[-1]), NEWEST + 2 * OLDER)
        told = (points["state"] == _JUDGED) & np.isnan(points["threshold"]) & ~points["breach"]
        points = points[~told]
        cells = np.searchsorted(edges, points["at"], side="left") - 1
        with np.errstate(divide="ignore", invalid="ignore"):
            share = 100 * points["statistic"] / points["threshold"]
        known = np.isfinite(share) & (points["threshold"] > 0)
        level = np.where(known, np.clip(share, 0, 999), UNJUDGED)
        level = np.where(points["breach"], np.maximum(level, 100), np.minimum(level, 99))
        out = np.full(len(edges) - 1, NOTHING, np.int16)
        np.maximum.at(out, cells, level.astype(np.int16))
        return out

    def _make_room(self) -> None:
        """Grow, or let the older half go to the thinned ones."""
        if len(self._newest) < NEWEST:
            self._newest = np.concatenate([self._newest, np.zeros(self._count, POINT)])
            return
        half = NEWEST // 2
        older = np.concatenate([self._older, self._newest[:half]])
        width = _FINEST
        while len(older) > OLDER + half:
            older = self._thin(older, width, 0)
            width *= 2
        self._older = older
        self._newest[:half] = self._newest[half:]
        self._count = NEWEST - half

    def _thin(self, points: Points, width: Millis, start: Millis) -> Points:
        """The most remarkable of the points in each stretch of `width`."""
        place = (points["at"] - start) // width
        seen = points["statistic"]
        if self._level:
            seen = np.abs(seen - points["threshold"])
        seen = np.where(np.isfinite(seen), seen, -math.inf)
        order = np.lexsort((points["at"], seen, points["breach"], place))
        last = np.append(np.diff(place[order]) > 0, [True])
        kept: Points = points[order[last]]
        out: Points = kept[np.argsort(kept["at"], kind="stable")]
        return out


def _number(value: float | None) -> float:
    return math.nan if value is None else value
