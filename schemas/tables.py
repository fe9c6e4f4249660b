"""Tables: many events in one record, as columns of JSON or as an Arrow IPC stream.

Promises: a table is cut into rows that mean what the same events would mean if they were sent one
by one; whatever the bytes, the answer is a table or TableError, which never quotes them.
Leaves to others: whether a row is sound (`decode`), the envelope around the table (`envelope`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from math import isfinite
from typing import Any, Final

from schemas.expansion import compressed_size
from schemas.instants import rfc3339

MOST_ROWS: Final = 1 << 20
"""Rows of one table; a row is addressed by the offset of its record and its number."""

_NESTED: Final = ("features", "tags")
_OBJECTS: Final = "probabilities"
_LISTED: Final = ("prediction", "label")
"""Of rankings these are lists: of numbers, or of texts."""
_SAID: Final = "prediction"
"""The one field whose null is said, not left out: a request that has no answer."""

_REMEMBERED: Final = 32
_REMEMBERED_BYTES: Final = 16 << 10
"""Schemas of streams that are kept, and how long they may be: a producer's are all the same."""

_CONTINUES: Final = b"\xff\xff\xff\xff"
"""What stands before the length of a message (Arrow columnar format, encapsulated messages)."""

Row = dict[str, Any]


class TableError(Exception):
    """No table, or none that can be cut into rows: a dead letter (`code`)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Table:
    """Columns of equal length by field; `features` and `tags` are columns by name."""

    def __init__(self, fields: Mapping[str, Sequence[Any]], nested: Mapping[str, Any]) -> None:
        """TableError if the columns have not all the same length, at most MOST_ROWS."""
        self.fields, self.nested = fields, nested
        lengths = {len(column) for column in fields.values()}
        lengths |= {len(column) for columns in nested.values() for column in columns.values()}
        if len(lengths) != 1:
            raise TableError("schema", "the columns of a batch must have one length")
        self.rows = lengths.pop()
        if self.rows > MOST_ROWS:
            raise TableError("too_large", "the batch has too many rows")

    def __iter__(self) -> Iterator[Row]:
        """The rows as single events."""
        for i in range(self.rows):
            row: Row = {
                name: column[i]
                for name, column in self.fields.items()
                if column[i] is not None or name == _SAID
            }
            for name, columns in self.nested.items():
                row[name] = {key: column[i] for key, column in columns.items()}
            if "tags" in row:
                row["tags"] = {key: tag for key, tag in row["tags"].items() if tag is not None}
            yield row

    @property
    def finite(self) -> bool:
        """Whether no number in it is NaN or infinite."""
        inside = (column for columns in self.nested.values() for column in columns.values())
        return all(
            isfinite(cell)
            for column in (*self.fields.values(), *inside)
            if float in set(map(type, column))
            for cell in column
            if type(cell) is float
        )


def is_columns(tree: Mapping[str, Any]) -> bool:
    """Whether a JSON object is the batch form and no single event."""
    return "columns" in tree and "prediction_id" not in tree


def of_columns(tree: Mapping[str, Any]) -> Table:
    """The table of a JSON object in the batch form."""
    columns = tree["columns"]
    if not isinstance(columns, dict):
        raise TableError("schema", "columns must be an object")
    nested = {name: columns[name] for name in _NESTED if columns.get(name) is not None}
    fields = {name: column for name, column in columns.items() if name not in _NESTED}
    if not all(isinstance(one, dict) for one in nested.values()):
        raise TableError("schema", "columns of features and tags must be objects")
    every = [*fields.values(), *(column for one in nested.values() for column in one.values())]
    if not all(isinstance(column, list) for column in every):
        raise TableError("schema", "a column must be a list")
    if not every:
        raise TableError("schema", "columns must name at least one column")
    rows = len(every[0])
    for name in ("model", "version"):
        if tree.get(name) is not None:
            fields[name] = [tree[name]] * rows
    return Table(fields, nested)


def of_arrow(content: bytes, timestamps: str, most: int) -> Table:
    """The table of an Arrow IPC stream; typed instants are written as `timestamps` declares."""
    table = read_arrow(content, most)
    fields: dict[str, Sequence[Any]] = {}
    nested: dict[str, dict[str, Sequence[Any]]] = {}
    try:
        for name, column in zip(table.column_names, table.columns, strict=True):
            if name in _NESTED:
                nested[name] = _inside(column)
            elif str(column.type).startswith("timestamp"):
                fields[name] = _instants(column, timestamps)
            elif name == _OBJECTS and str(column.type).startswith("struct"):
                fields[name] = _objects(column)
            elif name in _LISTED and _is_plain_list(column.type):
                fields[name] = column.to_pylist()
            elif column.type.num_fields:
                # Of no field's type, and maybe huge.
                fields[name] = [{} if name in _LISTED else []] * table.num_rows
            else:
                fields[name] = column.to_pylist()
    except (ValueError, TypeError, KeyError, OverflowError, ArithmeticError, OSError) as error:
        raise TableError("schema", "a column of the batch cannot be read") from error
    return Table(fields, nested)


def read_arrow(content: bytes, most: int) -> Any:  # noqa: ANN401 - pyarrow has no types
    """The Arrow table of an IPC stream, validated; TableError if it is none.

    It is refused, before it is unpacked, if its buffers would have more than `most` bytes.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        message = "Arrow batches need pyarrow here (the extra windage[arrow])"
        raise TableError("malformed", message) from error
    try:
        messages = list(pa.ipc.MessageReader.open_stream(content))
        unpacked = sum(
            compressed_size(one.metadata.to_pybytes(), memoryview(one.body or b""))
            for one in messages[1:]
        )
        if unpacked > most:
            raise TableError("too_large", "the batch exceeds the size limit when it is unpacked")
        kinds = [one.type for one in messages]
        # A header of another type is not read as a schema: pyarrow does not look, and crashes.
        if kinds[:1] == ["schema"] and set(kinds[1:]) == {"record batch"}:
            schema = _schema(messages[0])
            batches = [pa.ipc.read_record_batch(one, schema) for one in messages[1:]]
            table = pa.Table.from_batches(batches, schema)
        else:
            table = pa.ipc.open_stream(content).read_all()
        table.validate(full=True)
    except (pa.ArrowException, ValueError, OSError, TypeError, MemoryError) as error:
        raise TableError("malformed", "not an Arrow IPC stream") from error
    if len(set(table.column_names)) != table.num_columns or not table.num_columns:
        raise TableError("schema", "the columns of a batch must have names of their own")
    if table.num_rows > MOST_ROWS:
        raise TableError("too_large", "the batch has too many rows")
    return table


def _schema(message: Any) -> Any:  # noqa: ANN401 - as above
    """The schema of a message of this type."""
    if message.metadata.size > _REMEMBERED_BYTES:
        import pyarrow as pa  # noqa: PLC0415 - as above

        return pa.ipc.read_schema(message)
    return _known_schema(message.metadata.to_pybytes())


@lru_cache(maxsize=_REMEMBERED)
def _known_schema(metadata: bytes) -> Any:  # noqa: ANN401 - as above
    import pyarrow as pa  # noqa: PLC0415 - as above

    head = _CONTINUES + len(metadata).to_bytes(4, "little")
    return pa.ipc.read_schema(pa.py_buffer(head + metadata))


def _is_plain_list(kind: Any) -> bool:  # noqa: ANN401 - as above
    """Whether an Arrow type is lists whose items lie in buffers of their own, at least a byte each.

    Views, runs and nulls may stand for far more items than there are bytes.
    """
    import pyarrow as pa  # noqa: PLC0415 - as above

    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return False
    inside = kind.value_type
    texts = pa.types.is_string(inside) or pa.types.is_large_string(inside)
    return bool(texts or pa.types.is_integer(inside) or pa.types.is_floating(inside))


def _inside(column: Any) -> dict[str, Sequence[Any]]:  # noqa: ANN401 - as above
    """The columns of a struct column; null structs are missing everywhere.

    So is what no feature and no tag can be: lists, or instants that Python cannot hold.
    """
    if not str(column.type).startswith("struct"):
        raise TableError("schema", "columns of features and tags must be structs")
    names = [column.type.field(i).name for i in range(column.type.num_fields)]
    if len(set(names)) != len(names):
        raise TableError("schema", "the columns of a batch must have names of their own")
    inside: dict[str, Sequence[Any]] = {}
    for name, child in zip(names, column.flatten(), strict=True):
        inside[name] = [None] * len(child)
        if not child.type.num_fields:
            with suppress(ValueError, OverflowError, ArithmeticError):
                inside[name] = child.to_pylist()
    return inside


def _objects(column: Any) -> list[Any]:  # noqa: ANN401 - as above
    """The objects of a struct column, None where it is null."""
    inside = _inside(column)
    rows = zip(*inside.values(), strict=True) if inside else [()] * len(column)
    known = column.is_valid().to_pylist()
    return [
        dict(zip(inside, row, strict=True)) if here else None
        for row, here in zip(rows, known, strict=True)
    ]


def _instants(column: Any, timestamps: str) -> list[Any]:  # noqa: ANN401 - as above
    """Typed instants as producers of single events write them, cut to milliseconds."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    whole = column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64()).to_pylist()
    if timestamps == "ms":
        return list(whole)
    if timestamps == "s":
        return [None if one is None else one / 1000 for one in whole]
    return [None if one is None else rfc3339(one) for one in whole]
