"""A ledger: rows by identifier, in log order, as columns; the oldest are dropped first.

Promises: a row keeps its number for life; rows of one id are linked from the newest back; memory
is the columns plus one index entry an id.
Leaves to others: what the columns mean and when a row is no longer needed (`join`).
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]

NONE: Final = -1
"""No row."""

_FIRST_CAPACITY: Final = 1024


class Ledger:
    """Columns addressed by row number; `previous` links the rows of one id, newest first."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        """`columns` maps a column's name to its numpy dtype."""
        self._types = {**columns, "previous": "<i8"}
        self._capacity = _FIRST_CAPACITY
        self._columns = {name: np.zeros(self._capacity, kind) for name, kind in self._types.items()}
        self._ids: list[str] = []
        self._newest: dict[str, int] = {}
        self.start = 0
        """Number of the oldest row kept."""

    def __len__(self) -> int:
        """How many rows are kept."""
        return len(self._ids)

    def column(self, name: str) -> Column:
        """The kept rows' column, oldest first: a view, writable, valid until the next append."""
        return self._columns[name][: len(self._ids)]

    def take(self, name: str, rows: Rows) -> Column:
        """The column's values at row numbers `rows` (a copy)."""
        return self._columns[name][rows - self.start]

    def get(self, name: str, row: int) -> int:
        """The integer in a column at one row number."""
        return int(self._columns[name][row - self.start])

    def put(self, name: str, rows: Rows | int, values: Column | int) -> None:
        """Set a column at row numbers."""
        self._columns[name][rows - self.start] = values

    def newest(self, ids: Sequence[str]) -> Rows:
        """The newest row number of each id (n,), `NONE` where the id is not here."""
        if not self._newest:
            return np.full(len(ids), NONE, np.int64)
        find = self._newest.get
        return np.fromiter(map(find, ids, repeat(NONE)), np.int64, len(ids))

    def chain(self, row: int) -> Iterator[int]:
        """Row numbers of one id from `row` back to the oldest kept."""
        while row >= self.start:
            yield row
            row = self.get("previous", row)

    def append(
        self, ids: Sequence[str], columns: Mapping[str, Column], *, fresh: bool = False
    ) -> Rows:
        """Add rows in order; gives their numbers (n,). `fresh`: no id is known or comes twice."""
        size = len(self._ids)
        count = len(ids)
        self._reserve(size + count)
        first = self.start + size
        numbers = np.arange(first, first + count, dtype=np.int64)
        for name, values in columns.items():
            self._columns[name][size : size + count] = values
        self._columns["previous"][size : size + count] = self._link(ids, first, fresh=fresh)
        self._ids.extend(ids)
        return numbers

    def _link(self, ids: Sequence[str], first: int, *, fresh: bool) -> Rows | int:
        """Enter the rows into the index; gives what was the newest row of each id before."""
        if fresh:
            self._newest.update(zip(ids, range(first, first + len(ids)), strict=True))
            return NONE
        before = self.newest(ids)
        if len(set(ids)) == len(ids):
            self._newest.update(zip(ids, range(first, first + len(ids)), strict=True))
            return before
        for position, key in enumerate(ids):  # an id twice in one batch: rare, so in order
            before[position] = self._newest.get(key, NONE)
            self._newest[key] = first + position
        return before

    def drop(self, count: int) -> None:
        """Forget the oldest `count` rows."""
        if not count:
            return
        for position in range(count):
            key = self._ids[position]
            if self._newest.get(key) == self.start + position:
                del self._newest[key]
        kept = len(self._ids) - count
        for column in self._columns.values():
            column[:kept] = column[count : count + kept].copy()
        del self._ids[:count]
        self.start += count

    def _reserve(self, size: int) -> None:
        if size <= self._capacity:
            return
        while self._capacity < size:
            self._capacity *= 2
        for name, column in self._columns.items():
            grown = np.zeros(self._capacity, self._types[name])
            grown[: len(column)] = column
            self._columns[name] = grown
