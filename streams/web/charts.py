"""What is drawn: series in columns, the heat strip, marks on the time line.

Promises: answers are bounded (`CELLS`), whatever is asked for; instants in columns are epoch
milliseconds, elsewhere RFC 3339; what could not be measured is null.
Leaves to others: what there is (`history`, `said`), drawing (the page).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, Protocol, TypeVar

import msgspec
import numpy as np

from schemas.grid import WHOLE
from schemas.instants import parse, rfc3339
from schemas.log import Millis
from schemas.outputs import DriftEvent
from streams.web.board import Board, Shape
from streams.web.history import History, Place, Wanted
from streams.web.said import Mark, Said
from streams.web.series import NOTHING, STATES, Points

CELLS: Final = 100_000
"""Points of one answer at most."""

SERIES: Final = 400
POINTS: Final = 400
LARGEST: Final = 2_000
COLUMNS: Final = 120
PANES: Final = 240
"""Of models with long panes so many are shown, though they be more than `DAYS`."""

DAYS: Final[Millis] = 30 * 86_400_000
HOUR: Final[Millis] = 3_600_000
"""How long a window is taken to be of which there was only one."""

MARKS: Final = 1_000
SHAPES: Final = 100

_Kept = TypeVar("_Kept")

_FIELDS: Final = ("model", "version", "segment", "signal", "detector")


class QueryError(ValueError):
    """What is wrong with a question, for who asked."""


class Query(Protocol):
    """A query string."""

    def get(self, key: str, default: str) -> str:
        """The first value of a field."""

    def getall(self, key: str, default: Sequence[str]) -> Sequence[str]:
        """All values of a field."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One series; all lists are of one length. `state` counts in `states`."""

    version: str
    segment: str
    signal: str
    detector: str
    at: list[int]
    statistic: list[float | None]
    threshold: list[float | None]
    value: list[float | None]
    psi: list[float | None]
    low: list[float | None]
    high: list[float | None]
    rows: list[int]
    state: list[int]
    breach: list[bool]


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """Series between two instants; `left_out`: series beyond the limit."""

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    complete: bool
    states: tuple[str, ...]
    series: list[Column]
    left_out: int


class Strip(msgspec.Struct, frozen=True, kw_only=True):
    """Signals by time: how near to its threshold each came, in per cent, in each stretch.

    -2: nothing was read; -1: too little to judge; from 100 on it was a breach.
    """

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    complete: bool
    edges: list[int]
    signals: list[str]
    shares: list[list[int]]


class Shapes(msgspec.Struct, frozen=True, kw_only=True):
    """Drift events, and readings as they were written; each with histograms, the newest first."""

    events: list[DriftEvent]
    readings: list[msgspec.Raw]


def history(board: Board, query: Query) -> Drawn:
    """`/v1/history`: fields of `_FIELDS` as patterns, `from`, `to`, `points`; QueryError."""
    wanted = _wanted(query)
    start, end = span(board.history, query)
    count = board.history.count(wanted)
    shown = min(count, SERIES)
    most = min(_number(query, "points", POINTS, LARGEST), CELLS // max(1, shown))
    found: list[Column] = []
    for place, points in board.history.points(wanted, start, end, most):
        if len(found) == shown:
            break
        found.append(_column(place, points))
    return Drawn(
        start=rfc3339(start),
        end=rfc3339(end),
        complete=board.complete,
        states=STATES,
        series=found,
        left_out=count - len(found),
    )


def heat(board: Board, query: Query) -> Strip:
    """`/v1/heat`: detectors that have a threshold, of the whole or of one `segment`; QueryError."""
    wanted = _wanted(query)
    if not wanted.segment:
        wanted = msgspec.structs.replace(wanted, segment=(WHOLE,))
    start, end = span(board.history, query)
    known = board.history.span(query.get("model", ""))
    panes = COLUMNS if known is None or not known.every else (end - start) // known.every
    columns = _number(query, "columns", max(1, min(COLUMNS, panes)), LARGEST)
    edges = np.linspace(start, end, columns + 1).astype(np.int64)
    rows: dict[str, Any] = {}
    for place, shares in board.history.ratios(wanted, edges):
        if place.signal.startswith(("metric:", "label:", "estimate:")):
            continue  # their threshold is what they were in the reference
        if place.signal in rows:
            rows[place.signal] = np.maximum(rows[place.signal], shares)
        elif len(rows) < min(SERIES, CELLS // columns):
            rows[place.signal] = shares
    kept = {name: row for name, row in rows.items() if (row > NOTHING).any()}
    return Strip(
        start=rfc3339(start),
        end=rfc3339(end),
        complete=board.complete,
        edges=edges.tolist(),
        signals=list(kept),
        shares=[row.tolist() for row in kept.values()],
    )


def marks(board: Board, said: Said, query: Query) -> list[Mark]:
    """`/v1/marks`: what was said of `model`, and what was asked for, by time; QueryError."""
    model = query.get("model", "") or None
    start, end = span(board.history, query)
    found = said.marks(model, start, end)
    for one in list(board.retrain_requests):
        if model in (None, one.model) and start <= parse(one.requested_at) <= end:
            found.append(
                Mark(
                    at=one.requested_at,
                    model=one.model,
                    type="retrain_requested",
                    version=one.version,
                    note=one.reason,
                    request_id=one.request_id,
                    incident_id=next(iter(one.incident_ids), None),
                )
            )
    for at, asked in list(board.rollback_requests):
        if model in (None, asked.model) and start <= at <= end:
            found.append(
                Mark(
                    at=rfc3339(at),
                    model=asked.model,
                    type="rollback_requested",
                    version=asked.version,
                    note=asked.reason,
                    request_id=asked.request_id,
                )
            )
    return sorted(found, key=lambda mark: parse(mark.at))[-MARKS:]


def shapes(board: Board, query: Query) -> Shapes:
    """`/v1/shape`: what the newest histograms of each signal asked for came with; QueryError."""
    wanted = _wanted(query)
    events: list[DriftEvent] = []
    for offset in _newest(board.shapes, wanted):
        event = board.drift_event(offset) if len(events) < SHAPES else None
        if event is not None:
            events.append(event)
    found = islice(_newest(board.portraits, wanted), SHAPES)
    return Shapes(events=events, readings=[msgspec.Raw(value) for value in found])


def _newest(kept: Mapping[Shape, _Kept], wanted: Wanted) -> Iterator[_Kept]:
    """What is kept of the signals asked for, the newest first."""
    for (model, version, segment, signal), one in reversed(list(kept.items())):
        place = Place(model=model, version=version, segment=segment, signal=signal, detector="")
        if wanted.takes(place):
            yield one


def span(history: History, query: Query) -> tuple[Millis, Millis]:
    """From when to when: as asked for, else the last 30 days (or `PANES` long panes) of the model.

    A model's time ends where it was judged last, so that recordings show too. QueryError.
    """
    known = history.span(query.get("model", ""))
    end = _instant(query, "to")
    if end is None:
        end = 0 if known is None else known.last
    start = _instant(query, "from")
    if start is None:
        every = HOUR if known is None or known.every is None else known.every
        start = end - max(DAYS, PANES * every)
        if known is not None:
            start = max(start, min(end, known.first - every))
    if start > end:
        raise QueryError("from: is after to")
    return start, end


def _wanted(query: Query) -> Wanted:
    fields: Mapping[str, tuple[str, ...]] = {
        name: tuple(query.getall(name, ())) for name in _FIELDS
    }
    return Wanted(**fields)


def _column(place: Place, points: Points) -> Column:
    return Column(
        version=place.version,
        segment=place.segment,
        signal=place.signal,
        detector=place.detector,
        at=points["at"].tolist(),
        rows=points["rows"].tolist(),
        state=points["state"].tolist(),
        breach=points["breach"].tolist(),
        statistic=_nullable(points["statistic"].tolist()),
        threshold=_nullable(points["threshold"].tolist()),
        value=_nullable(points["value"].tolist()),
        psi=_nullable(points["psi"].tolist()),
        low=_nullable(points["low"].tolist()),
        high=_nullable(points["high"].tolist()),
    )


def _nullable(values: list[float]) -> list[float | None]:
    """JSON knows no NaN; seven digits are more than a picture shows, and a third of the bytes."""
    return [None if math.isnan(one) else float(f"{one:.7g}") for one in values]


def _instant(query: Query, name: str) -> Millis | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise QueryError(f"{name}: {error}") from None


def _number(query: Query, name: str, otherwise: int, most: int) -> int:
    text = query.get(name, "")
    if not text:
        return otherwise
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise QueryError(f"{name}: must be a number from 1 to {most}")
    return min(int(text), most)
