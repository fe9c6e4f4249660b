"""Letters: what is refused, record by record, so that each record is written down once.

Promises: one refusal a record, which names the rows of a table that it is about; a record that is
no table keeps its own.
Leaves to others: the dead letter itself (`postbag`).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from schemas.log import Headers, LogRecord
from schemas.refused import Refused, of_refusals, together
from schemas.rows import ALONE, CONFLICT, EXPIRED, Refusal
from streams.profiler.blocks import Mask

_VERSION: Final = b"1"
"""Of the reasons in dead letters."""

_NAMED: Final = 20
"""Rows that a message names; of more it gives the number."""


MESSAGES: Final = {
    CONFLICT: ("conflict", "the id was used before with other content"),
    EXPIRED: ("expired", "older than horizon and lateness by the watermark"),
}
"""What is said of verdicts that refuse a row."""


def reason(code: str, message: str) -> Headers:
    """The headers of a dead letter that say why; where it stood follows them."""
    return (
        ("windage.error.code", code.encode()),
        ("windage.error.message", message.encode()),
        ("windage.error.stage", b"profiler"),
        ("windage.error.version", _VERSION),
        ("__connect.errors.exception.class.name", b"windage." + code.encode()),
        ("__connect.errors.exception.message", message.encode()),
    )


def letters(refused: Refused) -> Refused:
    """The refusals of a batch, those of one table's rows together; the first row gives the code."""
    alone = refused.rows == ALONE
    if alone.all():
        return refused
    tables: dict[int, list[Refusal]] = {}
    for refusal in refused.only(~alone).one_by_one():
        tables.setdefault(refusal.position, []).append(refusal)
    merged = []
    for position, rows in tables.items():
        rows.sort(key=lambda one: one.row)
        merged.append(Refusal(position, rows[0].code, _said(rows), rows[0].row))
    return together([refused.only(alone), of_refusals(merged)])


def _said(rows: Sequence[Refusal]) -> str:
    """For example: "rows 3, 7: the timestamp cannot be read as declared"."""
    reasons: dict[str, list[int]] = {}
    for one in rows:
        reasons.setdefault(one.message, []).append(one.row)
    return "; ".join(f"{_named(numbers)}: {message}" for message, numbers in reasons.items())


def _named(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"row {numbers[0]}"
    named = ", ".join(map(str, numbers[:_NAMED]))
    more = len(numbers) - _NAMED
    return f"rows {named} and {more} more" if more > 0 else f"rows {named}"


def fresh(refused: Refused, new: Mask) -> int:
    """How many refusals are of records that are new (n,)."""
    return int(np.count_nonzero(new[refused.positions]))


def tombstones(records: Sequence[LogRecord], new: Mask) -> int:
    """How many new records have no value."""
    return sum(record.value is None for record, fresh in zip(records, new, strict=True) if fresh)
