"""Portraits: what the window of every signal looks like beside its reference, drifting or not.

Drift events show histograms of what moved. A portrait is coarser, comes with the readings of a
whole version, and for each signal: 1, 2, 4, 8, 16 panes after its detector began, and every
32 panes after that, each signal in a pane of its own turn.

Promises: at most `BARS` shares a portrait, of the rows and the reference that its reading names;
when one is due follows from the panes alone; indicators (errors) have none, because two shares
say no more than the reading.
Leaves to others: what a histogram's bars are (`effects`), who shows them (the pages).
"""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from schemas.finding import Cell, Finding
from schemas.grid import WHOLE
from schemas.journal import Counts
from streams.monitor.effects import Bars
from streams.monitor.panel import Panel

BARS: Final = 16
"""Bars of a portrait at most."""

EVERY: Final = 32
"""Panes between two portraits of a signal, as long as two summaries are apart."""


def portrayed(panel: Panel, updates: Counts, found: list[Finding]) -> list[Finding]:
    """The findings of a panel, its signals' first, with the portraits that are due.

    `updates` (S,): panes with rows behind each signal's evidence.
    """
    if panel.place.segment != WHOLE:
        return found
    for index in _due(updates.tolist()):
        signal = panel.yardstick.signals[index]
        window = panel.sums[panel.yardstick.spans[index]]
        if signal.kind != "binary" and window.any():
            bars = Bars(signal, panel.yardstick.references[index], BARS)
            found[index] = replace(found[index], portrait=_rounded(bars.cells(window)))
    return found


def _due(updates: Sequence[int]) -> list[int]:
    """Which signals have their turn."""
    return [
        index
        for index, panes in enumerate(updates)
        if (panes + index) % EVERY == 0 or (0 < panes < EVERY and panes & (panes - 1) == 0)
    ]


def _rounded(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Shares of four digits: more than a bar shows, and a third of the bytes."""
    return tuple(
        Cell(
            name=cell.name,
            reference=float(f"{cell.reference:.4g}"),
            current=float(f"{cell.current:.4g}"),
        )
        for cell in cells
    )
