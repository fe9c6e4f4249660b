"""Lists of JSON values as columns of a frame.

Promises: one look at the types of a list decides whether it is plain; a number of which it is not
certain whether the text had a whole one is UnsureError.
Leaves to others: what the columns mean (`frame`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from schemas.frames.frame import Coded, Floats, Source, UnsureError
from schemas.frames.ids import Ids
from schemas.instants import Timestamp
from schemas.rows import Ints
from schemas.typed import EXACT

_NUMBERS: Final = {int, float, type(None)}


class ListColumn:
    """One list of a JSON text."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = values
        self._types = set(map(type, values))

    def floats(self, out: Floats, *, exact: bool) -> None:  # noqa: ARG002 - see the promise above
        """Write numbers to `out` (n,), null as NaN; never one that a float cannot hold."""
        if not self._types <= _NUMBERS:
            raise UnsureError
        try:
            out[:] = np.array(self._values, np.float64)
        except OverflowError:
            raise UnsureError from None
        if (np.abs(out) >= EXACT).any():
            raise UnsureError

    def nulls(self) -> int:
        """How many rows are null."""
        return sum(value is None for value in self._values) if type(None) in self._types else 0

    def coded(self) -> Coded:
        """Any values (n,)."""
        if float in self._types and any(type(v) is float and abs(v) >= EXACT for v in self._values):
            raise UnsureError
        try:
            places: dict[Any, int] = {}
            enter = places.setdefault
            # 1, 1.0 and true are one key, and one category too (see `columns.Categories`).
            codes = [enter(value, len(places)) for value in self._values]
        except TypeError:
            raise UnsureError from None
        return Coded(np.array(codes, np.int64), list(places))

    def ids(self) -> Ids:
        """Texts (n,), none of them null."""
        if self._types != {str}:
            raise UnsureError
        return Ids.of(self._values)

    def instants(self) -> Ints | list[Timestamp]:
        """Instants as the producer wrote them."""
        return list(self._values)


def source(rows: int, fields: Mapping[str, Sequence[Any]], nested: Mapping[str, Any]) -> Source:
    """The columns of a table of lists."""
    return Source(
        rows,
        {name: ListColumn(column) for name, column in fields.items()},
        *(
            {name: ListColumn(column) for name, column in nested.get(part, {}).items()}
            for part in ("features", "tags")
        ),
    )
