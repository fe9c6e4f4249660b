"""A lane: all panels of one kind of profile (predictions, or outcomes) of one model.

Promises: a pane either builds the reference or is judged against it, never both; late rows
correct windows and references that still grow, never sequential detectors.
Leaves to others: which pane closes (`intake`), one panel's judgement (`panel`).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal

import msgspec
import numpy as np

from detectors.shiryaev_roberts import BankState
from schemas.baseline import Baseline, Normal
from schemas.finding import Finding
from schemas.grid import WHOLE
from schemas.journal import Counts
from schemas.log import Millis
from streams.monitor.collector import Collector, SavedCollector
from streams.monitor.forms import Partition
from streams.monitor.learner import MIN_PANES
from streams.monitor.panel import Panel, Place, SavedPanel
from streams.monitor.portrait import portrayed
from streams.monitor.stack import Stack
from streams.monitor.watch import Closing, Setting
from streams.monitor.yardstick import Yardstick
from streams.signals import (
    Signal,
    outcome_signals,
    prediction_signals,
    read_outcomes,
)

MAX_VERSIONS: Final = 16
"""Versions judged at a time; the one not seen for longest gives way, but none of this pane."""


MOST_PANES: Final = 2_000
"""Panes of a stretch that are kept one by one; of a longer one as many, evenly spread."""

Normals = dict[str, dict[str, Normal]]
"""What is normal, by segment and signal."""


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """A reference of one version."""

    id: str
    normals: Normals


class SavedLane(msgspec.Struct, frozen=True, kw_only=True):
    """A lane in a snapshot."""

    normals: Normals
    reference_id: str
    collector: SavedCollector | None
    own: dict[str, Own]
    growing: dict[str, SavedCollector]
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
        self._normals: Normals = {}
        self._reference_id = ""
        self._collector: Collector | None = None
        self._panels: dict[tuple[str, str], Panel] = {}
        self._versions: dict[str, int] = {}
        self._own: dict[str, Own] = {}
        self._growing: dict[str, Collector] = {}
        self._yardsticks: dict[tuple[str, str], Yardstick] = {}
        self._partitions: dict[str, Partition] = {}
        self._segmentations = [one.labels() for one in setting.layout.grid.segments]
        self._stack: Stack | None = None
        self._states: dict[Place, BankState] = {}
        self.adopt(setting.baseline.normals, setting.baseline.id)
        if not self._normals:
            first, panes = setting.judging.stretch
            self.collect(first, -(-panes // MOST_PANES) or 1)

    @classmethod
    def predictions(cls, setting: Setting) -> "Lane":
        """The lane of the signals that need no labels."""
        signals = prediction_signals(setting.layout)
        spans = [setting.layout.predictions[signal.name].span for signal in signals]
        return cls("predictions", signals, lambda vector: [vector[span] for span in spans], setting)

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
    def normals(self) -> Normals:
        """The reference in force, by segment and signal; empty while it is being built."""
        return self._normals

    @property
    def collecting(self) -> Collector | None:
        """The reference of all versions that is being built, if one is."""
        return self._collector

    def collect(self, since: int = 0, every: int = 1) -> None:
        """Build a new reference of every so manieth pane from `since` on, and judge none meanwhile.

        Panes that are still in a window count as well.
        """
        self._collector = Collector(self._signals, since, every)
        for (_, segment), panel in self._panels.items():
            for pane, counts in panel.held():
                self._collector.add(segment, pane, counts)
        self._normals, self._own, self._growing = {}, {}, {}
        self._empty()

    def rebuild(self, version: str | None, since: Millis) -> None:
        """Build the reference anew, of all versions or of one; nothing of it is judged meanwhile.

        While the first reference is being built there is none to build anew.
        """
        if self._collector is not None:
            return
        first = since // self._judging.pane
        if version is None:
            self.collect(first)
        elif version in self._growing or len(self._growing) < MAX_VERSIONS:
            growing = self._growing[version] = Collector(self._signals, first)
            for (name, segment), panel in self._panels.items():
                if name == version:
                    for pane, counts in panel.held():
                        growing.add(segment, pane, counts)
            self._leave(version)

    def settle(self, rows: int, baseline: Baseline) -> None:
        """References of single versions that have grown to `rows` are in force from now on.

        Each stands in the place of the normals of `baseline`.
        """
        for version, growing in list(self._growing.items()):
            if growing.panes >= MIN_PANES and growing.rows >= rows:
                del self._growing[version]
                while len(self._own) >= MAX_VERSIONS and version not in self._own:
                    self._leave(oldest := next(iter(self._own)))
                    del self._own[oldest]
                normals = growing.normals()
                own = msgspec.structs.replace(baseline, normals=normals)
                self._own[version] = Own(id=own.id, normals=normals)

    def adopt(self, normals: Normals, reference_id: str) -> None:
        """Judge against `normals` from the next pane on."""
        names = [signal.name for signal in self._signals]
        self._normals = {
            segment: signals
            for segment, signals in normals.items()
            if all(name in signals for name in names)
        }
        self._reference_id = reference_id
        self._collector, self._own, self._growing = None, {}, {}
        self._empty()

    def _empty(self) -> None:
        """Whatever was measured by the old reference."""
        self._panels, self._yardsticks, self._stack, self._states = {}, {}, None, {}
        self._partitions = {}
        self._versions = {}

    def close(self, closing: Closing) -> list[Finding]:
        """Take what a closing pane brings; gives the findings of every panel with rows."""
        fresh: dict[Place, Counts] = {}
        if not self._signals:
            return []
        for part in closing.predictions if self.kind == "predictions" else closing.outcomes:
            counts = self._read(part.vector)
            growing = self._collector or self._growing.get(part.version)
            if growing is not None:
                if not closing.excepted:
                    growing.add(part.segment, part.pane, counts)
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
        said: list[Finding] = []
        for place, sight in sights.items():
            panel = self._panels[place[1:3]]
            found = panel.findings(closing.pane, fresh[place], sight)
            found = panel.formed(closing.pane, found, self._parts(place.version, place.segment))
            said += portrayed(panel, sight.updates, found)
        return said

    def _parts(self, version: str, segment: str) -> Iterator[list[Panel]]:
        """The panels of each segmentation that a segment belongs to; all belong to the whole."""
        for labels in self._segmentations:
            if segment == WHOLE or segment in labels:
                here = ((version, label) for label in labels)
                yield [self._panels[place] for place in here if place in self._panels]

    def restart(self, version: str, segment: str, signal: str) -> None:
        """Begin a signal's sequential detector anew."""
        panel = self._panels.get((version, segment))
        index = panel.index(signal) if panel is not None else None
        if panel is not None and index is not None:
            self._stacked().restart(panel.place, index)
            panel.forms.restart(index)

    def _panel(self, version: str, segment: str, pane: int) -> Panel | None:
        """The panel of a place; None without a reference or room."""
        if segment not in self._reference(version).normals or not self._has_room(version, pane):
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
        self._leave(oldest)
        return True

    def _reference(self, version: str) -> Own:
        """What a version is judged against: its own reference, or that of all."""
        return self._own.get(version) or Own(id=self._reference_id, normals=self._normals)

    def _new(self, version: str, segment: str) -> Panel:
        reference = self._reference(version)
        stick = self._yardsticks.get((reference.id, segment))
        if stick is None:
            normals = reference.normals[segment]
            stick = Yardstick(
                self._signals, [normals[signal.name] for signal in self._signals], self._judging
            )
            self._yardsticks[reference.id, segment] = stick
        place = Place(self._judging.model, version, segment, reference.id)
        partition = self._partitions.get(reference.id)
        if partition is None:
            whole = reference.normals.get(WHOLE, reference.normals[segment])
            partition = Partition([whole[one.name].reference() for one in self._signals])
            self._partitions[reference.id] = partition
        return Panel(place, stick, self._judging, self._threshold, partition)

    def _leave(self, version: str) -> None:
        """Forget what was measured of a version."""
        self._versions.pop(version, None)
        self._arrange({key: panel for key, panel in self._panels.items() if key[0] != version})
        used = {(panel.place.reference_id, panel.place.segment) for panel in self._panels.values()}
        self._yardsticks = {key: one for key, one in self._yardsticks.items() if key in used}
        known = {reference for reference, _ in used}
        self._partitions = {key: one for key, one in self._partitions.items() if key in known}

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
            own=self._own,
            growing={version: one.save() for version, one in self._growing.items()},
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
        self._own, self._versions = dict(saved.own), dict(saved.versions)
        for version, growing in saved.growing.items():
            self._growing[version] = Collector(self._signals)
            self._growing[version].load(growing)
        for version, segment, one in saved.panels:
            panel = self._panels[version, segment] = self._new(version, segment)
            panel.load(one)
            self._states[panel.place] = one.bank
