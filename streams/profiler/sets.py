"""Sets: rows by the version of the feature set that they were made with.

Promises: a profile of the kind `sets` of each version, in the pane of its rows, of the whole; rows
that name no feature set count nowhere.
Leaves to others: what a new one means (monitor).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from schemas.frames.frame import Coded
from schemas.rows import Ints
from schemas.sets import WIDTH, cell_of
from streams.panes import Panes, Placed


def count_sets(panes: Panes, where: Placed, versions: Sequence[str], sets: Coded) -> None:
    """Count rows `where` (n,) by their feature `sets` (n,), "" being none."""
    cells = np.array([cell_of(name) if name else -1 for name in sets.values], np.int64)
    if not (cells >= 0).any():
        return
    codes = cells[sets.codes]
    said = codes >= 0
    codes = codes[said]

    def count(groups: Ints, n: int) -> npt.NDArray[np.int64]:
        return np.bincount(groups * WIDTH + codes, minlength=n * WIDTH).reshape(n, WIDTH)

    panes.add("sets", where.only(said), versions, [(slice(0, WIDTH), count)])
