"""Signals: the named series that monitors watch, read out of profile vectors.

Promises: order and names depend on the grid alone; reading is a sum of cells, so it commutes with
merging.
Leaves to others: what is normal (`baseline`), what a departure means (monitor, policy).
"""

from typing import Final, NamedTuple

import numpy as np

from detectors.grid import CategoryGrid, NumericGrid
from detectors.reference import SignalKind
from schemas.grid import Layout
from schemas.journal import Counts

RIGHT_WRONG: Final = ("right", "wrong")
WRONG_RIGHT: Final = ("wrong", "right")
"""An indicator is watched for more of its second cell: of `gain`, right predictions."""


_RELEVANT: Final = CategoryGrid(("something relevant", "nothing relevant"))
"""The label of a ranking, beside how well its list was ordered: that is the error."""


class Signal(NamedTuple):
    """A named series: its cells, their names, the values numeric cells stand for, their edges."""

    name: str
    kind: SignalKind
    cells: tuple[str, ...]
    values: tuple[float, ...] | None
    important: bool
    edges: tuple[float, ...] = ()


def prediction_signals(layout: Layout) -> list[Signal]:
    """Signals that need no labels, in the order of `read_predictions`."""
    grid = layout.grid
    out = [
        _of(f"feature:{one.name}", layout.features[one.name], important=one.important)
        for one in grid.features
    ]
    if layout.score:
        out.append(_of("score", layout.score))
    if layout.target:
        out.append(_of("prediction", layout.target))
    return out


def read_predictions(layout: Layout, vector: Counts) -> list[Counts]:
    """Cells of every prediction signal in a predictions' vector."""
    blocks = layout.predictions
    return [vector[blocks[signal.name].span] for signal in prediction_signals(layout)]


def outcome_signals(layout: Layout) -> list[Signal]:
    """Signals that need labels, in the order of `read_outcomes`."""
    if layout.target is None:
        return []
    if layout.residuals is not None:
        found = _RELEVANT if layout.ranking else layout.target
        return [_of("label", found), _of("error", layout.residuals)]
    label = _of("label", layout.target)
    named = {"error": RIGHT_WRONG, "gain": WRONG_RIGHT}
    if _positive(layout) is not None:
        named |= {"error:false_positive": RIGHT_WRONG, "error:false_negative": RIGHT_WRONG}
    return [
        label,
        *(Signal(name, "binary", cells, None, important=True) for name, cells in named.items()),
    ]


def read_outcomes(layout: Layout, vector: Counts) -> list[Counts]:
    """Cells of every outcome signal in an outcomes' vector."""
    if layout.target is None:
        return []
    if layout.ranking is not None:
        return _read_lists(vector[layout.outcomes["error"].span])
    if layout.residuals is not None:
        return [vector[layout.outcomes[name].span] for name in ("label", "error")]
    table = confusion(layout, vector)
    known = table[:, :-1]
    right, rows = int(np.trace(known[:-1])), int(known.sum())
    out = [table.sum(axis=0), np.array([right, rows - right]), np.array([rows - right, right])]
    positive = _positive(layout)
    if positive is not None:
        hit = int(known[positive, positive])
        called, real = int(known[positive].sum()), int(known[:, positive].sum())
        alarms = called - hit
        out += [np.array([rows - real - alarms, alarms]), np.array([hit, real - hit])]
    return out


def _read_lists(cells: Counts) -> list[Counts]:
    """Of lists: whether anything was relevant in them, and the misses of those where it was."""
    found, nothing = int(cells[:-1].sum()), int(cells[-1])
    error = cells.copy()
    error[-1] = 0
    return [np.array([found, nothing, 0, 0]), error]


def confusion(layout: Layout, vector: Counts) -> Counts:
    """Outcomes by predicted cell and label cell (width, width); the last cells are missing."""
    assert layout.target is not None
    width = layout.target.width
    return vector[layout.outcomes["confusion"].span].reshape(width, width)


def _positive(layout: Layout) -> int | None:
    """The cell of the positive class; None where no class is."""
    grid = layout.grid
    if grid.positive is None or grid.target is None or grid.positive not in grid.target.categories:
        return None
    return grid.target.categories.index(grid.positive)


def _of(name: str, cells: NumericGrid | CategoryGrid, *, important: bool = True) -> Signal:
    if isinstance(cells, NumericGrid):
        values = tuple(cells.values.tolist())
        return Signal(name, "numeric", cells.names, values, important, cells.edges)
    return Signal(name, "categorical", cells.names, None, important)
