"""A ledger: rows by identifier, in log order, as columns; the oldest are dropped first.

Promises: a row keeps its number for life; rows of one id are linked from the newest back; memory
is the columns, the bytes of the ids and some 25 bytes a row. Two ids are one only if their bytes
are equal: where two share a hash, the second is kept in a dictionary.
Leaves to others: what the columns mean and when a row is no longer needed (`join`).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from schemas.frames.ids import Ids
from streams.join.index import NONE, Index

__all__ = ["NONE", "Column", "Ledger", "Rows"]

Column = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]

_Found = tuple[Rows, Rows, npt.NDArray[np.bool_]]

_FIRST_CAPACITY: Final = 128
_LOOKED_AT: Final = 4096
_LARGE: Final = 1 << 16
_SHARE: Final = 8
"""From so many rows on, columns grow by this part of themselves: what is spare stays little."""

_STRETCH: Final = 1 << 16
"""Rows that are entered into a new index at a time."""

_OWN: Final = {"hash": "<u8", "end": "<i8", "back": "<u4"}
"""Of every row: hash and end of its id, and how many rows back that id stands before (0: not)."""


class Ledger:
    """Columns addressed by row number."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        """`columns` maps a column's name to its numpy dtype."""
        self._types = {**columns, **_OWN}
        self._capacity = _FIRST_CAPACITY
        self._columns = {name: np.zeros(self._capacity, kind) for name, kind in self._types.items()}
        self._ids = np.zeros(_FIRST_CAPACITY, np.uint8)
        self._index = Index()
        self._others: dict[bytes, int] = {}
        self._looked: tuple[Ids, _Found] | None = None
        """The last question, which `append` asks again."""
        self._head = self._size = 0
        """Kept rows stand in the columns from `_head` on."""
        self.start = 0
        """Number of the oldest row kept."""

    def __len__(self) -> int:
        """How many rows are kept."""
        return self._size

    @property
    def end(self) -> int:
        """The number that the next row will have."""
        return self.start + self._size

    @property
    def nbytes(self) -> int:
        """Memory of the kept rows: columns, ids and index."""
        columns = sum(column[: self._size].nbytes for column in self._columns.values())
        return columns + self._bytes_to(self._head + self._size) + self._index.nbytes

    def column(self, name: str) -> Column:
        """The kept rows' column, oldest first: a view, writable, valid until the next append."""
        return self._columns[name][self._head : self._head + self._size]

    def take(self, name: str, rows: Rows) -> Column:
        """The column's values at row numbers `rows` (a copy)."""
        return self._columns[name][rows - (self.start - self._head)]

    def get(self, name: str, row: int) -> int:
        """The integer in a column at one row number."""
        return int(self._columns[name][row - self.start + self._head])

    def put(self, name: str, rows: Rows | int, values: Column | int) -> None:
        """Set a column at row numbers."""
        self._columns[name][rows - (self.start - self._head)] = values

    def newest(self, ids: Ids) -> Rows:
        """The newest row number of each id (n,), `NONE` where the id is not here."""
        found = self._found(ids)
        self._looked = (ids, found)
        return found[0]

    def first(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Whether no kept row before these (n,) has the id."""
        back = self.take("back", rows).astype(np.int64)
        return np.asarray((back == 0) | (rows - back < self.start), np.bool_)

    def ids(self) -> Ids:
        """The ids of the kept rows, oldest first: views, valid until the next append."""
        begin = self._bytes_to(self._head)
        content = self._ids[begin : self._bytes_to(self._head + self._size)]
        return Ids(content, self.column("end") - begin)

    def chain(self, row: int) -> Iterator[int]:
        """Row numbers of one id from `row` back to the oldest kept."""
        while row >= self.start:
            yield row
            back = self.get("back", row)
            if not back:
                return
            row -= back

    def append(self, ids: Ids, columns: Mapping[str, Column | int]) -> Rows:
        """Add rows in order; gives their numbers (n,)."""
        count = len(ids)
        self._reserve(count, len(ids.content))
        begin = self._head + self._size
        first = self.start + self._size
        numbers = np.arange(first, first + count, dtype=np.int64)
        span, own = slice(begin, begin + count), self._columns
        for name, values in columns.items():
            own[name][span] = values
        used = self._bytes_to(begin)
        self._ids[used : used + len(ids.content)] = ids.content
        own["hash"][span], own["end"][span], own["back"][span] = ids.hashes, used + ids.ends, 0
        self._size += count
        self._link(ids, numbers)
        return numbers

    def drop(self, count: int) -> None:
        """Forget the oldest `count` rows."""
        if not count:
            return
        self._looked = None
        self.start += count
        self._head += count
        self._size -= count
        if self._others:
            self._others = {key: row for key, row in self._others.items() if row >= self.start}
        if self._head > max(_FIRST_CAPACITY, self._size // 4):
            self._compact()

    # -- ids ---------------------------------------------------------------------------------------

    def _bytes_to(self, place: int) -> int:
        """Where the ids of the rows before a place in the columns end."""
        return int(self._columns["end"][place - 1]) if place else 0

    def _found(self, ids: Ids) -> _Found:
        """Newest rows or NONE, their slots, and which ids share a hash with another (all (n,))."""
        if self._looked is not None and self._looked[0] is ids:
            found, self._looked = self._looked[1], None
            return found
        self._looked = None
        rows, slots = self._index.find(ids.hashes, self.column("hash"), self.start)
        hit = np.flatnonzero(rows != NONE)
        strange = np.zeros(len(ids), np.bool_)
        if len(hit):
            places = rows[hit] - self.start + self._head
            ends = self._columns["end"]
            begins = np.where(places > 0, ends[places - 1], 0)
            same = ids.equal(hit, self._ids, begins, ends[places])
            strange[hit[~same]] = True
            rows[hit[~same]] = NONE
        if self._others:
            for i in np.flatnonzero(rows == NONE).tolist():
                row = self._others.get(ids.key(i))
                if row is not None:
                    rows[i], strange[i] = row, True
        return rows, slots, strange

    def _link(self, ids: Ids, numbers: Rows) -> None:
        """Enter appended rows into the index, and link each to the one before of its id."""
        if self._index.crowded(len(ids)):
            self._rebuild(len(ids), int(numbers[0]))
            self._looked = None
        if not ids.again.any():
            self._link_distinct(ids, numbers)
            return
        turns = ids.turns
        for turn in range(int(turns.max()) + 1):
            rows = np.flatnonzero(turns == turn)
            self._link_distinct(ids.only(rows), numbers[rows])

    def _link_distinct(self, ids: Ids, numbers: Rows) -> None:
        """The same for ids of which no two have one hash."""
        before, slots, strange = self._found(ids)
        known = before != NONE
        fresh = ~known & ~strange
        if known.any():
            self.put("back", numbers[known], (numbers - before)[known])
            known &= ~strange
            self._index.move(slots[known], numbers[known])
        self._index.enter(ids.hashes[fresh], numbers[fresh], slots[fresh])
        for i in np.flatnonzero(strange).tolist():
            self._others[ids.key(i)] = int(numbers[i])

    def _rebuild(self, more: int, end: int) -> None:
        """A new index of the newest row of each id below row number `end`.

        A stretch at a time, so that it takes no memory to speak of.
        """
        count = end - self.start
        newest = np.ones(count, np.bool_)
        back, hashes = self.column("back"), self.column("hash")
        for begin in range(0, count, _STRETCH):
            stretch = back[begin : min(begin + _STRETCH, count)].astype(np.int64)
            older = (np.arange(begin, begin + len(stretch)) - stretch)[stretch > 0]
            newest[older[older >= 0]] = False
        for row in self._others.values():
            newest[row - self.start] = False
        self._index.clear(int(newest.sum()) + more, start=self.start)
        for begin in range(0, count, _STRETCH):
            rows = np.flatnonzero(newest[begin : begin + _STRETCH]) + begin
            self._index.enter(hashes[rows], rows + self.start)

    # -- space -------------------------------------------------------------------------------------

    def _reserve(self, count: int, content: int) -> None:
        wanted = self._head + self._size + count
        if wanted > self._capacity:
            self._capacity = _roomier(self._capacity, wanted)
            for column in self._columns.values():
                _resize(column, self._capacity)
        used = self._bytes_to(self._head + self._size)
        if used + content > len(self._ids):
            _resize(self._ids, _roomier(len(self._ids), used + content))

    def _compact(self) -> None:
        """Move the kept rows to the front."""
        begin, end = self._bytes_to(self._head), self._bytes_to(self._head + self._size)
        self._ids[: end - begin] = self._ids[begin:end].copy()
        for column in self._columns.values():
            column[: self._size] = column[self._head : self._head + self._size].copy()
        self._columns["end"][: self._size] -= begin
        self._head = 0


def _roomier(capacity: int, wanted: int) -> int:
    """A capacity for `wanted`: twice as much while that is little, then an eighth more."""
    while capacity < wanted:
        capacity += capacity if capacity < _LARGE else capacity // _SHARE
    return capacity


def _resize(column: Column, rows: int) -> None:
    """Make a column longer where it lies: the system moves its pages, and nothing is copied.

    Views of it must not be used any more.
    """
    column.resize((rows, *column.shape[1:]), refcheck=False)


def first_needed(reach: Column, since: int) -> int:
    """How many rows stand before the first that reaches `since`; only as far as one must look."""
    for begin in range(0, len(reach), _LOOKED_AT):
        needed = reach[begin : begin + _LOOKED_AT] >= since
        if needed.any():
            return begin + int(np.argmax(needed))
    return len(reach)
