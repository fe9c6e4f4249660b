"""Rows of a file as records of the contract: predictions, and labels in the same rows.

Promises: a record's bytes are a function of its row alone; broker time is the row's event time; a
row without an instant keeps its cell, so that the profiler refuses it with a code.
Leaves to others: which column is what (`mapping`), labels in a file of their own (`labels`).
"""

from collections.abc import Sequence
from json.encoder import encode_basestring
from typing import Final, cast

import msgspec

from schemas.inputs import safe_names
from schemas.log import Millis
from streams.runtime.recordings.cells import NULL, literal
from streams.runtime.recordings.files import Block, FileError
from streams.runtime.recordings.instants import InstantColumn, NoInstants
from streams.runtime.recordings.mapping import Columns

FIRST_INSTANT: Final[Millis] = 1_577_836_800_000
"""2020-01-01T00:00:00Z: where made timestamps begin, so that a replay is the same every time."""


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """Records to append to one log, as columns (n,)."""

    times: list[Millis] = []
    keys: list[bytes | None] = []
    values: list[bytes] = []


class RowTimes:
    """The instants of a file's rows: read from a column, or made from the row number."""

    def __init__(self, column: str | None, every: Millis | None, path: str = "") -> None:
        """One of `column` and `every` is given."""
        self._column = column
        self._every = every or 0
        self._path = path
        self._instants = InstantColumn()
        self._next = FIRST_INSTANT
        self.last = FIRST_INSTANT

    def read(self, block: Block) -> tuple[list[Millis], Sequence[object]]:
        """Broker times (rows,), and the JSON texts of the timestamps as the records carry them.

        FileError if the column holds numbers that are no instants.
        """
        if self._column is None:
            end = self._next + self._every * block.rows
            times = list(range(self._next, end, self._every))
            self._next = end
            self.last = max(self.last, end - self._every)
            return times, times
        cells = block.values(self._column)
        try:
            read = self._instants.read(cells)
        except NoInstants as error:
            message = f"{self._path}: column {self._column!r}: {error}; or use --every"
            raise FileError(message) from error
        times = []
        for instant in read:
            self.last = self.last if instant is None else instant
            times.append(self.last)
        if None not in read:
            return times, times
        pairs = zip(read, cells, strict=True)
        return times, [literal(cell) if at is None else at for at, cell in pairs]


class RowWriter:
    """Writes the rows of one file, block by block."""

    def __init__(
        self,
        model: str,
        version: str,
        columns: Columns,
        *,
        label_delay: Millis = 0,
        path: str = "",
    ) -> None:
        """`version` is used where the file has no column for it."""
        self._columns = columns
        self._version = encode_basestring(version)
        self._times = RowTimes(columns.timestamp, columns.every, path)
        self._label_delay = label_delay
        self._row = 0
        names = safe_names(columns.features)
        features = ",".join(f"{_name(name)}:%s" for name in names)
        score = ',"score":%s' if columns.score else ""
        self._prediction = (
            f'{{"model":{_name(model)},"version":%s,"prediction_id":%s,"timestamp":%s,'
            f'"features":{{{features}}},"prediction":%s{score}}}'
        )
        self._label = label_template(model)

    def predictions(self, block: Block) -> tuple[Entries, Entries]:
        """The block's predictions, and the labels that stand in the same rows."""
        columns = self._columns
        times, stamps = self._times.read(block)
        texts = self._ids(block)
        ids = [encode_basestring(text) for text in texts]
        keys: list[bytes | None] = [text.encode() for text in texts]
        version: Sequence[str] = [self._version] * block.rows
        if columns.version:
            version = text_literals(block.values(columns.version))
        cells = [version, ids, stamps, *(block.literals(name) for name in columns.features)]
        cells.append(
            block.literals(columns.prediction) if columns.prediction else [NULL] * len(ids)
        )
        if columns.score:
            cells.append(block.literals(columns.score))
        template = self._prediction
        values = [(template % row).encode() for row in zip(*cells, strict=True)]
        labels = self._labels(times, keys, ids, block)
        return _with_strays(
            Entries(times=times, keys=keys, values=values), block, self._times
        ), labels

    def _labels(
        self, times: list[Millis], keys: list[bytes | None], ids: list[str], block: Block
    ) -> Entries:
        out = Entries()
        if self._columns.label:
            told = block.literals(self._columns.label)
            for time, key, text, label in zip(times, keys, ids, told, strict=True):
                if label != NULL:
                    known = time + self._label_delay
                    out.times.append(known)
                    out.keys.append(key)
                    out.values.append((self._label % (text, label, known)).encode())
        return out

    def _ids(self, block: Block) -> list[str]:
        if self._columns.id is not None:
            return id_texts(block.values(self._columns.id))
        first, self._row = self._row, self._row + block.rows
        return [str(row) for row in range(first, self._row)]


class LineWriter:
    """Hands on lines that are records of the contract already, byte for byte."""

    def __init__(self, path: str = "") -> None:
        self._times = RowTimes("timestamp", None, path)

    def predictions(self, block: Block) -> tuple[Entries, Entries]:
        """The block's predictions; labels never stand in the same lines."""
        times, _ = self._times.read(block)
        keys: list[bytes | None] = [
            text.encode() for text in id_texts(block.values("prediction_id"))
        ]
        entries = Entries(times=times, keys=keys, values=list(block.lines))
        return _with_strays(entries, block, self._times), Entries()


def _with_strays(entries: Entries, block: Block, times: RowTimes) -> Entries:
    """The entries and, after them, the lines that are no rows: the profiler refuses each."""
    if not block.strays:
        return entries
    count = len(block.strays)
    return Entries(
        times=[*entries.times, *[times.last] * count],
        keys=[*entries.keys, *[None] * count],
        values=[*entries.values, *block.strays],
    )


def label_template(model: str) -> str:
    """A label record to be filled with (id, label, timestamp), each a JSON literal."""
    return f'{{"model":{_name(model)},"prediction_id":%s,"label":%s,"timestamp":%s}}'


def id_texts(cells: Sequence[object]) -> list[str]:
    """Ids as text: 17, 17.0 and "17" are one id; an absent one is empty, which is refused later."""
    if set(map(type, cells)) == {str}:
        return list(cast("Sequence[str]", cells))
    return [_id_text(cell) for cell in cells]


def text_literals(cells: Sequence[object]) -> list[str]:
    """Cells as JSON texts, whatever their type."""
    return [encode_basestring(text) for text in id_texts(cells)]


def _id_text(cell: object) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell)


def _name(text: str) -> str:
    """A JSON text that may stand in a template."""
    return encode_basestring(text).replace("%", "%%")
