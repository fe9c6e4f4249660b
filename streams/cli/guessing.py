"""Columns of a sample that are no features, though nothing in their names says so.

Promises: a function of the first block; what is guessed is said in words, and what a user named
is never touched; a column that goes with time (a date, a row number, numbers that never fall) is
not watched, because it departs from any reference by itself.
Leaves to others: usual names (`recordings.mapping`), types of features (learned by the machines).
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final

import msgspec

from schemas.log import Millis
from streams.runtime.recordings.cells import NULL
from streams.runtime.recordings.files import Block, open_table
from streams.runtime.recordings.instants import InstantColumn, NoInstants
from streams.runtime.recordings.mapping import Columns, assign
from streams.runtime.recordings.rows import id_texts

_FEWEST: Final = 30
"""Rows from which anything is guessed."""

_STEPS: Final = 3
"""Distinct values from which numbers that never fall look like a clock; two may be a flag."""

_FAR: Final = 10
"""Steps that a row may be behind those above it; a pane that is inferred has as many."""

_SOUND: Final = 0.99
"""Share of cells that must be of a kind; recordings have a damaged cell here and there."""

_DATED: Final = re.compile(r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d|\d{1,2}([/.])\d{1,2}\2\d{4})", re.ASCII)
_LONGEST_DATE: Final = 40
_FRACTION: Final = re.compile(r"-?\d+[.,]\d+", re.ASCII)
_DIGITS: Final = frozenset("-0123456789")

_LABELS: Final = ("class", "outcome", "response", "cnt", "y")
"""Names that are often a label's, and as often a feature's; so they are only pointed out."""


class Guess(msgspec.Struct, frozen=True, kw_only=True):
    """Columns by role, and what was guessed, a sentence each."""

    columns: Columns
    notes: tuple[str, ...] = ()


def guess(path: Path, wanted: Columns, keep: Iterable[str] = ()) -> Guess:
    """What the columns of a file are; `keep` are features whatever they look like.

    FileError if the file cannot be read, or a column in `wanted` is not there.
    """
    table = open_table(path)
    if table.model is not None:
        return Guess(columns=wanted)
    named = assign(table.columns, wanted, str(path))
    block = next(iter(table.blocks()), None)
    if block is None or block.rows < _FEWEST or wanted.features:
        return Guess(columns=wanted)
    return _Guesser(block, wanted, named, frozenset(keep)).guess()


class _Guesser:
    """Looks at the columns of one block that have no role yet."""

    def __init__(self, block: Block, wanted: Columns, named: Columns, keep: frozenset[str]) -> None:
        self._block = block
        self._wanted = wanted
        self._features = [name for name in named.features if name not in keep]
        self._kept = [name for name in named.features if name in keep]
        self._id, self._timestamp = named.id, named.timestamp
        self._label, self._prediction = named.label, named.prediction
        self._notes: list[str] = []

    def guess(self) -> Guess:
        for name in list(self._features):
            self._look(name)
        self._warn()
        value = next(filter(_FRACTION.fullmatch, (*self._features, *self._kept)), None)
        if value is not None:
            self._notes.append(f"the first line must name the columns, and has a value: {value}")
        if self._label is None:
            near = next((n for n in self._features if n.lower() in _LABELS), None)
            if near is not None:
                self._notes.append(
                    f"column {near} looks like a label, and is watched as a feature: "
                    f"say --label {near} (and --prediction) if it is one"
                )
        columns = msgspec.structs.replace(
            self._wanted,
            id=self._wanted.id or self._id,
            timestamp=self._wanted.timestamp or self._timestamp,
            every=None if self._timestamp is not None else self._wanted.every,
            features=(*self._kept, *self._features),
        )
        return Guess(columns=columns, notes=tuple(self._notes))

    def _warn(self) -> None:
        """Say what is wrong with columns that have a role by their names."""
        if self._id is not None:
            count, rows = len(set(id_texts(self._block.values(self._id)))), self._block.rows
            if count < _SOUND * rows:
                self._notes.append(
                    f"column {self._id} repeats ({count:,} values in {rows:,} rows), and rows with "
                    "the same id count once: say --id COLUMN if it is another"
                )
        if self._timestamp is not None:
            try:
                read = InstantColumn().read(self._block.values(self._timestamp))
            except NoInstants:
                return  # the replay says so
            times = [time for time in read if time is not None]
            late = _late(times)
            if late > (1 - _SOUND) * len(times):
                self._notes.append(
                    f"column {self._timestamp} runs backwards ({late:,} of {len(times):,} rows are "
                    "late), and late rows are not judged: sort the rows by it, the oldest first"
                )

    def _look(self, name: str) -> None:
        """Take a column out of the features if it is none."""
        cells = [cell for cell in self._block.values(name) if cell not in (None, "")]
        if any(isinstance(cell, dict | list) for cell in cells):
            self._note(name, "holds lists or objects: not watched")
            return
        if len(cells) < _FEWEST:
            return
        try:
            times = _dates(cells)
        except NoInstants as error:
            self._note(name, f"holds dates, and {error}: not watched")
            return
        if times is not None:
            if self._timestamp is None and self._wanted.every is None and _rises(times):
                self._timestamp = name
                self._note(name, "is the timestamp")
            else:
                self._note(name, "holds dates, which are always new: not watched")
        elif (numbers := _numbers(self._block.literals(name))) is not None:
            if _counts(numbers):
                self._name_id(name, "counts the rows")
            elif _rises(numbers) and len(set(numbers)) >= _STEPS:
                self._note(name, "never falls, like a clock: not watched")
        elif len(set(cells)) == len(cells):
            words = any(" " in str(cell).strip() for cell in cells)
            self._name_id(name, "is different in every row", may_be=not words)

    def _name_id(self, name: str, why: str, *, may_be: bool = True) -> None:
        if self._id is None and may_be:
            self._id = name
            self._note(name, f"{why}: taken as the id")
        else:
            self._note(name, f"{why}: not watched")

    def _note(self, name: str, what: str) -> None:
        self._features.remove(name)
        self._notes.append(f"column {name} {what}")


def _dates(cells: Sequence[object]) -> list[Millis] | None:
    """The cells as instants if nearly each is a date; numbers are not. NoInstants: ambiguous."""
    dates = [cell for cell in cells if isinstance(cell, date) or _like_a_date(cell)]
    if len(dates) < _SOUND * len(cells):
        return None
    told = [instant for instant in InstantColumn().read(dates) if instant is not None]
    return told if len(told) >= _SOUND * len(cells) else None


def _like_a_date(cell: object) -> bool:
    """Whether a text is one that `InstantColumn` may read as a date and never as a number."""
    return isinstance(cell, str) and len(cell) <= _LONGEST_DATE and bool(_DATED.match(cell))


def _numbers(literals: Sequence[str]) -> list[float] | None:
    """The cells as numbers if nearly each is one."""
    told = [one for one in literals if one != NULL]
    numbers = [float(one) for one in told if one[0] in _DIGITS]
    return numbers if len(numbers) >= _SOUND * len(told) else None


def _late(times: Sequence[Millis]) -> int:
    """How many instants lie further before one above them than rows of ten usual steps."""
    if not times:
        return 0
    far = _FAR * (max(times) - min(times)) // len(times)
    return sum(top - time > far for top, time in zip(accumulate(times, max), times, strict=True))


def _rises(values: Sequence[float]) -> bool:
    """Whether values never fall, and are not all the same."""
    return values[-1] > values[0] and all(after >= before for before, after in pairwise(values))


def _counts(values: Sequence[float]) -> bool:
    """Whether values are those before plus one, but for a few that were not sound."""
    steps = [after - before for before, after in pairwise(values)]
    return min(steps) > 0 and sum(step == 1 for step in steps) >= _SOUND * len(steps)
