"""A stack: the panels of one lane in one row of arrays, so that a pane costs few numpy calls.

Promises: what is said of a panel does not depend on the others in the stack, nor on their order.
Leaves to others: windows and findings (`panel`), which panels there are (`lane`).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from detectors.arrays import Floats
from detectors.effect import CellShift, Effect, EffectBank, Look
from detectors.shiryaev_roberts import Bank, BankState
from detectors.stability import CategoryStability
from schemas.journal import Counts
from streams.monitor.effects import Measure, quiet
from streams.monitor.panel import Panel, Place


class Sight(NamedTuple):
    """What a closed pane shows of the signals of one panel, (S,) each.

    `logs` of the sequential evidence, `updates` behind it, `begins`: the pane with which the
    leading alternative began (-1: none leads); `rows` in the window. The rest: of all panels.
    """

    logs: Floats
    updates: Counts
    begins: list[int]
    rows: list[int]
    stack: "Stack"
    look: Look
    first: int
    told: tuple[list[float], list[float]]

    def effect(self, signal: int) -> Effect | None:
        """How far the window of a signal is from its reference."""
        return self.stack.effects.of(self.first + signal, self.look)

    def yes(self, signal: int) -> CellShift | None:
        """How far the window of an indicator is from its reference."""
        return self.stack.effects.yes(self.first + signal, self.look)

    def stable(self, signal: int) -> Measure | None:
        """What there is to say of a quiet categorical signal; None for other kinds."""
        place = self.stack.categorical.get(self.first + signal)
        if place is None:
            return None
        return quiet(self.told[0][place], self.told[1][place])


class Stack:
    """The panels of a lane, side by side; made anew when one comes or goes."""

    def __init__(self, panels: Sequence[Panel], states: Mapping[Place, BankState]) -> None:
        """All panels have the same signals; `states` of those whose detectors have run before."""
        self._panels = {panel.place: number for number, panel in enumerate(panels)}
        self._all = list(panels)
        sticks = [panel.yardstick for panel in panels]
        self._width = sticks[0].width
        self._signals = len(sticks[0].signals)
        self._bank = Bank(
            (), tolerance=0.0, known=[one for stick in sticks for one in stick.contrasts]
        )
        for panel in panels:
            state, begin = states.get(panel.place), self._begin(panel.place)
            # Under another tolerance there are other alternatives: evidence begins anew.
            if state is not None and self._bank.takes(state, begin):
                self._bank.load(state, begin)
        self.effects = EffectBank([one for stick in sticks for one in stick.references])
        categorical = [(n, i) for n, stick in enumerate(sticks) for i in stick.categorical]
        self.categorical = {
            n * self._signals + i: place for place, (n, i) in enumerate(categorical)
        }
        self._stability = CategoryStability(
            [sticks[n].references[i].counts for n, i in categorical],
            [sticks[n].standards[i].dispersion for n, i in categorical],
        )
        cells = [
            np.arange(sticks[n].spans[i].start, sticks[n].spans[i].stop) + n * self._width
            for n, i in categorical
        ]
        self._cells = np.concatenate(cells) if cells else np.zeros(0, np.intp)

    def update(self, pane: int, rows: Mapping[Place, Counts]) -> dict[Place, Sight]:
        """Take a pane's counts, all cells of a place in one vector; gives what it shows of them.

        The panels' windows hold the pane already.
        """
        counts = np.zeros((len(self._all), self._width), np.int64)
        for place, row in rows.items():
            counts[self._panels[place]] = row
        self._bank.update([counts.ravel()], pane)
        logs, begins = self._bank.verdicts()
        windows = np.concatenate([panel.sums for panel in self._all])
        look = self.effects.look(windows)
        stable = self._stability.psi([windows[self._cells]])
        told = stable[0].tolist(), stable[1].tolist()
        out = {}
        for place in rows:
            first = self._begin(place)
            own = slice(first, first + self._signals)
            out[place] = Sight(
                logs[own],
                self._bank.updates[own],
                begins[own].tolist(),
                look.rows[own],
                self,
                look,
                first,
                told,
            )
        return out

    def restart(self, place: Place, signal: int) -> None:
        """Begin the detector of one signal anew."""
        self._bank.reset(self._begin(place) + signal)

    def states(self) -> dict[Place, BankState]:
        """Of each place the state of its detectors."""
        return {
            place: self._bank.state(first, first + self._signals)
            for place in self._panels
            for first in [self._begin(place)]
        }

    def _begin(self, place: Place) -> int:
        """The first of a place's signals in the row of all."""
        return self._panels[place] * self._signals
