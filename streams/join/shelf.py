"""The shelf: the part of a pending store that is not in memory.

Between two flushes memory holds what was read since, and whole stories of the ids that came with
it. At a flush the new rows leave; once they lie elsewhere memory is emptied, and an id that comes
again brings its story back. What cannot leave stays, and is read again after a restart.

Laws obeyed here:
  - an id is in memory with all its rows or with none, unless nobody answered when it came: then
    its rows say so (`blind`), and whom they have not met they never will have met;
  - of a story counts only what stands before the offsets read: the rest is still to be read;
  - what comes back meets again in silence: it was counted when it met first.
Leaves to others: the rules of meeting (`join`), asking and answering (`streams/stores`).
"""

from collections import deque
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from schemas.frames.ids import Ids
from schemas.log import Millis
from schemas.rows import Ints
from streams.join.join import BACK, HERE, THERE, Join
from streams.join.ledger import NONE, Column, Ledger
from streams.join.stories import (
    LABEL,
    NAMED,
    PREDICTION,
    Form,
    Found,
    Leaving,
    Rows,
    Wanted,
    cut,
    fields_of,
    offsets_of,
    version_name,
)

Reached = Mapping[Any, int]
"""Offsets by log: what stands before them was read."""

_BUCKETS: Final = 1_000
"""Of a horizon: as finely as orphans are told."""

_AT_ONCE: Final = 50_000
"""Rows that leave at a flush after a time in which they could not: a worker must not stand still
for as long as all of them take."""

_SEEN: Final = 2
_MET: Final = 3
"""Columns of the books besides what lies elsewhere: predictions (0) and labels (1)."""

_TURNS: Final = 10_000
"""Turns of which the rows are remembered, in case a store goes back to an older state."""


class Given(NamedTuple):
    """Rows that are kept nowhere any more."""

    predictions: int
    labels: int


class SavedShelf(msgspec.Struct, frozen=True, array_like=True):
    """A shelf in a snapshot.

    `books`: bucket of event time, predictions and labels that lie elsewhere, labels admitted in
    sight, those of them that have met a prediction. `predictions`, `labels`: of what is to be read
    again, the places of rows that were read blind, and up to where.
    """

    turn: int
    orphaned: int
    books: list[tuple[int, int, int, int, int]]
    predictions: dict[int, int] = {}
    labels: dict[int, int] = {}


class Shelf:
    """What has left the memory of one model's join."""

    def __init__(
        self, join: Join, form: Form, *, model: str, source: bytes, pane: Millis, horizon: Millis
    ) -> None:
        """`source` names whose rows they are, `pane` is the length of a pane."""
        self._join, self._form = join, form
        self._model, self._source, self._pane = model, source, pane
        self._horizon = horizon
        self._bucket = max(pane, horizon // _BUCKETS)
        self._books: dict[int, list[int]] = {}
        self._orphaned = 0
        self._turn = 0
        self._turns: deque[tuple[int, int, int]] = deque(maxlen=_TURNS)
        self.taking_over = False
        """Whether labels that are re-read are in no book yet: the state was one of memory."""
        self._answers, self._behind = True, False

    @property
    def whole(self) -> bool:
        """Whether the store answered the last time it was called, and has taken everything."""
        return self._answers and not self._behind

    # -- coming back -------------------------------------------------------------------------------

    def wanted(self, ids: Ids) -> Wanted | None:
        """What must be asked before rows of `ids` (n,) are read; None if all is here."""
        join = self._join
        away = (join.predictions.newest(ids) == NONE) & (join.labels.newest(ids) == NONE)
        if ids.again.any():
            away &= _once(ids)
        join.answered = True
        if not away.any() or not any(join.cold.values()):
            return None
        return Wanted(self._model, self._source, ids.only(np.flatnonzero(away)))

    def recall(
        self, wanted: Wanted, found: Found | None, reached: Reached, versions: Mapping[str, int]
    ) -> Given:
        """Take stories back (None: nobody answered); gives what the store has lost."""
        if found is not None:
            try:
                self._take(wanted.ids, found, reached, versions)
            except ValueError:
                found = None  # not rows of ours: as good as no answer
        self._join.answered = self._answers = found is not None
        return Given(0, 0) if found is None else self._lost(found.turn)

    def _take(self, ids: Ids, found: Found, reached: Reached, versions: Mapping[str, int]) -> None:
        """Enter stories into memory; ValueError if they are not in our form."""
        join, names = self._join, {version_name(name): code for name, code in versions.items()}
        told = self._form.read(found.label_rows, LABEL)
        places, rows = self._form.read(found.prediction_rows, PREDICTION)
        codes = np.array([names.get(name, NONE) for name in rows["named"].tolist()], np.int64)
        keep = (offsets_of(places) < reached["predictions"]) & (codes != NONE)
        order = _ordered(places, keep)
        if len(order):
            columns = self._columns(places[order], rows[order])
            columns |= {"version": codes[order], "joined": NONE}
            join.predictions.append(ids.only(_owners(found.predictions)[order]), columns)
        places, rows = told
        order = _ordered(places, offsets_of(places) < reached["labels"])
        if len(order):
            own = ids.only(_owners(found.labels)[order])
            columns = self._columns(places[order], rows[order]) | {"joins": 0}
            join.meet(own, join.labels.append(own, columns))  # in silence

    def _columns(self, places: Ints, rows: Rows) -> dict[str, Column | int]:
        """What a ledger keeps of rows (n,) that come back."""
        own = {name: rows[name] for name in rows.dtype.names or () if name != NAMED}
        arrived = np.maximum(rows["time"], rows["seen"]) // self._pane
        beside = {"offset": offsets_of(places), "reach": rows["time"], "arrived": arrived}
        return {**own, **beside, "place": places, "kept": BACK}

    def _lost(self, turn: int) -> Given:
        """What a store has lost that knows of no turn after `turn`: told once."""
        if turn >= self._turn:
            return Given(0, 0)
        gone = [one for one in self._turns if one[0] > turn]
        if len(gone) == self._turn - turn:
            given = Given(sum(one[1] for one in gone), sum(one[2] for one in gone))
        else:  # longer ago than is remembered: all that could still be needed
            books = self._books.values()
            given = Given(sum(book[0] for book in books), sum(book[1] for book in books))
            for book in books:
                book[:2] = 0, 0
        self._turn = turn
        self._turns = deque((one for one in self._turns if one[0] <= turn), _TURNS)
        return given

    # -- leaving -----------------------------------------------------------------------------------

    def leaving(self, reached: Reached, versions: Mapping[str, int]) -> Leaving | None:
        """Rows that lie nowhere else yet, if not all then the oldest; None if there are none."""
        fields: list[bytes] = []
        rows: list[bytes] = []
        parts: list[Ids] = []
        names = np.array([version_name(name) for name in versions], np.uint64)
        tables = (PREDICTION, self._join.predictions), (LABEL, self._join.labels)
        most = _AT_ONCE if self._behind else None
        for kind, table in tables:
            new = _new(table)[: None if most is None else most - len(rows)]
            if not len(new):
                continue
            packed = np.zeros(len(new), self._form.of(kind))
            for name in packed.dtype.names or ():
                packed[name] = (
                    names[table.column("version")[new]]
                    if name == NAMED
                    else table.column(name)[new]
                )
            fields += fields_of(self._source, kind, table.column("place")[new])
            rows += cut(packed)
            parts.append(table.ids().only(new))
        if not rows:
            self._empty(reached)
            return None
        return Leaving(self._model, self._source, self._turn + 1, _joined(parts), fields, rows)

    def left(self, leaving: Leaving, known: int | None, reached: Reached, most: int) -> Given:
        """The store has taken what was leaving, or not (None); gives what had to be given up.

        `known` is the last turn that it knew of before. Memory holds at most `most` rows that
        nobody takes. `reached`: what the logs were read to.
        """
        tables = self._join.predictions, self._join.labels
        new = [_new(table) for table in tables]
        if known is None:
            self._behind = True
            if sum(map(len, new)) <= most:
                return Given(0, 0)
            self._empty(reached)
            return Given(*map(len, new))
        self._answers = True
        given = self._lost(known)
        gone = [new[0][: len(leaving.rows)], new[1][: max(len(leaving.rows) - len(new[0]), 0)]]
        self._turn = leaving.turn
        self._turns.append((self._turn, *map(len, gone)))  # type: ignore[arg-type] # two of them
        for side, (table, rows) in enumerate(zip(tables, gone, strict=True)):
            self._book(side, table.column("time")[rows])
            table.column("kept")[rows] = THERE
        self._behind = any(len(_new(table)) for table in tables)
        if not self._behind:
            self._empty(reached)
        return given

    def _empty(self, reached: Reached) -> None:
        """Let everything go."""
        join = self._join
        for table in (join.predictions, join.labels):
            table.drop(len(table))
        join.cold = {log: reached[log] for log in join.cold}

    def oldest(self, log: str) -> tuple[int, Millis] | None:
        """Offset and watermark of the first row in memory that lies nowhere else; None without."""
        if log not in self._join.cold:
            return None
        table = self._join.predictions if log == "predictions" else self._join.labels
        new = _new(table)
        if not len(new):
            return None
        return int(table.column("offset")[new[0]]), int(table.column("seen")[new[0]])

    # -- books -------------------------------------------------------------------------------------

    def waits(self, times: Ints) -> None:
        """Labels of these instants (n,) were admitted in sight."""
        self._book(_SEEN, times)

    def met(self, times: Ints, again: int) -> None:
        """Of those, these have met their first prediction; `again` of them had done so before."""
        self._book(_MET, times)
        self._orphaned += again

    def _book(self, column: int, times: Ints) -> None:
        if not len(times):
            return
        for bucket, count in zip(
            *np.unique(times // self._bucket, return_counts=True), strict=True
        ):
            self._books.setdefault(int(bucket), [0, 0, 0, 0])[column] += int(count)

    def settle(self, before: Millis) -> None:
        """Close the books of what nothing can refer to once watermarks have passed `before`."""
        self._orphaned = self.orphans(before)
        for bucket in [one for one in self._books if self._over(one, before)]:
            del self._books[bucket]

    def orphans(self, before: Millis) -> int:
        """Labels admitted in sight whose horizon has passed without a prediction, by buckets."""
        over = [book for bucket, book in self._books.items() if self._over(bucket, before)]
        return self._orphaned + sum(book[_SEEN] - book[_MET] for book in over)

    def _over(self, bucket: int, before: Millis) -> bool:
        return (bucket + 1) * self._bucket + self._horizon <= before

    def save(self) -> SavedShelf:
        """The state, for a snapshot."""
        books = [(bucket, *book) for bucket, book in sorted(self._books.items())]
        missed = []
        for table in (self._join.predictions, self._join.labels):
            new = _new(table)
            new = new[table.column("blind")[new] > 0]
            places, blind = table.column("place")[new], table.column("blind")[new]
            missed.append(dict(zip(places.tolist(), blind.tolist(), strict=True)))
        return SavedShelf(self._turn, self._orphaned, books, *missed)  # type: ignore[arg-type]

    def take_over(self, forgotten: int, joined: int) -> None:
        """Begin with a state of memory, which has dropped `forgotten` labels; `joined` of all did.

        What waits is re-read, and counted in the books then.
        """
        self._orphaned, self.taking_over = forgotten - joined, True

    def load(self, saved: SavedShelf, reached: Reached) -> None:
        """Take a snapshot up; records from `reached` on are to be read again."""
        self._turn, self._orphaned = saved.turn, saved.orphaned
        self._books = {bucket: list(book) for bucket, *book in saved.books}
        self._join.cold = {log: reached[log] for log in self._join.cold}
        self._join.missed = {"predictions": saved.predictions, "labels": saved.labels}


def _new(table: Ledger) -> Ints:
    """The rows in memory, counted from the oldest, that lie nowhere else."""
    return np.flatnonzero(table.column("kept") == HERE)


def _owners(counts: Ints) -> Ints:
    """Whose each row is: the number of its id."""
    return np.repeat(np.arange(len(counts)), counts)


def _ordered(places: Ints, keep: npt.NDArray[np.bool_]) -> Ints:
    """The rows (m,) to keep, in the order of their places."""
    rows = np.flatnonzero(keep)
    return rows[np.argsort(places[rows], kind="stable")]


def _once(ids: Ids) -> npt.NDArray[np.bool_]:
    """The first of equal ids."""
    first: dict[bytes, int] = {}
    for row in np.flatnonzero(ids.again).tolist():
        first.setdefault(ids.key(row), row)
    once = ~ids.again
    once[list(first.values())] = True
    return once


def _joined(parts: list[Ids]) -> Ids:
    """Ids one behind the other."""
    if len(parts) == 1:
        return parts[0]
    shifts = np.cumsum([0, *(len(part.content) for part in parts[:-1])])
    ends = [part.ends + shift for part, shift in zip(parts, shifts, strict=True)]
    return Ids(np.concatenate([part.content for part in parts]), np.concatenate(ends))
