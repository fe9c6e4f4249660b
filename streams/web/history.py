"""History: what every monitor read over the last weeks, ready to be drawn.

Promises: a fold of the readings, so it is the same after a restart; memory is bounded by `SERIES`
monitors of so many points each; the monitor that has been silent for longest is forgotten first.
Leaves to others: reading the topic (`board`), thinning (`series`), answers (`charts`).
"""

from collections import OrderedDict
from collections.abc import Iterator
from fnmatch import fnmatchcase
from threading import Lock
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.log import Millis
from schemas.outputs import Reading
from streams.web.series import Points, Series

SERIES: Final = 2_000
LEVELS: Final = ("metric:", "estimate:", "label:")
"""Signals whose statistic is a level, and whose threshold is what it was in the reference."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Which monitor a series is of."""

    model: str
    version: str
    segment: str
    signal: str
    detector: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which series are asked for: patterns by field, any of them; none stands for all."""

    model: tuple[str, ...] = ()
    version: tuple[str, ...] = ()
    segment: tuple[str, ...] = ()
    signal: tuple[str, ...] = ()
    detector: tuple[str, ...] = ()

    def takes(self, place: Place) -> bool:
        """Whether a place is among them; a segment is meant as it is written."""
        for field in self.__struct_fields__:
            patterns, text = getattr(self, field), getattr(place, field)
            if patterns and text not in patterns:
                if field == "segment":
                    return False
                if not any(fnmatchcase(text, pattern) for pattern in patterns):
                    return False
        return True


class Span(msgspec.Struct, kw_only=True):
    """What is known of a model's time: ends of its first and last window, and between windows."""

    first: Millis
    last: Millis
    every: Millis | None = None


class History:
    """Series by place."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._series: OrderedDict[Place, Series] = OrderedDict()
        self._spans: dict[str, Span] = {}

    def add(self, one: Reading) -> None:
        """Take a reading in."""
        place = Place(
            model=one.model,
            version=one.version,
            segment=one.segment,
            signal=one.signal,
            detector=one.detector,
        )
        with self._lock:
            series = self._series.get(place)
            if series is None:
                series = self._series[place] = Series(level=one.signal.startswith(LEVELS))
                if len(self._series) > SERIES:
                    self._series.popitem(last=False)
            self._series.move_to_end(place)
            self._know(one.model, series.add(one))

    def span(self, model: str) -> Span | None:
        """The time that is known of a model; None: nothing was read of it."""
        return self._spans.get(model)

    def points(
        self, wanted: Wanted, start: Millis, end: Millis, most: int
    ) -> Iterator[tuple[Place, Points]]:
        """The points of the series asked for, at most `most` of each, by place."""
        for place, series in self._find(wanted):
            with self._lock:
                points = series.between(start, end, most)
            yield place, points

    def ratios(
        self, wanted: Wanted, edges: NDArray[np.int64]
    ) -> Iterator[tuple[Place, NDArray[np.int16]]]:
        """How near each series came to its threshold (`Series.ratios`), by place."""
        for place, series in self._find(wanted):
            with self._lock:
                shares = series.ratios(edges)
            yield place, shares

    def count(self, wanted: Wanted) -> int:
        """How many series are asked for."""
        return len(self._find(wanted))

    def _find(self, wanted: Wanted) -> list[tuple[Place, Series]]:
        with self._lock:
            found = [pair for pair in self._series.items() if wanted.takes(pair[0])]
        return sorted(found, key=lambda pair: msgspec.structs.astuple(pair[0]))

    def _know(self, model: str, at: Millis) -> None:
        span = self._spans.get(model)
        if span is None:
            if len(self._spans) < SERIES:
                self._spans[model] = Span(first=at, last=at)
            return
        if at > span.last:
            gap = at - span.last
            span.every = gap if span.every is None else min(span.every, gap)
            span.last = at
        span.first = min(span.first, at)
