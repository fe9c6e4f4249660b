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


class Signal(NamedTuple):
    """A named series: its cells, their names, the values numeric cells stand for."""

    name: str
    kind: SignalKind
    cells: tuple[str, ...]
    values: tuple[float, ...] | None
    important: bool


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
    label = _of("label", layout.target)
    if layout.regression is not None:
        return [label]
    return [label, Signal("error", "binary", RIGHT_WRONG, None, important=True)]


def read_outcomes(layout: Layout, vector: Counts) -> list[Counts]:
    """Cells of every outcome signal in an outcomes' vector."""
    if layout.target is None:
        return []
    if layout.regression is not None:
        return [vector[layout.outcomes["label"].span]]
    table = confusion(layout, vector)
    right = int(np.trace(table[:-1, :-1]))
    known = int(table[:, :-1].sum())
    return [table.sum(axis=0), np.array([right, known - right], np.int64)]


def confusion(layout: Layout, vector: Counts) -> Counts:
    """Outcomes by predicted cell and label cell (width, width); the last cells are missing."""
    assert layout.target is not None
    width = layout.target.width
    return vector[layout.outcomes["confusion"].span].reshape(width, width)


def _of(name: str, cells: NumericGrid | CategoryGrid, *, important: bool = True) -> Signal:
    if isinstance(cells, NumericGrid):
        return Signal(name, "numeric", cells.names, tuple(cells.values.tolist()), important)
    return Signal(name, "categorical", cells.names, None, important)
