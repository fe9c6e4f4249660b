"""Refusals: the cells of a profile that counts what became of a partition's input records.

Promises: for each of the two logs that a model is counted from, how many records were read, and how
many of them were refused, by code; repeats and what has expired are in neither.
Leaves to others: when a record is refused (profiler), how many are too many (monitor).
"""

from typing import Final, Literal

from schemas.journal import Counts
from schemas.log import InputLog
from schemas.vocabulary import RefusalCode, words

CODES: Final[tuple[str, ...]] = tuple(code for code in words(RefusalCode) if code != "expired")
"""What has expired is no fault of the record: it was in time once, or comes again."""

Counted = Literal["predictions", "labels"]

LOGS: Final[tuple[Counted, ...]] = ("predictions", "labels")

WIDTH: Final = len(LOGS) * (1 + len(CODES))
"""Of each log: the records read, then those refused by code."""

READ: Final[dict[InputLog, int]] = {log: i * (1 + len(CODES)) for i, log in enumerate(LOGS)}
"""Cell of the records read of a log."""

REFUSED: Final[dict[tuple[InputLog, str], int]] = {
    (log, code): READ[log] + 1 + i for log in LOGS for i, code in enumerate(CODES)
}
"""Cell of the records of a log that were refused with a code."""


def read_of(cells: Counts) -> int:
    """Records read of both logs."""
    return int(sum(cells[at] for at in READ.values()))


def refused_of(cells: Counts) -> dict[str, int]:
    """Records refused of both logs by code, in the order of the codes; none that is 0."""
    plain = cells.tolist()  # one by one out of an array, they would take ten times as long
    counts = {code: sum(plain[REFUSED[log, code]] for log in LOGS) for code in CODES}
    return {code: count for code, count in counts.items() if count}
