"""Tables in files: CSV, CSV.gz, JSON Lines and Parquet, read in blocks of rows.

Promises: memory is bounded by one block; rows keep their order; a row with too few or too many
cells is padded or cut and counted, a line that is no JSON is handed on as it stands.
Leaves to others: how a CSV is written (`spelling`), which column is what (`mapping`), types of
cells (`cells`).
"""

import csv
import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, Protocol, cast

import msgspec
import orjson

from schemas.inputs import Prediction
from streams.runtime.recordings.cells import TextColumn, literal
from streams.runtime.recordings.spelling import NotTextError, spelling_of

BLOCK_ROWS: Final = 4096

_FIELD_LIMIT: Final = 1 << 20
"""Largest cell of a CSV file, in characters."""

_RECORD: Final = frozenset({"model", "prediction_id", "timestamp", "features"})
_ROLES: Final = frozenset({"prediction_id", "timestamp", "prediction", "score"})
_BESIDE: Final = frozenset(Prediction.__struct_fields__) - _ROLES
"""What a record says beside its features that no column of a file can be."""


class FileError(Exception):
    """A file that cannot be read as a table: says which, and what is wrong with it."""


class Block(Protocol):
    """Some consecutive rows of a table."""

    @property
    def rows(self) -> int:
        """How many rows."""

    @property
    def strays(self) -> Sequence[bytes]:
        """Lines between these rows that are no rows."""

    @property
    def lines(self) -> Sequence[bytes]:
        """The rows as they stand in the file; empty where a row is no line of JSON."""

    def values(self, column: str) -> Sequence[object]:
        """Cells as the file holds them (texts in CSV), None where there is none (rows,)."""

    def literals(self, column: str) -> Sequence[str]:
        """Cells as JSON literals (rows,)."""


class Table(Protocol):
    """A file with named columns."""

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns, in order."""

    def blocks(self) -> Iterator[Block]:
        """The rows from the first on."""

    @property
    def model(self) -> str | None:
        """Of lines that are records of the contract, to be handed on as they stand, whose first is.

        None: rows of columns.
        """

    @property
    def uneven(self) -> int:
        """Rows with too few or too many cells, of those read so far."""

    def count(self) -> int:
        """About how many rows: lines, where rows are lines."""


class TextBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a CSV file, by column."""

    rows: int
    cells: Mapping[str, Sequence[str]]
    kinds: Mapping[str, TextColumn]
    strays: Sequence[bytes] = ()
    lines: Sequence[bytes] = ()

    def values(self, column: str) -> Sequence[object]:
        """Texts; None where empty."""
        return [cell or None for cell in self.cells[column]]

    def literals(self, column: str) -> Sequence[str]:
        """JSON literals by the type of the column."""
        return self.kinds[column].literals(self.cells[column])


class TypedBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Rows whose cells have types already."""

    rows: int
    cells: Mapping[str, Sequence[object]]
    strays: Sequence[bytes] = ()
    lines: Sequence[bytes] = ()

    def values(self, column: str) -> Sequence[object]:
        """Typed values."""
        return self.cells[column]

    def literals(self, column: str) -> Sequence[str]:
        """JSON literals by the type of each value."""
        return [literal(value) for value in self.cells[column]]


class CsvTable:
    """A CSV file, gzipped or not; the delimiter is the one of `,;tab|` its first line has most."""

    model = None

    def __init__(self, path: Path, block_rows: int = BLOCK_ROWS) -> None:
        """FileError if it is no text, has no header line, or a name stands in it twice."""
        self._path = path
        self._block_rows = block_rows
        self.uneven = 0
        try:
            with _bytes(path) as file:
                self._spelling = spelling_of(file)
        except NotTextError as error:
            raise FileError(f"{path}: {error}") from None
        self.columns = self._spelling.columns
        _check_names(path, self.columns)

    def blocks(self) -> Iterator[TextBlock]:
        """The rows from the first on; FileError where the file breaks off or is no CSV."""
        spelling = self._spelling
        kinds = {name: TextColumn(spelling.decimals) for name in self.columns}
        csv.field_size_limit(_FIELD_LIMIT)
        with _text(self._path, spelling.encoding) as lines:
            for _ in range(spelling.lines_before):
                lines.readline()
            reader = csv.reader(
                lines, delimiter=spelling.delimiter, skipinitialspace=spelling.spaced
            )
            next(reader)
            try:
                while rows := list(islice(reader, self._block_rows)):
                    yield self._block(rows, kinds)
            except (csv.Error, EOFError, OSError) as error:
                raise FileError(f"{self._path}: line {reader.line_num}: {error}") from error

    def count(self) -> int:
        """Lines after the header; a cell with line breaks counts more than once."""
        return max(0, _count_lines(self._path) - 1 - self._spelling.lines_before)

    def _block(self, rows: list[list[str]], kinds: Mapping[str, TextColumn]) -> TextBlock:
        width = len(self.columns)
        if set(map(len, rows)) != {width}:
            rows = [self._evened(row) for row in rows if row]
        columns = zip(*rows, strict=True) if rows else ([] for _ in self.columns)
        cells = dict(zip(self.columns, columns, strict=True))
        return TextBlock(rows=len(rows), cells=cells, kinds=kinds)

    def _evened(self, row: list[str]) -> list[str]:
        width = len(self.columns)
        if len(row) == width:
            return row
        self.uneven += 1
        return (row + [""] * width)[:width]


class JsonLinesTable:
    """One JSON object a line; columns are those of the first block, missing keys are None.

    Of lines that are like a record but lack a part of it, the entries of `features` are columns.
    """

    uneven = 0

    def __init__(self, path: Path, block_rows: int = BLOCK_ROWS) -> None:
        """FileError if no line of the first block is a JSON object."""
        self._path = path
        self._block_rows = block_rows
        with _bytes(path) as lines:
            read = [_object(line) or {} for line in islice(lines, block_rows)]
        first = next((row for row in read if row.keys() >= _RECORD), None)
        self.model = None if first is None else str(first["model"])
        self.columns = list(dict.fromkeys(name for row in read for name in self._row(row)))
        if not self.columns:
            raise FileError(f"{path}: no JSON object in its first {block_rows} lines")

    def blocks(self) -> Iterator[TypedBlock]:
        """The rows from the first on; lines that are no JSON objects are strays."""
        with _bytes(self._path) as lines:
            while batch := list(islice(lines, self._block_rows)):
                read = [(line, _object(line)) for line in batch if line.strip()]
                rows = [self._row(row) for _, row in read if row is not None]
                yield TypedBlock(
                    rows=len(rows),
                    lines=[line.strip() for line, row in read if row is not None],
                    cells={name: [row.get(name) for row in rows] for name in self.columns},
                    strays=[line.rstrip(b"\r\n") for line, row in read if row is None],
                )

    def count(self) -> int:
        """Lines, also empty ones and those that are no objects."""
        return _count_lines(self._path)

    def _row(self, row: dict[str, object]) -> dict[str, object]:
        features = row.get("features")
        if self.model is not None or not isinstance(features, dict):
            return row
        return features | {name: cell for name, cell in row.items() if name not in _BESIDE}


class ParquetTable:
    """A Parquet file; needs pyarrow (the extra `server`)."""

    model = None
    uneven = 0

    def __init__(self, path: Path, block_rows: int = BLOCK_ROWS) -> None:
        """FileError if pyarrow is absent or the file is no Parquet."""
        try:
            from pyarrow import parquet  # noqa: PLC0415  # an extra, and slow to import
        except ImportError as error:
            message = f"{path}: reading Parquet needs pyarrow: pip install 'windage[server]'"
            raise FileError(message) from error
        try:
            self._file = parquet.ParquetFile(path)
        except (OSError, ValueError) as error:
            raise FileError(f"{path}: {error}") from error
        self._block_rows = block_rows
        self.columns = list(self._file.schema_arrow.names)
        _check_names(path, self.columns)

    def blocks(self) -> Iterator[TypedBlock]:
        """The rows from the first on."""
        for batch in self._file.iter_batches(batch_size=self._block_rows):
            columns = zip(self.columns, batch.columns, strict=True)
            cells = {name: _python_values(column) for name, column in columns}
            yield TypedBlock(rows=batch.num_rows, cells=cells)

    def count(self) -> int:
        """Rows, as the file itself says."""
        return int(self._file.metadata.num_rows)


def open_table(path: Path, block_rows: int = BLOCK_ROWS) -> Table:
    """The table in the file at `path`, by its suffix; FileError if it cannot be one."""
    name = path.name.lower().removesuffix(".gz")
    if not path.is_file():
        raise FileError(f"{path}: {'is a directory' if path.is_dir() else 'no such file'}")
    try:
        if name.endswith((".parquet", ".pq")):
            return ParquetTable(path, block_rows)
        if name.endswith((".jsonl", ".ndjson", ".json")):
            return JsonLinesTable(path, block_rows)
        if name.endswith((".csv", ".tsv", ".txt")):
            return CsvTable(path, block_rows)
    except (OSError, EOFError, csv.Error) as error:
        raise FileError(f"{path}: {error}") from error
    allowed = ".csv, .tsv, .txt, .jsonl, .ndjson, .json (each also .gz), .parquet"
    raise FileError(f"{path}: unknown kind of file; allowed are {allowed}")


def _count_lines(path: Path) -> int:
    with _bytes(path) as file:
        parts = iter(lambda: file.read(1 << 20), b"")
        try:
            return sum(part.count(b"\n") for part in parts)
        except (OSError, EOFError) as error:
            raise FileError(f"{path}: {error}") from error


def _bytes(path: Path) -> IO[bytes]:
    if path.name.lower().endswith(".gz"):
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")


def _text(path: Path, encoding: str) -> io.TextIOWrapper:
    """The file as text: a byte order mark is skipped, bytes that are none are replaced."""
    return io.TextIOWrapper(_bytes(path), encoding=encoding, errors="replace", newline="")


def _python_values(column: Any) -> list[object]:  # noqa: ANN401  # pyarrow has no types
    """An Arrow column as Python values; instants finer than Python's are cut to milliseconds."""
    import pyarrow as pa  # noqa: PLC0415  # as above

    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", column.type.tz), safe=False)
    return cast("list[object]", column.to_pylist())


def _object(line: bytes) -> dict[str, object] | None:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _check_names(path: Path, names: Sequence[str]) -> None:
    if not names:
        raise FileError(f"{path}: empty; the first line must name the columns")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FileError(f"{path}: columns named twice: {', '.join(twice)}")
