"""A lane: all panels of one kind of profile (predictions, or outcomes) of one model.

Promises: a pane either builds the reference or is judged against it, never both; late rows
correct windows and references that still grow, never sequential detectors.
Leaves to others: which pane closes (`intake`), one panel's judgement (`panel`).
"""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from schemas.baseline import Normal
from schemas.finding import Finding
from schemas.journal import Counts
from schemas.log import Millis
from streams.monitor.collector import Collector, SavedCollector
from streams.monitor.panel import Panel, Place, SavedPanel
from streams.monitor.watch import Closing, Setting
from streams.signals import (
    Signal,
    outcome_signals,
    prediction_signals,
    read_outcomes,
    read_predictions,
)

MAX_VERSIONS = 16
"""Versions judged at a time; the one not seen for longest gives way."""


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
        self._normals, self._panels = {}, {}

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
        self._collector, self._panels = None, {}

    def close(self, closing: Closing) -> list[Finding]:
        """Take what a closing pane brings; gives the findings of every panel with rows."""
        pane, findings = closing.pane, list[Finding]()
        for part in closing.predictions if self.kind == "predictions" else closing.outcomes:
            counts = self._read(part.vector)
            if self._collector is not None:
                self._collector.add(part.segment, part.pane, counts)
                continue
            panel = self._panel(part.version, part.segment, pane)
            if panel is None:
                continue
            if part.late:
                panel.correct(part.pane, counts)
            else:
                findings += panel.update(pane, counts)
        return findings

    def restart(self, version: str, segment: str, signal: str) -> None:
        """Begin a signal's sequential detector anew."""
        panel = self._panels.get((version, segment))
        if panel is not None:
            panel.restart(signal)

    def _panel(self, version: str, segment: str, pane: int) -> Panel | None:
        self._versions[version] = pane
        panel = self._panels.get((version, segment))
        if panel is None:
            normals = self._normals.get(segment)
            if normals is None:
                return None
            self._make_room(version)
            panel = self._new(version, segment, normals)
            self._panels[version, segment] = panel
        return panel

    def _new(self, version: str, segment: str, normals: dict[str, Normal]) -> Panel:
        return Panel(
            Place(self._judging.model, version, segment, self._reference_id),
            self._signals,
            [normals[signal.name] for signal in self._signals],
            self._judging,
            self._threshold,
        )

    def _make_room(self, version: str) -> None:
        present = {name for name, _ in self._panels} - {version}
        while len(present) >= MAX_VERSIONS:
            oldest = min(present, key=lambda name: (self._versions.get(name, -1), name))
            present.discard(oldest)
            self._versions.pop(oldest, None)
            self._panels = {key: p for key, p in self._panels.items() if key[0] != oldest}

    def save(self) -> bytes:
        """The state, for a snapshot."""
        saved = SavedLane(
            normals=self._normals,
            reference_id=self._reference_id,
            collector=self._collector.save() if self._collector else None,
            panels=[(v, s, panel.save()) for (v, s), panel in sorted(self._panels.items())],
            versions=self._versions,
        )
        return msgspec.msgpack.encode(saved)

    def load(self, snapshot: bytes) -> None:
        """Take a snapshot up."""
        saved = msgspec.msgpack.decode(snapshot, type=SavedLane)
        self._normals, self._reference_id = saved.normals, saved.reference_id
        self._versions = dict(saved.versions)
        if saved.collector is not None:
            self._collector = Collector(self._signals)
            self._collector.load(saved.collector)
        for version, segment, panel in saved.panels:
            self._panels[version, segment] = self._new(version, segment, self._normals[segment])
            self._panels[version, segment].load(panel)
