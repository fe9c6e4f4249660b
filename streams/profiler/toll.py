"""Toll: how many records of a batch were read and how many refused, by the pane of their arrival.

A refused record has no event time that anyone could trust, so it counts in the pane that its log
had come to: the pane of the log's watermark at the record.

Promises: a function of the log alone; each new record (of a table: each row) counts once. Repeats
and what has expired count neither as read nor as refused: that producers send the end of their logs
again, however late, changes no share.
Leaves to others: refusing (`model`), open profiles (`panes`), judging the share (monitor).
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.journal import Counts
from schemas.log import DAWN, DUSK, InputLog, Millis
from schemas.refusals import READ, REFUSED, WIDTH
from schemas.refused import Refused
from schemas.rows import ACCEPTED, CONFLICT, OPINION, ROW_BITS, Ints, Verdicts

_NOWHERE: Final = 1 << 62
"""The first offset of what has none."""

_NONE: Final = np.empty(0, np.int64)


class Taken(NamedTuple):
    """Of one pane: counts (WIDTH,), first refused offset, last offset read."""

    arrived: int
    cells: Counts
    span: tuple[int, int]


class Toll:
    """What is taken down of one batch.

    A place is a record's position in the batch, shifted, and its row (`schemas/rows`).
    """

    def __init__(self, stamps: Ints, seen: Ints | None, before: Millis) -> None:
        """`stamps` (n,): offsets of the batch's records; `seen` (n,): the watermark at each.

        None: it follows from the rows (`date`), and stood at `before` in front of them.
        """
        self._offsets, self._seen, self._before = stamps, seen, before
        self._read = self._dated = self._marks = _NONE

    def take(self, records: Ints, rows: Ints | None, marks: Ints, verdicts: Verdicts) -> None:
        """The batch has these rows (m,) with an instant, by record and row, in their order."""
        self._dated, self._marks = _places(records, rows), marks
        taken = (verdicts == ACCEPTED) | (verdicts == CONFLICT) | (verdicts == OPINION)
        self._read = self._dated[taken]

    def panes(
        self, log: InputLog, pane: Millis, new: npt.NDArray[np.bool_], refused: Refused
    ) -> Iterator[Taken]:
        """What to add to the refusals of each pane, in order; of records that are `new` (n,).

        `refused` are all of the batch; those in conflict are among the rows that were taken. Before
        the first dated record of a log there is no pane, and after its end none either; nothing is
        counted there.
        """
        codes = np.array(refused.codes(), np.str_)
        refused = refused.only(codes[refused.why] != "expired")
        places = _places(refused.positions, refused.rows)
        read = np.concatenate([self._read, places[codes[refused.why] != "conflict"]])
        read = read[new[read >> ROW_BITS]]
        levels = self._at(read)
        known = (levels > DAWN) & (levels < DUSK)
        read, panes = read[known], levels[known] // pane
        if not len(read):
            return
        fresh = new[refused.positions]
        refused, where = refused.only(fresh), self._at(places[fresh]) // pane
        for number in _distinct(panes):
            mine, own = read[panes == number], refused.only(where == number)
            cells = np.zeros(WIDTH, np.int64)
            cells[READ[log]] = len(mine)
            times = np.bincount(own.why, minlength=len(codes)).tolist()
            for code, count in zip(refused.codes(), times, strict=True):
                if count:
                    cells[REFUSED[log, code]] += count
            first = int(self._offsets[own.positions].min()) if own.size else _NOWHERE
            last = int(self._offsets[mine.max() >> ROW_BITS])
            yield Taken(number, cells, (first, last))

    def _at(self, places: Ints) -> Ints:
        """Watermarks (m,) at some places."""
        if self._seen is not None:
            seen: Ints = self._seen[places >> ROW_BITS]
            return seen
        if not len(self._dated):
            return np.full(len(places), self._before, np.int64)
        found = np.searchsorted(self._dated, places, "right")
        before = np.int64(self._before)
        return np.where(found > 0, self._marks[found - 1], before)


def _distinct(panes: Ints) -> list[int]:
    """Each pane of `panes` (n,), n > 0, once and in order; nearly always it is one."""
    first, last = int(panes.min()), int(panes.max())
    return [first] if first == last else np.unique(panes).tolist()


def _places(records: Ints, rows: Ints | None) -> Ints:
    """Places of rows by record and row; None: no record is a table."""
    shifted = records << ROW_BITS
    return shifted if rows is None else shifted | np.maximum(rows, 0)
