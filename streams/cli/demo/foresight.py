"""Foresight: the accuracy that was estimated before any label, beside what labels then said.

Promises: pairs are of the same predictions: an estimate of rows, and the realised accuracy of
those of them that got a label; which is which is the product's own readings, not ours.
Leaves to others: estimating and checking (`monitor`).
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from schemas.instants import parse
from schemas.log import Millis
from schemas.outputs import Reading

ROWS: Final = 20_000
"""Rows that an average is shown of."""

_MARKS: Final = (b'"estimate:accuracy"', b'"metric:accuracy/estimate"', b'"metric:accuracy/cohort"')
"""What the readings of interest hold; the others are not even decoded."""

_reading: Final = msgspec.json.Decoder(Reading)


class Foreseen(NamedTuple):
    """Rows [first, last): accuracy estimated and realised, and how many labels that rests on."""

    first: int
    last: int
    estimated: float
    realised: float
    labels: int


class Fall(NamedTuple):
    """When an estimate was lowest in an incident, and what the same rows turned out to be."""

    row: int
    estimated: float
    realised: float | None
    baseline: float | None


class Foresight:
    """What the readings of one run say of accuracy."""

    def __init__(self, row_of: Callable[[Millis], int]) -> None:
        """`row_of` gives the row that comes at an instant."""
        self._row_of = row_of
        self._cohorts: dict[int, Foreseen] = {}
        self._labels: dict[int, int] = {}
        self._estimates: dict[int, tuple[float, float | None]] = {}

    def take(self, value: bytes) -> None:
        """Take a reading in."""
        if not any(mark in value for mark in _MARKS):
            return
        said = _reading.decode(value)
        first, last = (
            self._row_of(parse(at)) for at in (said.current.window.start, said.current.window.end)
        )
        effect = said.effect
        if said.segment != "*" or effect.current is None:
            return
        if said.detector == "estimate":
            self._estimates[last] = effect.current, effect.baseline
        elif said.detector == "cohort":
            self._labels[first] = said.current.rows
        elif effect.baseline is not None:
            labels = self._labels.get(first, 0)
            self._cohorts[first] = Foreseen(first, last, effect.baseline, effect.current, labels)

    def averages(self) -> list[Foreseen]:
        """Means over stretches of rows, weighted by their labels."""
        return [
            found
            for start in range(
                0, max((one.last for one in self._cohorts.values()), default=0), ROWS
            )
            if (found := self._mean(start, start + ROWS)) is not None
        ]

    def lowest(self, opened: int, ended: int | None) -> Fall | None:
        """The lowest estimate between two rows, beside the rows it was made of."""
        inside = {r: e for r, e in self._estimates.items() if opened <= r <= (ended or r)}
        if not inside:
            return None
        row = min(inside, key=lambda r: (inside[r][0], r))
        before = max((r for r in self._estimates if r < row), default=row - ROWS)
        realised = self._mean(before - (row - before), row)
        estimated, baseline = inside[row]
        return Fall(row, estimated, None if realised is None else realised.realised, baseline)

    def document(self) -> list[dict[str, Any]]:
        """The averages, for a document."""
        return [
            {
                "rows": [one.first, one.last],
                "estimated": round(one.estimated, 4),
                "realised": round(one.realised, 4),
                "labels": one.labels,
            }
            for one in self.averages()
        ]

    def _mean(self, start: int, end: int) -> Foreseen | None:
        """The mean of the cohorts that begin in rows [start, end)."""
        cohorts = [one for first, one in self._cohorts.items() if start <= first < end]
        labels = sum(one.labels for one in cohorts)
        if not labels:
            return None
        return Foreseen(
            min(one.first for one in cohorts),
            max(one.last for one in cohorts),
            sum(one.estimated * one.labels for one in cohorts) / labels,
            sum(one.realised * one.labels for one in cohorts) / labels,
            labels,
        )
