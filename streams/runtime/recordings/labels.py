"""Labels from a file of their own, handed over in time with the predictions.

Promises: every row with a label comes out once, in the order decided here; labels wait in memory
only as far ahead as `delay` and `HELD_ROWS` say.
Leaves to others: joining (the profiler), predictions (`rows`).
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from json.encoder import encode_basestring
from pathlib import Path
from typing import Final, Protocol

from schemas.log import Millis
from streams.runtime.recordings.cells import NULL
from streams.runtime.recordings.files import BLOCK_ROWS, FileError, Table, open_table
from streams.runtime.recordings.mapping import Columns, assign
from streams.runtime.recordings.rows import Entries, RowTimes, id_texts, label_template

HELD_ROWS: Final = 100_000
"""Labels held at most while they wait for the prediction of their id."""


class LabelSource(Protocol):
    """Labels that become known as predictions are read."""

    def after(self, predictions: Entries) -> Entries:
        """The labels known once `predictions` (the next block) are."""

    def rest(self, last: Millis) -> Entries:
        """All that are left, when the predictions ended at `last`."""


class TimedLabels:
    """A labels file with a time of its own: rows are handed over by it."""

    def __init__(self, table: Table, columns: Columns, model: str, path: str = "") -> None:
        """`columns` has id, timestamp (or `every`) and label."""
        self._rows = _timed_rows(table, columns, label_template(model), path)
        self._read = Entries()

    def after(self, predictions: Entries) -> Entries:
        """Rows whose time is not after the last prediction's."""
        return self._until(predictions.times[-1]) if predictions.times else Entries()

    def rest(self, last: Millis) -> Entries:
        """All rows left, also those after `last`."""
        del last
        parts = [self._read, *self._rows]
        self._read = Entries()
        return _joined(parts)

    def _until(self, time: Millis) -> Entries:
        parts = []
        while True:
            cut = bisect_right(self._read.times, time)
            parts.append(_part(self._read, 0, cut))
            self._read = _part(self._read, cut, len(self._read.times))
            if self._read.times or (block := next(self._rows, None)) is None:
                return _joined(parts)
            self._read = block


class MatchedLabels:
    """A labels file without a time: each label takes the time of the prediction it belongs to.

    Rows in any order: they are read ahead until the id is found, at most `held` of them. A label
    read too late comes at once; one that no prediction has asked for in a long time makes room,
    so nothing is lost.
    """

    def __init__(
        self,
        table: Table,
        columns: Columns,
        model: str,
        *,
        delay: Millis = 0,
        held: int = HELD_ROWS,
    ) -> None:
        """`columns` has id and label; a label is known `delay` ms after its prediction."""
        self._blocks = _plain_blocks(table, columns)
        self._block: tuple[list[str], Sequence[str]] = [], []
        self._at = 0
        """The next row of the block."""
        self._template = label_template(model)
        self._delay = delay
        self._held = held
        self._ahead: dict[str, tuple[str, int]] = {}
        """Labels read by id, and how many predictions had been looked at then."""
        self._missed: dict[str, None] = {}
        """Predictions whose label was not found, the latest."""
        self._looked = 0

    def after(self, predictions: Entries) -> Entries:
        """Labels of the ids in `predictions`, at their times."""
        out = Entries()
        first = 0
        while first < len(predictions.keys) and (same := self._alike(predictions, first, out)):
            first += same
        for key, time in zip(predictions.keys[first:], predictions.times[first:], strict=True):
            if key is None:
                continue
            text = key.decode()
            self._looked += 1
            held = self._ahead.pop(text, None)
            found = self._search(text, time, out) if held is None else held[0]
            if found is not None:
                self._write(out, text, found, time)
        return out

    def rest(self, last: Millis) -> Entries:
        """Labels no prediction has asked for, at time `last`."""
        out = Entries()
        for text, (found, _) in self._ahead.items():
            self._write(out, text, found, last)
        self._ahead.clear()
        while (row := self._next()) is not None:
            self._write(out, *row, last)
        return out

    def _next(self) -> tuple[str, str] | None:
        """The next row of the file; None at its end."""
        if not self._fill():
            return None
        self._at += 1
        return self._block[0][self._at - 1], self._block[1][self._at - 1]

    def _fill(self) -> bool:
        """Read the next block if the present one is used up; gives whether there are rows."""
        while self._at >= len(self._block[0]):
            block = next(self._blocks, None)
            if block is None:
                return False
            self._block, self._at = block, 0
        return True

    def _alike(self, predictions: Entries, first: int, out: Entries) -> int:
        """Write the labels of predictions from `first` on where they stand in the same order.

        Gives how many predictions got theirs so; one by one it would be the same, but slow.
        """
        if self._ahead or not self._fill():
            return 0
        count = min(len(predictions.keys) - first, len(self._block[0]) - self._at)
        ids, labels = (column[self._at : self._at + count] for column in self._block)
        keys = predictions.keys[first : first + count]
        if [text.encode() for text in ids] != keys:
            return 0
        self._looked += count
        self._at += count
        times = predictions.times[first : first + count]
        for key, text, label, time in zip(keys, ids, labels, times, strict=True):
            if label != NULL:
                known = time + self._delay
                out.times.append(known)
                out.keys.append(key)
                out.values.append(
                    (self._template % (encode_basestring(text), label, known)).encode()
                )
        return count

    def _search(self, wanted: str, time: Millis, out: Entries) -> str | None:
        while len(self._ahead) < self._held or self._make_room(time, out):
            row = self._next()
            if row is None:
                break
            text, found = row
            if text == wanted:
                return found
            if text in self._missed:
                del self._missed[text]
                self._write(out, text, found, time)
                continue
            if text in self._ahead:  # a second label of one id: a correction or a duplicate
                self._write(out, text, self._ahead[text][0], time)
            self._ahead[text] = (found, self._looked)
        self._missed[wanted] = None
        if len(self._missed) > self._held:
            del self._missed[next(iter(self._missed))]
        return None

    def _make_room(self, time: Millis, out: Entries) -> bool:
        """Hand over the oldest label if nobody has asked for it for long; gives whether it did."""
        text, (found, since) = next(iter(self._ahead.items()))
        if self._looked - since <= 2 * self._held:
            return False
        del self._ahead[text]
        self._write(out, text, found, time)
        return True

    def _write(self, out: Entries, text: str, found: str, time: Millis) -> None:
        if found == NULL:
            return
        known = time + self._delay
        out.times.append(known)
        out.keys.append(text.encode())
        out.values.append((self._template % (encode_basestring(text), found, known)).encode())


class Waiting:
    """Holds entries back until their time has come, in their order."""

    def __init__(self) -> None:
        self._waiting: deque[Entries] = deque()

    def add(self, entries: Entries) -> None:
        """Entries to be handed over later."""
        if entries.times:
            self._waiting.append(entries)

    def until(self, time: Millis) -> Entries:
        """Those known by `time`."""
        parts = []
        while self._waiting:
            entries = self._waiting.popleft()
            cut = bisect_right(entries.times, time)
            parts.append(_part(entries, 0, cut))
            if cut < len(entries.times):
                self._waiting.appendleft(_part(entries, cut, len(entries.times)))
                break
        return _joined(parts)

    def rest(self) -> Entries:
        """All that wait."""
        parts = list(self._waiting)
        self._waiting.clear()
        return _joined(parts)


def open_labels(
    path: Path, wanted: Columns, model: str, *, delay: Millis = 0, block_rows: int = BLOCK_ROWS
) -> LabelSource:
    """The labels in the file at `path`; FileError without an id and a label column.

    `delay` is for files without a time of their own.
    """
    table = open_table(path, block_rows)
    asked = Columns(
        id=wanted.id if wanted.id in table.columns else None,
        timestamp=wanted.timestamp if wanted.timestamp in table.columns else None,
        label=wanted.label,
    )
    columns = assign(table.columns, asked, str(path))
    if columns.label is None:
        others = [name for name in table.columns if name not in (columns.id, columns.timestamp)]
        if len(others) != 1:
            raise FileError(f"{path}: which column is the label? Say --label")
        columns = assign(table.columns, _with_label(asked, others[0]), str(path))
    if columns.id is None:
        raise FileError(f"{path}: which column is the id? Say --id")
    if columns.timestamp is not None:
        return TimedLabels(table, columns, model, str(path))
    return MatchedLabels(table, columns, model, delay=delay)


def _with_label(columns: Columns, label: str) -> Columns:
    return Columns(id=columns.id, timestamp=columns.timestamp, label=label)


def _timed_rows(table: Table, columns: Columns, template: str, path: str) -> Iterator[Entries]:
    assert columns.id is not None
    assert columns.label is not None
    clock = RowTimes(columns.timestamp, columns.every, path)
    for block in table.blocks():
        times, stamps = clock.read(block)
        ids = id_texts(block.values(columns.id))
        rows = zip(ids, times, block.literals(columns.label), stamps, strict=True)
        told = [row for row in rows if row[2] != NULL]
        yield Entries(
            times=[time for _, time, _, _ in told],
            keys=[text.encode() for text, _, _, _ in told],
            values=[
                (template % (encode_basestring(text), label, stamp)).encode()
                for text, _, label, stamp in told
            ],
        )


def _plain_blocks(table: Table, columns: Columns) -> Iterator[tuple[list[str], Sequence[str]]]:
    """Ids and labels (JSON literals), aligned."""
    assert columns.id is not None
    assert columns.label is not None
    for block in table.blocks():
        yield id_texts(block.values(columns.id)), block.literals(columns.label)


def _part(entries: Entries, first: int, end: int) -> Entries:
    return Entries(
        times=entries.times[first:end],
        keys=entries.keys[first:end],
        values=entries.values[first:end],
    )


def _joined(parts: Sequence[Entries]) -> Entries:
    if len(parts) == 1:
        return parts[0]
    out = Entries()
    for part in parts:
        out.times.extend(part.times)
        out.keys.extend(part.keys)
        out.values.extend(part.values)
    return out
