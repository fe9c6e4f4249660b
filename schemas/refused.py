"""What was refused of a batch, as columns: a log may be half poison, and its reasons are few.

Promises: the order is that in which it was told; to look at one refusal after the other gives the
same as the columns.
Leaves to others: why a record is refused (`decode`, `profiler`), what becomes of it
(`profiler.postbag`).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.rows import ALONE, Ints, Refusal

Reason = tuple[str, str]
"""Code and message."""


class Refused(NamedTuple):
    """Refusals (n,): positions in the batch, rows (ALONE: no table), and which of `reasons`.

    Positions are those of records, or of rows until they are `placed`.
    """

    positions: Ints
    rows: Ints
    why: Ints
    reasons: tuple[Reason, ...]

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.positions)

    def one_by_one(self) -> Iterator[Refusal]:
        """Each refusal by itself."""
        columns = (self.positions.tolist(), self.why.tolist(), self.rows.tolist())
        for position, why, row in zip(*columns, strict=True):
            code, message = self.reasons[why]
            yield Refusal(position, code, message, row)

    def only(self, kept: "npt.NDArray[np.bool_] | Ints") -> "Refused":
        """Some of them."""
        return Refused(self.positions[kept], self.rows[kept], self.why[kept], self.reasons)

    def between(self, begin: int, stop: int) -> "Refused":
        """Those at positions begin .. stop - 1, counted from begin."""
        own = self.only((begin <= self.positions) & (self.positions < stop))
        return own._replace(positions=own.positions - begin)

    def placed(self, records: Ints, rows: Ints | None) -> "Refused":
        """Refusals by row as refusals by record: row i is of `records[i]`, there row `rows[i]`."""
        own = np.full(self.size, ALONE, np.int64) if rows is None else rows[self.positions]
        return Refused(records[self.positions], own, self.why, self.reasons)

    def codes(self) -> list[str]:
        """The code of each of `reasons`."""
        return [code for code, _ in self.reasons]


def alike(positions: "Ints | Sequence[int]", code: str, message: str) -> Refused:
    """Refusals of whole records, or by row, for one reason."""
    at = np.asarray(positions, np.int64)
    return Refused(at, np.full(len(at), ALONE), np.zeros(len(at), np.int64), ((code, message),))


def of_refusals(refusals: Sequence[Refusal]) -> Refused:
    """Refusals one by one as columns."""
    reasons: dict[Reason, int] = {}
    why = [reasons.setdefault((one.code, one.message), len(reasons)) for one in refusals]
    return Refused(
        np.array([one.position for one in refusals], np.int64),
        np.array([one.row for one in refusals], np.int64),
        np.array(why, np.int64),
        tuple(reasons),
    )


def together(parts: Iterable[Refused]) -> Refused:
    """Refusals one part after the other."""
    told = [part for part in parts if part.size]
    if len(told) < 2:  # noqa: PLR2004 - nothing to put together
        return told[0] if told else NOBODY
    reasons: dict[Reason, int] = {}
    whys = []
    for part in told:
        numbers = [reasons.setdefault(reason, len(reasons)) for reason in part.reasons]
        whys.append(np.array(numbers, np.int64)[part.why])
    return Refused(
        np.concatenate([part.positions for part in told]),
        np.concatenate([part.rows for part in told]),
        np.concatenate(whys),
        tuple(reasons),
    )


NOBODY: Final = of_refusals([])
"""Nothing was refused."""
