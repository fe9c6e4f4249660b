"""Company: which of the rows that were just admitted stand beside another answer to their request.

A shadow's answer and the one that was given carry the same id, so they are in one partition.
Laws obeyed here: a pair is found once, when the later of its rows is read; whether it is one
depends on the times and watermarks of both rows alone, as for a label (`join`).
Leaves to others: what is counted of a pair, and whether it was counted before.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.log import Millis
from schemas.rows import Ints
from streams.join.ledger import Ledger


class Company(NamedTuple):
    """Pairs (n,): row numbers of a shadow's answer, of the one that was given, of the later."""

    shadows: Ints
    answers: Ints
    later: Ints


def company(table: Ledger, since: int, shadow: npt.NDArray[np.bool_], horizon: Millis) -> Company:
    """The pairs whose later row has a number from `since` on; `shadow` by number of a version."""
    rows = np.arange(max(since, table.start), table.start + len(table))
    back = table.take("back", rows).astype(np.int64)
    met = (back > 0) & (rows - back >= table.start)
    later, earlier = rows[met], (rows - back)[met]
    plain = table.first(earlier)
    pairs = [np.stack([later[plain], earlier[plain]], axis=1)]
    for row in later[~plain].tolist():
        others = [(row, other) for other in table.chain(row) if other != row]
        pairs.append(np.array(others, np.int64).reshape(-1, 2))
    later, earlier = np.concatenate(pairs).T
    mine = shadow[table.take("version", later)]
    kept = (mine != shadow[table.take("version", earlier)]) & _near(table, later, earlier, horizon)
    mine, later, earlier = mine[kept], later[kept], earlier[kept]
    return Company(np.where(mine, later, earlier), np.where(mine, earlier, later), later)


def _near(table: Ledger, a: Ints, b: Ints, horizon: Millis) -> npt.NDArray[np.bool_]:
    """Whether both rows are within the horizon, by times and by watermarks at own offsets."""
    time_a, time_b = table.take("time", a), table.take("time", b)
    near = np.abs(time_a - time_b) <= horizon
    near &= (table.take("seen", a) <= time_b + horizon) & (
        table.take("seen", b) <= time_a + horizon
    )
    return np.asarray(near, np.bool_)
