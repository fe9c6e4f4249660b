"""Bytes to typed records: a fast path for good batches, a slow one that saves what can be saved.

Promises: any bytes in, no exception out; a record is decoded or refused with one code of a fixed
vocabulary, and messages never quote the input. One unreadable feature becomes missing, the rest
of its record stands.
Leaves to others: columns and values' cells (`columns`), time and identity (`profiler`, `join`).
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import Annotated, Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from schemas.counting import Counting
from schemas.envelope import EnvelopeError, open_envelope
from schemas.frames import Frame, Framer
from schemas.grid import Grid
from schemas.inputs import Label, ModelEvent
from schemas.log import LogRecord
from schemas.rows import ALONE, Ints, Refusal
from schemas.tables import Table, TableError, is_columns, of_arrow, of_columns, read_arrow
from schemas.typed import EXACT, FEATURE_NAME, FastLabel, prediction_type
from schemas.vocabulary import TimestampUnit

MODEL_EVENT_TYPE: Final = "windage.model-event.v1"
_UNREADABLE: Final = (
    msgspec.DecodeError,
    UnicodeDecodeError,
    RecursionError,
    TypeError,
    ValueError,
)

T = TypeVar("T")

_HEADERS: Final = attrgetter("headers")


class Limits(NamedTuple):
    """What a record may be at most: bytes (of one event, of a batch), features a prediction.

    `timestamps` is how instants are written.
    """

    event_bytes: int
    features: int
    batch_bytes: int = 8 << 20
    timestamps: TimestampUnit = "auto"
    depth: int = 32

    @classmethod
    def of(cls, counting: Counting) -> "Limits":
        """The limits of one model."""
        one = counting
        return cls(one.event_bytes, one.features, one.batch_bytes, one.timestamps, one.depth)

    def weigh(self, record: LogRecord) -> None:
        """RefusedError if a record is too large, and certainly no batch if that would do."""
        value = record.value or b""
        if len(value) > self.event_bytes and (
            len(value) > self.batch_bytes or not (record.headers or b'"columns"' in value)
        ):
            raise RefusedError("too_large", "the record exceeds the size limit")


class Decoded(NamedTuple):
    """Records of one kind with their positions in the batch, and what was not of that kind."""

    events: list[Any]
    positions: Sequence[int] | Ints | None
    """The record of each event. None: every record of the batch, in order."""
    rows: Sequence[int] | Ints | None
    """The row of each event in its record's table. None: no record is a table."""
    refused: list[Refusal]
    controls: list[tuple[int, ModelEvent]]
    """Model events written into this log (end of stream), with their positions."""
    tombstones: int
    frame: Frame | None = None
    """The rows instead of `events`, where all records are plain tables."""


class RefusedError(Exception):
    """A record that is not ours to count, with its code; never leaves this room."""

    def __init__(self, code: str, message: str) -> None:
        """`code` and `message` are of the fixed vocabulary."""
        super().__init__(message)
        self.code = code


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
        self._tabular = kind is None or kind is Label
        own = {"label", "value"} & set(kind.__struct_fields__) if kind else {"prediction", "score"}
        self._measured = sorted(own)
        self._kind = kind or prediction_type(grid)
        self._limits = limits
        self._grid = grid
        self._numeric = {f.name: f.type == "numeric" for f in grid.features} if grid else {}
        self._extra: dict[str, None] = {}
        self._good: set[str] = set()
        """Names of features seen to be well formed (learning)."""
        self._grown = False
        fast = FastLabel if kind is Label else self._kind
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(fast).decode
        self._rows: Any = list[fast]  # type: ignore[valid-type] # made at run time
        self._framer = (
            Framer(grid, limits.timestamps, limits.features, limits.batch_bytes)
            if kind is Label or grid is not None
            else None
        )
        self._quicken()

    def _quicken(self) -> None:
        """Let the fast path know the names of features that were met and are not in the grid."""
        self._grown = False
        if self._predictions:
            kind = prediction_type(self._grid, tuple(self._extra), strict=True)
            self._decode = msgspec.json.Decoder(kind).decode
            self._rows = list[kind]  # type: ignore[valid-type] # made at run time
            if len(self._numeric) + len(self._extra) > self._limits.features:
                self._decode = _never

    def parts(self, records: Sequence[LogRecord]) -> Iterator[tuple[int, int, Decoded]]:
        """Decode a batch in order, tables apart from other records: (begin, stop, decoded)."""
        swift = self._swift(records)
        if swift is not None:
            yield 0, len(records), swift
            return
        begin = end = 0
        for own, framed in self._framer.runs(records) if self._framer else [(records, None)]:
            if framed is not None:
                if end > begin:
                    yield begin, end, self._one_by_one(records[begin:end])
                begin = end + len(own)
                at = framed.records, framed.rows
                yield end, begin, Decoded([], *at, [], [], 0, framed.frame)
            end += len(own)  # runs that are no tables are decoded together
        if end > begin:
            yield begin, end, self._one_by_one(records[begin:end])

    def batch(self, records: Sequence[LogRecord]) -> Decoded:
        """Decode a batch in order, each row to an event."""
        swift = self._swift(records)
        return self._one_by_one(records) if swift is None else swift

    def _swift(self, records: Sequence[LogRecord]) -> Decoded | None:
        """A batch of plain events; None if any record is not one."""
        decode = self._decode
        limit = self._limits.event_bytes
        try:
            values = [record.value for record in records]
            if max(map(len, values), default=0) <= limit and not any(map(_HEADERS, records)):  # type: ignore[arg-type]
                events = list(map(decode, values))  # type: ignore[arg-type]
                if not self._predictions or self._grid or all(map(self._named, events)):
                    return Decoded(events, None, None, [], [], 0)
        except _UNREADABLE:
            pass
        return None

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

    def _one_by_one(self, records: Sequence[LogRecord]) -> Decoded:
        out = Decoded([], None, None, [], [], 0)
        positions, rows = list[int](), list[int]()
        tombstones = 0
        for position, record in enumerate(records):
            if record.value is None:
                tombstones += 1
                continue
            event = self._plain(record)
            if event is not None:
                out.events.append(event)
                positions.append(position)
                rows.append(ALONE)
                continue
            for row, event in self._all(record):
                if isinstance(event, RefusedError):
                    out.refused.append(Refusal(position, event.code, str(event), row))
                elif isinstance(event, ModelEvent) and self._kind is not ModelEvent:
                    out.controls.append((position, event))
                else:
                    out.events.append(event)
                    positions.append(position)
                    rows.append(row)
        if self._grown:
            self._quicken()
        several = rows if any(row != ALONE for row in rows) else None
        return out._replace(positions=positions, rows=several, tombstones=tombstones)

    def _plain(self, record: LogRecord) -> Any:  # noqa: ANN401 - a struct made at run time
        """The event of a record that needs no second look, else None."""
        value = record.value
        if record.headers or value is None or len(value) > self._limits.event_bytes:
            return None
        try:
            event = self._decode(value)
        except _UNREADABLE:
            return None
        return event if not self._predictions or self._grid or self._named(event) else None

    def _all(self, record: LogRecord) -> Iterator[tuple[int, Any]]:
        """What a record holds: its one event (row ALONE), or the rows of its table."""
        try:
            self._limits.weigh(record)
            found = self._opened(record)
        except RefusedError as refused:
            yield ALONE, refused
            return
        if not isinstance(found, Table):
            yield ALONE, found
            return
        trees = list(found)
        events = self._sound_rows(trees) if found.finite else None
        if events is not None:
            yield from enumerate(events)
            return
        for number, tree in enumerate(trees):
            try:
                yield number, self._event(tree)
            except RefusedError as refused:
                yield number, refused

    def _sound_rows(self, trees: list[dict[str, Any]]) -> list[Any] | None:
        """All rows of a table at once where none needs a second look, as on the fast path."""
        if (self._predictions and self._grid is None) or self._decode is _never:
            return None
        try:
            events: list[Any] = msgspec.convert(trees, self._rows)
        except _UNREADABLE:
            return None
        return events

    def _opened(self, record: LogRecord) -> Any:  # noqa: ANN401 - a struct made at run time
        """The slow path: a record unwrapped, as an event or a table; RefusedError if it is none."""
        try:
            envelope = open_envelope(record.headers, record.value or b"")
            if envelope.media == "arrow" and not self._tabular:
                raise RefusedError("schema", "this log takes single events, no batches")
            if envelope.media == "arrow":
                return of_arrow(envelope.content, self._limits.timestamps, self._limits.batch_bytes)
            tree = _parse(envelope.content, self._limits.depth)
            if self._tabular and is_columns(tree):
                return of_columns(tree)
        except EnvelopeError as error:
            raise RefusedError("malformed", "the envelope cannot be read") from error
        except TableError as error:
            raise RefusedError(error.code, str(error)) from error
        if len(record.value or b"") > self._limits.event_bytes:
            raise RefusedError("too_large", "the record exceeds the size limit")
        if envelope.type == MODEL_EVENT_TYPE and self._kind is not ModelEvent:
            return _convert(tree, ModelEvent)
        return self._event(tree)

    def _event(self, tree: dict[str, Any]) -> Any:  # noqa: ANN401 - a struct made at run time
        """An event with its features repaired; RefusedError if it cannot be."""
        if "features" in tree and self._predictions:
            tree["features"] = self._repaired(tree["features"])
        if isinstance(tree.get("tags"), dict):
            tree["tags"] = {k: v for k, v in tree["tags"].items() if isinstance(v, str)}
        for name in self._measured:
            number = tree.get(name)
            if isinstance(number, float) and not math.isfinite(number):
                raise RefusedError("non_finite", f"{name} is not a finite number")
            if isinstance(number, int) and abs(number) > EXACT:
                raise RefusedError("non_finite", f"{name} is beyond 2**53")
        return _convert(tree, self._kind)

    def _repaired(self, features: object) -> dict[str, object]:
        """Features with each unreadable value missing; RefusedError if they are no features."""
        if not isinstance(features, dict):
            raise RefusedError("schema", "features must be an object")
        if len(features) > self._limits.features:
            raise RefusedError("schema", "too many features")
        if not all(FEATURE_NAME.fullmatch(name) for name in features):
            raise RefusedError("schema", "a feature's name is not allowed")
        if self._grid is None:
            return {name: _sound(value, numeric=None) for name, value in features.items()}
        known = self._numeric
        new = features.keys() - known.keys() - self._extra.keys()
        if new and len(known) + len(self._extra) + len(new) <= self._limits.features:
            self._extra.update(dict.fromkeys(sorted(new)))
            self._grown = True
        kept = known.keys() & features.keys()
        return {name: _sound(features[name], numeric=known[name]) for name in kept}


def _never(_: bytes) -> Any:  # noqa: ANN401 - returns nothing
    raise ValueError("more names than a record may have: each record is looked at")


def _sound(value: object, *, numeric: bool | None) -> object:
    """A feature's value if it can be counted, else None. `numeric` None: not known yet."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > EXACT:
        return None
    if numeric:
        return None if isinstance(value, bool) or not isinstance(value, int | float) else value
    return value if isinstance(value, str | int | float | bool) else None


class _Routing(msgspec.Struct):
    model: str
    specversion: Annotated[int, Meta(gt=1, lt=0)] = 0


_routing: Final = msgspec.json.Decoder(_Routing)


def model_of(record: LogRecord, limits: Limits) -> str:
    """The model a record names; RefusedError if it names none."""
    limits.weigh(record)
    if not record.headers:
        try:
            return _routing.decode(record.value or b"").model
        except _UNREADABLE:
            pass
    try:
        envelope = open_envelope(record.headers, record.value or b"")
        if envelope.media == "arrow":
            names = read_arrow(envelope.content, limits.batch_bytes)
            name = names["model"][0].as_py() if "model" in names.column_names and len(names) else ""
        else:
            name = _parse(envelope.content, limits.depth).get("model")
    except EnvelopeError as error:
        raise RefusedError("malformed", "the envelope cannot be read") from error
    except TableError as error:
        raise RefusedError(error.code, str(error)) from error
    if not isinstance(name, str):
        raise RefusedError("schema", "required field model is missing")
    return name


def _parse(content: bytes, depth: int) -> dict[str, Any]:
    """The object in `content`; NaN and Infinity are let in here, to be judged by their place."""
    try:
        tree = json.loads(content.decode("utf-8"))
        if b"\\u" in content:  # lone surrogates end here
            json.dumps(tree, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise RefusedError("malformed", "not a JSON text in UTF-8") from error
    if not isinstance(tree, dict):
        raise RefusedError("schema", "not a JSON object")
    if content.count(b"[") + content.count(b"{") > depth and _is_deeper(tree, depth):
        raise RefusedError("malformed", "nested too deeply")
    return tree


def _is_deeper(tree: dict[str, Any], depth: int) -> bool:
    """Whether objects and lists stand in one another more than `depth` deep."""
    level: list[Any] = [tree]
    for _ in range(depth):
        inside = chain.from_iterable(one.values() if type(one) is dict else one for one in level)
        level = [one for one in inside if isinstance(one, dict | list)]
    return bool(level)


def _convert(tree: dict[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(tree, kind)
    except (msgspec.ValidationError, RecursionError, ValueError, OverflowError) as error:
        raise RefusedError("schema", _schema_message(error)) from error


def _schema_message(error: Exception) -> str:
    """Where the record departs from the schema, without the input's own words."""
    text = str(error)
    where = text.rpartition(" - at `")[2].rstrip("`") if " - at `" in text else "$"
    missing = re.fullmatch(r"Object missing required field `([a-z_]+)`.*", text)
    if missing:
        return f"required field {missing[1]} is missing"
    place = where if re.fullmatch(r"\$[.a-z_\[\]0-9]*", where) else "$"
    return f"wrong type at {place}"
