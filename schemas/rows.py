"""Columns that the organs of the profiler hand one another; no record is looked at twice."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Verdicts = npt.NDArray[np.int8]

ACCEPTED: Final = 0
DUPLICATE: Final = 1
CONFLICT: Final = 2
EXPIRED: Final = 3
SKIPPED: Final = 4
"""Refused before the snapshot; met again by the reading that follows a restore."""
OPINION: Final = 5
"""A label that another annotator gave beside the one that counts; it makes no outcome."""


class Joined(NamedTuple):
    """Outcomes: pairs of rows (n,) in the two ledgers.

    `sign` +1 adds the outcome, -1 takes an earlier one away; `revision` marks both halves of a
    correction; `first` is True where the label had joined nothing before.
    """

    predictions: Ints
    labels: Ints
    prediction_offsets: Ints
    label_offsets: Ints
    arrived: Ints
    sign: int
    revision: bool
    first: npt.NDArray[np.bool_]


ALONE: Final = -1
"""The row of what is refused as a whole record."""

ROW_BITS: Final = 20
"""A row of a record has the place `offset << ROW_BITS | row`: places ascend as rows are read."""


class Refusal(NamedTuple):
    """A row that cannot be counted: its record's position in the batch, a code, what to say.

    `row` is its number in the record's table, ALONE where the record is no table.
    """

    position: int
    code: str
    message: str
    row: int = ALONE
