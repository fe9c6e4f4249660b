"""Comparisons: several references at once, as `compare` declares them; the first one alerts.

Without `compare`, or with `training` alone, nothing of this is kept or judged. Where another
comparison comes first, what is judged against the training reference becomes context.

Promises: panes of an open incident, and of named periods of the calendar, are in no reference;
inside a named period nothing is judged.
Leaves to others: one comparison (`comparison`), where references come from (`sources`).
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from schemas.config_model import ModelConfig
from schemas.finding import Finding
from schemas.grid import Layout
from schemas.journal import Counts
from schemas.log import Millis
from streams.monitor.references.comparison import Comparison, Role, SavedComparison, span_of
from streams.monitor.references.sources import source_of
from streams.monitor.watch import Closing, Setting
from streams.signals import (
    Signal,
    outcome_signals,
    prediction_signals,
    read_outcomes,
)

TRAINING: Final = "training"
PREVIOUS: Final = "previous"


def compared(config: ModelConfig) -> Sequence[str]:
    """The comparisons of a config, the one that alerts first."""
    if config.reference.from_ == PREVIOUS:
        return (PREVIOUS, *(one for one in config.compare if one != PREVIOUS))
    return config.compare or (TRAINING,)


class Comparisons:
    """All further references of one model."""

    def __init__(self, setting: Setting) -> None:
        """Nothing is known yet."""
        self._setting, layout = setting, setting.layout
        self._primary = next(iter(compared(setting.config)), TRAINING)
        firsts = prediction_signals(layout)
        self._spans = [layout.predictions[one.name].span for one in firsts]
        self._lanes: dict[str, list[Comparison]] = {"predictions": [], "outcomes": []}
        seconds = outcome_signals(layout) if setting.judging.labelled else []
        lanes: list[tuple[str, list[Signal], list[int]]] = [
            ("predictions", firsts, [span.stop - span.start for span in self._spans]),
            ("outcomes", seconds, _widths(layout) if seconds else []),
        ]
        for kind, signals, widths in lanes:
            for name in compared(setting.config) if signals else ():
                one = Comparison(name, signals, widths, setting)
                one.source = source_of(name, one.width, setting.judging.pane)
                if one.source is not None:
                    self._lanes[kind].append(one)
        self._holidays = [(one.from_, one.to) for one in setting.config.calendar]

    def close(self, closing: Closing) -> list[Finding]:
        """Judge a pane against every reference there is besides the training one."""
        if not any(self._lanes.values()):
            return []
        pane = self._setting.judging.pane
        troubles = [span_of(one, pane) for one in closing.troubles]
        festive = any(a < closing.span[1] and closing.span[0] < b for a, b in self._holidays)
        for one in (*self._lanes["predictions"], *self._lanes["outcomes"]):
            for first, last in troubles:
                one.drop(first, last)
        if festive:
            self._demote(closing.findings, ())
            return []
        found: list[Finding] = []
        for kind, parts in (("predictions", closing.predictions), ("outcomes", closing.outcomes)):
            rows = [(part, self._row(kind, part.vector)) for part in parts if self._lanes[kind]]
            calm = [(part, row) for part, row in rows if not _within(part.pane, troubles)]
            for one in self._lanes[kind]:
                role: Role = "alert" if one.name == self._primary else "context"
                found += one.judge(rows, closing, role)
                one.keep(calm)
        self._demote(closing.findings, found)
        return found

    def restart(self, version: str, segment: str, signal: str) -> None:
        """Begin one signal's detectors anew."""
        for own in self._lanes.values():
            for one in own:
                one.restart(version, segment, signal)

    def rebuild(self, version: str | None, since: Millis) -> None:
        """Let references be made of panes from `since` on."""
        for own in self._lanes.values():
            for one in own:
                one.rebuild(version, since // self._setting.judging.pane)

    def _demote(self, findings: list[Finding], found: Sequence[Finding]) -> None:
        """What is judged against the training reference is context where another one alerts.

        A version without a predecessor has the training reference alone, so it stands there.
        """
        if self._primary == TRAINING:
            return
        known = {(one.version, one.segment) for one in found if one.detector == PREVIOUS}
        for i, one in enumerate(findings):
            other = self._primary != PREVIOUS or (one.version, one.segment) in known
            if other and one.detector == "shiryaev_roberts" and one.role == "alert":
                findings[i] = msgspec.structs.replace(one, role="context")

    def _row(self, kind: str, vector: Counts) -> Counts:
        if kind == "predictions":
            return np.concatenate([vector[span] for span in self._spans])
        return np.concatenate(read_outcomes(self._setting.layout, vector))

    def save(self) -> bytes:
        """The state, for a snapshot; nothing where nothing is compared."""
        return msgspec.msgpack.encode(
            {f"{kind}/{one.name}": one.save() for kind, own in self._lanes.items() for one in own}
        )

    def load(self, saved: bytes) -> None:
        """Take a snapshot up; a comparison that is newer than it begins with nothing."""
        found = msgspec.msgpack.decode(saved, type=dict[str, SavedComparison])
        for kind, own in self._lanes.items():
            for one in own:
                if f"{kind}/{one.name}" in found:
                    one.load(found[f"{kind}/{one.name}"])


def _within(pane: int, stretches: Sequence[tuple[int, int]]) -> bool:
    return any(first <= pane <= last for first, last in stretches)


def _widths(layout: Layout) -> list[int]:
    """Cells of the outcomes' signals."""
    return [len(cells) for cells in read_outcomes(layout, np.zeros(layout.width("outcomes"), int))]
