"""Units: the law a numeric column would have if it came in another unit, or with another sign.

A pipeline that sends cents for euros, or milliseconds for seconds, multiplies every value; what
that makes of the cells of a grid follows from the reference alone. So a column is called rescaled
because its cells are those of a unit that people use, and not because it left its range.

Promises: a pure function of a grid's edges and the shares in its cells; ratios below ten are no
units here, because prices and ages of real populations move by such factors.
Leaves to others: whether the cells that are seen are those of another unit (`faults` of a monitor).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.grid import MAX_CELLS, NumericGrid

RATIOS: Final = tuple(
    ratio**sign for ratio in (10.0, 60.0, 100.0, 1000.0, 3600.0, 1e6) for sign in (1, -1)
)
"""Decimal places, minutes, percent, thousands, hours, millions; and back."""

_ONE_SIGN: Final = 0.95
"""Share of the values beside nought from which a column has a sign; of another column the mirror
image may be no more than a shift of its mean."""

_PARTS: Final = 32
"""Points that stand for the values of one cell, evenly spread over it."""

_TIED: Final = 1.5
"""A cell with so many times the share of a quantile cell holds one frequent value, at its lower
edge; beside it there is the share of a quantile cell."""


@lru_cache(maxsize=512)
def laws_in_units(edges: Sequence[float], present: Sequence[float]) -> Floats:
    """Shares of the cells below, c1.., above (k, width - 1) of the column times each of k factors.

    The factors are `RATIOS`, and -1 for a column that has a sign. `present` (width - 1,) are the
    shares as they are now, of rows with a value.
    """
    grid = NumericGrid(tuple(edges))
    inner = np.array(present[1:-1])
    tied = np.where(inner > _TIED / MAX_CELLS, inner - 1 / MAX_CELLS, 0.0)
    e = np.array(edges)
    middles = (np.arange(_PARTS) + 0.5) / _PARTS
    spread = (e[:-1, None] + np.diff(e)[:, None] * middles).ravel()
    values = np.concatenate([e[:1], e[:-1], spread, e[-1:]])
    loose = np.repeat((inner - tied) / _PARTS, _PARTS)
    masses = np.concatenate([present[:1], tied, loose, present[-1:]])
    up, down = float(masses[values > 0].sum()), float(masses[values < 0].sum())
    signs = (-1.0,) if max(up, down) >= _ONE_SIGN * (up + down) > 0 else ()
    with np.errstate(over="ignore"):
        cells = [grid.codes(values * factor) for factor in (*RATIOS, *signs)]
    return np.array([np.bincount(one, masses, len(present) + 1)[:-1] for one in cells])
