"""Many events in few records: columns as JSON, or as an Arrow IPC stream.

Promises: all ids of one record belong to one partition (a record of columns has no key, so it is
sent to that partition by number); no record is larger than `RECORD_BYTES` unless a row is.
Leaves to others: where the columns come from (`columns`, `composing_many`), sending.
"""

import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any, Final, Literal, NamedTuple

from windage.columns import Column
from windage.identity import partition_of
from windage.values import encode

JSON: Final = "application/json"
ARROW: Final = "application/vnd.apache.arrow.stream"
Form = Literal["auto", "arrow", "columns", "rows"]

RECORD_BYTES: Final = 512 * 1024
"""Half of what a broker takes as it comes; what any record costs is shared by its rows."""
ROWS: Final = 5_000
"""Rows that wait together as one item."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_EXACT: Final = 2**53
_CELL_BYTES: Final = 12
"""A guess, for columns that are not encoded yet."""


class Table(NamedTuple):
    """Rows of one topic as columns: fields of the event, and those inside features and tags."""

    topic: str
    model: str
    version: str | None
    ids: list[str]
    fields: dict[str, Column]
    features: dict[str, Column]
    tags: dict[str, Column]

    def only(self, rows: Sequence[int]) -> "Table":
        """Some of the rows."""
        return self._replace(
            ids=[self.ids[i] for i in rows],
            fields=_only(self.fields, rows),
            features=_only(self.features, rows),
            tags=_only(self.tags, rows),
        )

    def events(self) -> Iterator[dict[str, Any]]:
        """The rows as single events; a cell that is None is left out of fields and tags."""
        nested = {"features": self.features, "tags": self.tags}
        for i in range(len(self.ids)):
            event: dict[str, Any] = {"model": self.model}
            if self.version is not None:
                event["version"] = self.version
            for name, column in self.fields.items():
                if column[i] is not None or name == "prediction":
                    event[name] = column[i]
            for name, columns in nested.items():
                if columns:
                    cells = {key: column[i] for key, column in columns.items()}
                    event[name] = (
                        cells if name == "features" else {k: v for k, v in cells.items() if v}
                    )
            yield event


class Batch:
    """A table that waits to be sent. `kind` is the content type of its records."""

    __slots__ = ("kind", "rows", "size", "table", "topic")

    def __init__(self, table: Table, kind: str) -> None:
        self.table = table
        self.topic = table.topic
        self.kind = kind
        self.rows = len(table.ids)
        width = len(table.fields) + len(table.features) + len(table.tags)
        self.size = sum(map(len, table.ids)) + self.rows * width * _CELL_BYTES
        """Bytes, about."""

    def parts(self, partitions: int | None = None) -> list[tuple[int | None, bytes]]:
        """Records, each with its partition; None: nobody asked for partitions."""
        groups: dict[int | None, list[int]] = {None: list(range(self.rows))}
        if partitions is not None:
            groups = {}
            for i, pid in enumerate(self.table.ids):
                groups.setdefault(partition_of(pid.encode(), partitions), []).append(i)
        return [
            (partition, value) for partition, rows in groups.items() for value in self._cut(rows)
        ]

    def _cut(self, rows: Sequence[int]) -> Iterator[bytes]:
        """Records of some of the rows, halved until they are small enough."""
        table = self.table if len(rows) == self.rows else self.table.only(rows)
        value = arrow(table) if self.kind == ARROW else columns(table)
        if len(value) <= RECORD_BYTES or len(rows) == 1:
            yield value
            return
        # Somewhat more pieces than by division: rows differ in size.
        step = max(1, len(rows) * RECORD_BYTES * 9 // (len(value) * 10))
        for at in range(0, len(rows), step):
            yield from self._cut(rows[at : at + step])


def columns(table: Table) -> bytes:
    """The batch form of the public contract in JSON."""
    inside: dict[str, Any] = dict(table.fields)
    if table.features:
        inside["features"] = table.features
    if table.tags:
        inside["tags"] = table.tags
    head = {"model": table.model, "version": table.version}
    return encode({**{k: v for k, v in head.items() if v is not None}, "columns": inside})


def arrow(table: Table) -> bytes:
    """The same table as an Arrow IPC stream: `model` and `version` are columns like all others."""
    import pyarrow as pa  # noqa: PLC0415 - an extra, and slow to import

    head = {"model": table.model, "version": table.version}
    arrays = {
        name: pa.array([text] * len(table.ids)) for name, text in head.items() if text is not None
    }
    for name, column in table.fields.items():
        instants = _epoch_ms(column) if name == "timestamp" else None
        typed = instants is not None
        arrays[name] = pa.array(instants, pa.timestamp("ms")) if typed else pa.array(column)
    for name, inside in (("features", table.features), ("tags", table.tags)):
        if inside:
            arrays[name] = pa.StructArray.from_arrays(
                [pa.array(column) for column in inside.values()], names=list(inside)
            )
    made = pa.table(arrays)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, made.schema) as writer:
        writer.write_table(made)
    return sink.getvalue()


def _epoch_ms(column: Column) -> Column | None:
    """RFC 3339 texts as epoch milliseconds; None where they are something else."""
    known: dict[str, int] = {}
    try:
        for text in set(column):
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                return None
            known[text] = (moment - _EPOCH) // _MILLISECOND
    except (TypeError, ValueError):
        return None
    return [known[text] for text in column]


def arrow_library() -> ModuleType | None:
    """pyarrow, if it is installed."""
    try:
        import pyarrow  # noqa: ICN001, PLC0415
    except ImportError:
        return None
    return pyarrow  # type: ignore[no-any-return]


def can_be_arrow(table: Table) -> bool:
    """Whether every column has one type, which Arrow needs and JSON does not."""
    every = [*table.fields.values(), *table.features.values(), *table.tags.values()]
    return all(_same(column) for column in every)


def _same(column: Column) -> bool:
    types = set(map(type, column)) - {type(None)}
    if types == {list}:  # of rankings; a type can be told where any has an item
        column = [item for cell in column if cell is not None for item in cell]
        types = set(map(type, column)) or {int, str}
    if types == {int} and any(abs(cell) > _EXACT for cell in column if cell is not None):
        return False
    return len(types) <= 1 or types == {int, float}


def _only(columns: dict[str, Column], rows: Sequence[int]) -> dict[str, Column]:
    return {name: [column[i] for i in rows] for name, column in columns.items()}
