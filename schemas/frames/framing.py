"""Records that hold plain tables, many at a time, to one frame.

Promises: a record is framed or left to be looked at row by row, whatever its neighbours are.
Leaves to others: rows that need a second look (`decode`), columns (`frame`, `arrow`, `lists`).
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import Any, Final, Literal, NamedTuple

import msgspec
import numpy as np

from schemas.envelope import ARROW, Envelope, EnvelopeError, open_envelope
from schemas.frames import lists
from schemas.frames.frame import Frame, Source, UnsureError, of_labels, of_predictions
from schemas.grid import Grid
from schemas.log import LogRecord
from schemas.rows import Ints
from schemas.tables import TableError, is_columns, of_columns, read_arrow
from schemas.typed import FEATURE_NAME
from schemas.vocabulary import TimestampUnit

_ARROW: Final = ARROW.encode()
_FAULTS: Final = (EnvelopeError, TableError, UnsureError, msgspec.DecodeError, UnicodeDecodeError)
_ODD: Final = (RecursionError, ValueError, TypeError, LookupError, ArithmeticError)
"""What reading columns of a stream may raise whose buffers do not fit its headers."""

Form = Literal["", "arrow", "lists"]


class Framed(NamedTuple):
    """A frame with the record of each row and the row's number in its record, both (n,)."""

    frame: Frame
    records: Ints
    rows: Ints


def form(record: LogRecord) -> Form:
    """What a record may hold; "" for no table."""
    value = record.value or b""
    if record.headers and any(_ARROW in (text or b"") for _, text in record.headers):
        return "arrow"
    return "lists" if b'"columns"' in value else ""


class Framer:
    """Frames the predictions that a grid counts, or labels."""

    def __init__(self, grid: Grid | None, unit: TimestampUnit, features: int, most: int) -> None:
        """`grid` None: labels. At most `features` a row, `most` bytes a record when unpacked."""
        self._grid, self._unit, self._features, self._most = grid, unit, features, most

    def runs(
        self, records: Sequence[LogRecord]
    ) -> Iterator[tuple[Sequence[LogRecord], Framed | None]]:
        """A batch cut into what is framed together, and what has to be looked at row by row."""
        for kind, run in groupby(records, form):
            own = list(run)
            framed = self.frame(own, kind) if kind else None
            if framed is None and kind and len(own) > 1:
                yield from (([one], self.frame([one], kind)) for one in own)
            else:
                yield own, framed

    def frame(self, records: Sequence[LogRecord], form: Form) -> Framed | None:
        """All records in one frame; None if any of them is not plain."""
        if any(len(one.value or b"") > self._most for one in records):
            return None
        try:
            envelopes = [open_envelope(one.headers, one.value or b"") for one in records]
            if form == "arrow":
                source, counts = self._arrow(envelopes)
            elif len(envelopes) == 1:
                source = _lists(envelopes[0])
                counts = [source.rows]
            else:
                return None
            if self._grid is None:
                frame = of_labels(source, self._unit)
            else:
                self._check(source.features)
                frame = of_predictions(source, self._grid, self._unit)
        except (*_FAULTS, *_ODD):
            return None
        lengths = np.array(counts, np.int64)
        of = np.repeat(np.arange(len(records)), lengths)
        begins = np.cumsum(lengths) - lengths
        return Framed(frame, of, np.arange(len(frame)) - begins[of])

    def _check(self, features: Collection[str]) -> None:
        """UnsureError if features are too many or not well named."""
        if len(features) > self._features or not all(map(FEATURE_NAME.fullmatch, features)):
            raise UnsureError

    def _arrow(self, envelopes: Sequence[Envelope]) -> tuple[Source, list[int]]:
        if any(one.media != "arrow" for one in envelopes):
            raise UnsureError
        tables = [read_arrow(one.content, self._most) for one in envelopes]
        from schemas.frames import arrow  # noqa: PLC0415 - an extra: only now is it certain to be there

        return arrow.source(tables), [table.num_rows for table in tables]


def _lists(envelope: Envelope) -> Source:
    tree: Any = msgspec.json.decode(envelope.content)
    if envelope.media != "json" or not isinstance(tree, dict) or not is_columns(tree):
        raise UnsureError
    table = of_columns(tree)
    return lists.source(table.rows, table.fields, table.nested)
