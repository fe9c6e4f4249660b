"""A lane: all panels of one kind of profile (predictions, or outcomes) of one model.

Promises: a pane either builds the reference or is judged against it, never both; late rows
correct windows and references that still grow, never sequential detectors.
Leaves to others: which pane closes (`intake`), one panel's judgement (`panel`).
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec
import numpy as np

from detectors.shiryaev_roberts import BankState
from schemas.baseline import Normal
from schemas.finding import Finding
from schemas.journal import Counts
from schemas.log import Millis
from streams.monitor.collector import Collector, SavedCollector
from streams.monitor.panel import Panel, Place, SavedPanel
from streams.monitor.stack import Stack
from streams.monitor.watch import Closing, Setting
from streams.monitor.yardstick import Yardstick
from streams.signals import (
    Signal,
    outcome_signals,
    prediction_signals,
    read_outcomes,
    read_predictions,
)

MAX_VERSIONS: Final = 16
"""Versions judged at a time; the one not seen for longest gives way, but none of this pane."""


class SavedLane(msgspec.Struct, frozen=True, kw_only=True):
    """A lane in a snapshot."""

    normals: dict[str, dict[str, Normal]]
    reference_id: str
    collector: SavedCollector | None
    panels: list[tuple[str, str, SavedPanel]]
    versions: dict[str, int]


class Lane:
    """Judges the panes of one kind of profile."""

    def __init__(
        self,
        kind: Literal["predictions", "outcomes"],
        signals: Sequence[Signal],
        read: Callable[[Counts], list[Counts]],
        setting: Setting,
    ) -> None:
        """`read` gets each signal's cells out of a profile's vector of this kind."""
        self.kind, self._signals, self._read = kind, signals, read
        self._judging, self._threshold = setting.judging, setting.threshold
        self._normals: dict[str, dict[str, Normal]] = {}
        self._reference_id = ""
        self._collector: Collector | None = None
        self._panels: dict[tuple[str, str], Panel] = {}
        self._versions: dict[str, int] = {}
        self._yardsticks: dict[str, Yardstick] = {}
        self._stack: Stack | None = None
        self._states: dict[Place, BankState] = {}
        self.adopt(setting.baseline.normals, setting.baseline.id)
        if not self._normals:
            self.collect()

    @classmethod
    def predictions(cls, setting: Setting) -> "Lane":
        """The lane of the signals that need no labels."""
        layout = setting.layout
        return cls(
            "predictions",
            prediction_signals(layout),
            lambda vector: read_predictions(layout, vector),
            setting,
        )

    @classmethod
    def outcomes(cls, setting: Setting) -> "Lane":
        """The lane of the signals that need labels; without any for a model that has none."""
        layout = setting.layout
        return cls(
            "outcomes",
            outcome_signals(layout) if setting.judging.labelled else [],
            lambda vector: read_outcomes(layout, vector),
            setting,
        )

    @property
    def normals(self) -> dict[str, dict[str, Normal]]:
        """The reference in force, by segment and signal; empty while it is being built."""
        return self._normals

    @property
    def collecting(self) -> Collector | None:
        """The reference that is being built, if one is."""
        return self._collector

    def collect(self) -> None:
        """Build a new reference of the panes that come; nothing is judged meanwhile."""
        self._collector = Collector(self._signals)
        self._normals = {}
        self._empty()

    def rebuild(self, _version: str | None, _since: Millis) -> None:
        """Build the reference anew."""
        if self._normals or self.kind == "predictions":
            self.collect()

    def adopt(self, normals: dict[str, dict[str, Normal]], reference_id: str) -> None:
        """Judge against `normals` from the next pane on."""
        names = [signal.name for signal in self._signals]
        self._normals = {
            segment: signals
            for segment, signals in normals.items()
            if all(name in signals for name in names)
        }
        self._reference_id = reference_id
        self._collector = None
        self._empty()

    def _empty(self) -> None:
        """Whatever was measured by the old reference."""
        self._panels, self._yardsticks, self._stack, self._states = {}, {}, None, {}
        self._versions = {}

    def close(self, closing: Closing) -> list[Finding]:
        """Take what a closing pane brings; gives the findings of every panel with rows."""
        fresh: dict[Place, Counts] = {}
        if not self._signals:
            return []
        for part in closing.predictions if self.kind == "predictions" else closing.outcomes:
            counts = self._read(part.vector)
            if self._collector is not None:
                self._collector.add(part.segment, part.pane, counts)
                continue
            panel = self._panel(part.version, part.segment, closing.pane)
            if panel is None:
                continue
            row = np.concatenate(counts)
            if part.late:
                panel.correct(part.pane, row)
            else:
                panel.take(closing.pane, row)
                fresh[panel.place] = row
        if not fresh:
            return []
        sights = self._stacked().update(closing.pane, fresh)
        return [
            finding
            for place, sight in sights.items()
            for finding in self._panels[place[1:3]].findings(closing.pane, fresh[place], sight)
        ]

    def restart(self, version: str, segment: str, signal: str) -> None:
        """Begin a signal's sequential detector anew."""
        panel = self._panels.get((version, segment))
        index = panel.index(signal) if panel is not None else None
        if panel is not None and index is not None:
            self._stacked().restart(panel.place, index)

    def _panel(self, version: str, segment: str, pane: int) -> Panel | None:
        """The panel of a place; None without a reference or room."""
        if segment not in self._normals or not self._has_room(version, pane):
            return None
        self._versions[version] = pane
        panel = self._panels.get((version, segment))
        if panel is None:
            panel = self._new(version, segment)
            self._arrange({**self._panels, (version, segment): panel})
        return panel

    def _has_room(self, version: str, pane: int) -> bool:
        """Whether a version can be judged; one that was not seen in this pane may give way."""
        if version in self._versions or len(self._versions) < MAX_VERSIONS:
            return True
        seen, oldest = min((at, name) for name, at in self._versions.items())
        if seen >= pane:
            return False
        del self._versions[oldest]
        self._arrange({key: panel for key, panel in self._panels.items() if key[0] != oldest})
        return True

    def _new(self, version: str, segment: str) -> Panel:
        stick = self._yardsticks.get(segment)
        if stick is None:
            normals = self._normals[segment]
            stick = Yardstick(
                self._signals, [normals[signal.name] for signal in self._signals], self._judging
            )
            self._yardsticks[segment] = stick
        place = Place(self._judging.model, version, segment, self._reference_id)
        return Panel(place, stick, self._judging, self._threshold)

    def _arrange(self, panels: dict[tuple[str, str], Panel]) -> None:
        """Other panels from now on; those that stay keep what their detectors have seen."""
        if self._stack is not None:
            self._states = self._stack.states()
        self._panels, self._stack = panels, None

    def _stacked(self) -> Stack:
        if self._stack is None:
            self._stack = Stack(list(self._panels.values()), self._states)
            self._states = {}
        return self._stack

    def save(self) -> bytes:
        """The state, for a snapshot."""
        states = self._stacked().states() if self._panels else {}
        saved = SavedLane(
            normals=self._normals,
            reference_id=self._reference_id,
            collector=self._collector.save() if self._collector else None,
            panels=[
                (version, segment, panel.save(states[panel.place]))
                for (version, segment), panel in self._panels.items()
            ],
            versions=self._versions,
        )
        return msgspec.msgpack.encode(saved)

    def load(self, snapshot: bytes) -> None:
        """Take a snapshot up."""
        saved = msgspec.msgpack.decode(snapshot, type=SavedLane)
        self._normals, self._reference_id = saved.normals, saved.reference_id
        if saved.collector is not None:
            self._collector = Collector(self._signals)
            self._collector.load(saved.collector)
        self._versions = dict(saved.versions)
        for version, segment, one in saved.panels:
            panel = self._panels[version, segment] = self._new(version, segment)
            panel.load(one)
            self._states[panel.place] = one.bank
