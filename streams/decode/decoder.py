"""The decoder: a batch of records to typed rows, those that need a second look among them.

Promises: records that are plain cost one call of the typed decoder each, whatever is beside them;
rows, refusals and controls come in the order of the records.
Leaves to others: what a record that is not plain means (`second_look`), tables (`schemas/frames`).
"""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from schemas.frames import Frame, Framer
from schemas.grid import Grid
from schemas.inputs import Label, ModelEvent
from schemas.log import LogRecord
from schemas.refused import NOBODY, Refused, of_refusals, together
from schemas.rows import ALONE, Ints, Refusal
from schemas.typed import FEATURE_NAME, LabelTypes, label_types, prediction_type
from streams.decode.glance import proven
from streams.decode.limits import Limits, RefusedError
from streams.decode.plain import Failures, Found, Plain
from streams.decode.second_look import SecondLook

_HEADERS: Final = attrgetter("headers")
_COLUMNS: Final = b'"columns"'


class Decoded(NamedTuple):
    """Records of one kind with their positions in the batch, and what was not of that kind."""

    events: list[Any]
    positions: Sequence[int] | Ints | None
    """The record of each event. None: every record of the batch, in order."""
    rows: Sequence[int] | Ints | None
    """The row of each event in its record's table. None: no record is a table."""
    refused: Refused
    controls: list[tuple[int, ModelEvent]]
    """Model events written into this log (end of stream), with their positions."""
    tombstones: int
    frame: Frame | None = None
    """The rows instead of `events`, where all records are plain tables."""


class Decoder:
    """Decodes one kind of record: predictions of a grid or of a model that learns, or another."""

    def __init__(
        self,
        kind: type[msgspec.Struct] | None,
        limits: Limits,
        grid: Grid | None = None,
    ) -> None:
        """`kind` None: predictions, whose features `grid` knows."""
        self._predictions = kind is None
        self._kind = kind
        self._limits = limits
        self._grid = grid
        self._good: set[str] = set()
        """Names of features seen to be well formed (learning)."""
        self._look = SecondLook(kind, limits, grid)
        types = self._types()
        fast = types.fast
        self._plain = Plain(limits.depth)
        self._plain.use(msgspec.json.Decoder(fast).decode, types.loose)
        self._rows: Any = list[fast] if grid or kind else None  # type: ignore[valid-type] # made at run time
        self._framer = (
            Framer(grid, limits.timestamps, limits.features, limits.batch_bytes)
            if (kind is Label and not limits.ranked) or grid is not None
            else None
        )
        self._quicken()

    def _types(self) -> LabelTypes:
        """The structs of the one kind of record."""
        if self._kind is Label:
            return label_types(ranked=self._limits.ranked)
        plain = self._kind or prediction_type(self._grid, task=self._limits.task)
        return LabelTypes(plain, None, plain)

    def _quicken(self) -> None:
        """Let the fast path know the names of features that were met and are not in the grid."""
        self._look.grown = False
        if self._predictions:
            met = self._grid, tuple(self._look.extra)
            task = self._limits.task
            kind, loose = prediction_type(*met, task=task, strict=True), None
            if self._grid:  # names of features to learn from are judged before anything else is
                loose = prediction_type(*met, task=task, strict=True, loose=True)
            self._plain.use(msgspec.json.Decoder(kind).decode, loose)
            self._rows = list[kind] if self._grid else None  # type: ignore[valid-type] # as above
            if self._look.crowded:
                self._plain.use(_never, None)
                self._rows = None

    def parts(self, records: Sequence[LogRecord]) -> Iterator[tuple[int, int, Decoded]]:
        """Decode a batch in order, tables apart from other records: (begin, stop, decoded)."""
        swift = self._swift(records)
        if swift is not None:
            yield 0, len(records), swift
            return
        if self._framer is None or not any(map(_may_be_table, records)):
            yield 0, len(records), self._mixed(records)
            return
        begin = end = 0
        for own, framed in self._framer.runs(records):
            if framed is not None:
                if end > begin:
                    yield begin, end, self._mixed(records[begin:end])
                begin = end + len(own)
                at = framed.records, framed.rows
                yield end, begin, Decoded([], *at, NOBODY, [], 0, framed.frame)
            end += len(own)  # runs that are no tables are decoded together
        if end > begin:
            yield begin, end, self._mixed(records[begin:end])

    def batch(self, records: Sequence[LogRecord]) -> Decoded:
        """Decode a batch in order, each row to an event."""
        swift = self._swift(records)
        return self._mixed(records) if swift is None else swift

    def _swift(self, records: Sequence[LogRecord]) -> Decoded | None:
        """A batch without headers, tombstones and tables; None if it is not."""
        values = [record.value for record in records]
        if any(map(_HEADERS, records)) or None in values:
            return None
        if max(map(len, values), default=0) > self._limits.event_bytes:  # type: ignore[arg-type] # seen
            return None
        found = self._plain.decoded(values, tables=False)  # type: ignore[arg-type] # seen
        return None if found is None else self._settled(records, None, found)

    def _mixed(self, records: Sequence[LogRecord]) -> Decoded:
        """Any batch: the plain records in it are decoded together all the same."""
        most = self._limits.event_bytes
        plain = [
            i
            for i, record in enumerate(records)
            if not record.headers and record.value is not None and len(record.value) <= most
        ]
        values = [records[i].value for i in plain]
        found = self._plain.decoded(values, tables=True)  # type: ignore[arg-type] # seen
        assert found is not None
        return self._settled(records, plain, found)

    def _settled(
        self, records: Sequence[LogRecord], plain: list[int] | None, found: Found
    ) -> Decoded:
        """All of a batch, whose records at `plain` (None: all) were decoded as `found` says."""
        events, places, failed, refused = found
        if plain is not None and len(plain) < len(records):
            at = np.array(plain, np.int64)
            places = at if places is None else at[places]
            failed = [(int(at[i]), words) for i, words in failed]
            refused = refused._replace(positions=at[refused.positions])
        if self._predictions and not self._grid:
            events, places, strange = self._well_named(events, places)
            failed = failed + strange
        if len(events) == len(records):
            return Decoded(events, None, None, refused, [], 0)
        assert places is not None
        met = np.zeros(len(records), np.bool_)
        met[places] = True
        met[refused.positions] = True
        words = dict(failed)
        again = [(i, words.get(i, "")) for i in np.flatnonzero(~met).tolist()]
        return self._looked_at(records, again, events, places, refused)

    def _well_named(
        self, events: list[Any], places: Ints | None
    ) -> tuple[list[Any], Ints | None, Failures]:
        """The predictions to learn from whose features are few and well named, and the others."""
        named = list(map(self._named, events))
        if all(named):
            return events, places, []
        at = np.arange(len(events)) if places is None else places
        kept = np.array(named, np.bool_)
        strange = [(i, "") for i in at[~kept].tolist()]
        return [event for event, good in zip(events, named, strict=True) if good], at[kept], strange

    def _named(self, event: Any) -> bool:  # noqa: ANN401 - a struct made at run time
        """Whether the features of a prediction to learn from are few and well named."""
        names: Any = event.features.keys()
        if len(names) > self._limits.features:
            return False
        if not names <= self._good:
            if not all(map(FEATURE_NAME.fullmatch, names)):
                return False
            if len(self._good) < 2 * self._limits.features:
                self._good.update(names)
        return True

    def _looked_at(
        self,
        records: Sequence[LogRecord],
        again: Failures,
        events: list[Any],
        places: Ints,
        refused: Refused,
    ) -> Decoded:
        """The batch whose records `again` need a second look; `events` are those at `places`."""
        look = self._look
        more: list[Refusal] = []
        controls: list[tuple[int, ModelEvent]] = []
        saved: list[tuple[int, int, Any]] = []
        tombstones = 0
        for position, words in again:
            record = records[position]
            if record.value is None:
                tombstones += 1
                continue
            reason = proven(record.value, words, look) if words else None
            if reason is not None:
                more.append(Refusal(position, *reason))
                continue
            for row, event in look.rows(record, self._rows):
                if isinstance(event, RefusedError):
                    more.append(Refusal(position, event.code, str(event), row))
                elif isinstance(event, ModelEvent) and self._kind is not ModelEvent:
                    controls.append((position, event))
                else:
                    saved.append((position, row, event))
        if look.grown:
            self._quicken()
        if more:
            refused = together([refused, of_refusals(more)])
            refused = refused.only(np.argsort(refused.positions, kind="stable"))
        if not saved:
            return Decoded(events, places, None, refused, controls, tombstones)
        rows = np.array([ALONE] * len(events) + [row for _, row, _ in saved], np.int64)
        places = np.concatenate([places, [position for position, _, _ in saved]])
        order = np.argsort(places, kind="stable")
        events = [*events, *(event for _, _, event in saved)]
        events = [events[i] for i in order.tolist()]
        several = rows[order].tolist() if bool((rows != ALONE).any()) else None
        return Decoded(events, places[order], several, refused, controls, tombstones)


def _may_be_table(record: LogRecord) -> bool:
    """Whether a record has headers, or what may be the key of columns."""
    return bool(record.headers) or _COLUMNS in (record.value or b"")


def _never(_: bytes) -> Any:  # noqa: ANN401 - returns nothing
    raise ValueError("more names than a record may have: each record is looked at")
