"""Declared monitors: what `monitors:` in a config adds to what is judged anyway.

Each monitor is a detector on every signal and segment that it names. Its run length is that of
every other signal of the model, so all of them together keep the one budget; windows are looked
at once a pane, all together by Benjamini-Hochberg at the level that budget leaves.

Promises: a function of the closes alone; versions, figures and series are bounded; alarms page
like any other, except where no run length is promised (river's detectors, or beyond a
calibration): those are context.
Leaves to others: the detectors (`judges`), how large a departure is (`effects`).
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from detectors.budget import benjamini_hochberg
from detectors.effect import effect
from schemas.baseline import Normal
from schemas.config_monitor import Monitor
from schemas.finding import Finding, Measured
from schemas.grid import WHOLE
from schemas.journal import Counts
from streams.monitor.adaptive import FIRST_VALUES, MAX_FIGURES, standardised
from streams.monitor.collector import Collector, SavedCollector
from streams.monitor.declared.declaration import panes_of, reaches, watched, with_size
from streams.monitor.declared.judges import Judge, Seen, make
from streams.monitor.effects import Standard, measure
from streams.monitor.roster import Roster
from streams.monitor.watch import Closing, Part, Setting
from streams.policy.rules import matches
from streams.signals import (
    Signal,
    outcome_signals,
    prediction_signals,
    read_outcomes,
    read_predictions,
)

MAX_SERIES: Final = 2_000
"""Series of declared monitors per model; what comes beyond is passed over."""

_RECENT: Final = 0.2
_BACK: Final = 0.667
"""A figure is back when the mean of its recent values (weight .2) is within two errors of 0."""


class Place(NamedTuple):
    """Which detector (index of its monitor) of which signal, where."""

    monitor: int
    version: str
    segment: str
    signal: str


class SavedDeclared(msgspec.Struct, frozen=True, kw_only=True):
    """Declared monitors in a snapshot."""

    monitors: list[str]
    judges: list[tuple[Place, bytes]]
    windows: list[tuple[tuple[str, str, str], list[bytes]]]
    figures: dict[str, tuple[list[float], float]]
    normals: dict[str, dict[str, dict[str, Normal]]]
    growing: dict[str, SavedCollector]
    versions: dict[str, int] = {}


class Declared:
    """The monitors of one model's config."""

    def __init__(self, setting: Setting) -> None:
        """Without any declared it does nothing."""
        self._setting = setting
        self._monitors = watched(setting.config)
        layout = setting.layout
        lanes = {
            "predictions": (prediction_signals(layout), read_predictions),
            "outcomes": (
                outcome_signals(layout) if setting.judging.labelled else [],
                read_outcomes,
            ),
        }
        self._lanes = lanes
        self._arl = float(np.exp(min(setting.threshold, 300.0)))
        self._judges: dict[Place, tuple[Judge, bool]] = {}
        self._windows: dict[tuple[str, str, str], deque[Counts]] = {}
        self._figures: dict[str, tuple[list[float], float]] = {}
        self._growing: dict[str, Collector] = {}
        self._versions = Roster()
        names = {kind: {one.name for one in signals} for kind, (signals, _) in lanes.items()}
        self._normals = {
            kind: {
                segment: {name: n for name, n in normals.items() if name in names[kind]}
                for segment, normals in setting.baseline.normals.items()
            }
            for kind in lanes
        }
        self._standards: dict[tuple[str, str], Standard] = {}

    # -- closing -----------------------------------------------------------------------------------

    def close(self, closing: Closing) -> list[Finding]:
        """Judge a pane by every monitor."""
        if not self._monitors:
            return []
        found: list[tuple[Finding, bool]] = []
        for kind, parts in (("predictions", closing.predictions), ("outcomes", closing.outcomes)):
            if kind in closing.building:
                self._build(kind, parts)
                continue
            if kind in self._growing:
                self._normals[kind] = self._growing.pop(kind).normals()
            for part in parts:
                if not part.late and self._is_kept(part.version, closing.pane):
                    found += self._part(kind, part, closing)
        found += self._metrics(closing)
        return self._together(found)

    def _is_kept(self, version: str, pane: int) -> bool:
        """Whether a version is judged; what was measured of one that gives way is forgotten."""
        kept, gone = self._versions.admit(version, pane)
        if gone is not None:
            self._judges = {p: j for p, j in self._judges.items() if p.version != gone}
            self._windows = {key: held for key, held in self._windows.items() if key[0] != gone}
        return kept

    def restart(self, version: str, segment: str, signal: str) -> None:
        """Begin the detectors of one signal anew."""
        gone = [
            p
            for p in self._judges
            if (p.version, p.segment, p.signal) == (version, segment, signal)
        ]
        for place in gone:
            del self._judges[place]

    def _build(self, kind: str, parts: Iterable[Part]) -> None:
        """While the reference of a kind is being built, so is ours, of the same panes."""
        signals, read = self._lanes[kind]
        if kind not in self._growing:
            self._growing[kind] = Collector(signals)
            names = {one.name for one in signals}
            self._judges = {p: j for p, j in self._judges.items() if p.signal not in names}
            self._windows = {k: w for k, w in self._windows.items() if k[2] not in names}
            self._standards = {k: s for k, s in self._standards.items() if k[1] not in names}
        for part in parts:
            counts = read(self._setting.layout, part.vector)
            self._growing[kind].add(part.segment, part.pane, counts)

    def _part(self, kind: str, part: Part, closing: Closing) -> Iterator[tuple[Finding, bool]]:
        """The findings of one version and segment, and which of them are looks at a window."""
        signals, read = self._lanes[kind]
        normals = self._normals[kind].get(part.segment, {})
        wanted = [
            (i, one)
            for i, one in enumerate(self._monitors)
            if any(matches(pattern, part.segment) for pattern in one.segments)
        ]
        for signal, counts in zip(signals, read(self._setting.layout, part.vector), strict=True):
            own = [(i, one) for i, one in wanted if matches(one.watch, signal.name)]
            if own and signal.name in normals and counts.sum() > 0:
                yield from self._signal(own, signal, normals[signal.name], part, counts, closing)

    def _signal(
        self,
        own: Sequence[tuple[int, Monitor]],
        signal: Signal,
        normal: Normal,
        part: Part,
        counts: Counts,
        closing: Closing,
    ) -> Iterator[tuple[Finding, bool]]:
        key = (part.segment, signal.name)
        if key not in self._standards:
            self._standards[key] = Standard.of(signal, normal.reference())
        standard = self._standards[key]
        panes = [panes_of(one, self._setting.judging.pane) for _, one in own]
        held = self._windows.setdefault((part.version, *key), deque())
        held.append(counts.copy())
        while len(held) > max(panes):
            held.popleft()
        value = standardised(standard.reference, counts)
        for (index, one), length in zip(own, panes, strict=True):
            window = np.sum(list(held)[-length:], axis=0)
            tolerance = self._tolerance(one)
            place = Place(index, part.version, part.segment, signal.name)
            judge = self._judge(place, one, standard)
            if judge is None:
                continue
            seen = Seen(0.0 if value is None else value, counts, window, standard)
            verdict = judge[0].update(seen)
            departure = effect(window, standard.reference)
            shown = measure(signal, standard, window, departure, tolerance, "effect")
            if verdict is None:
                continue
            look = verdict.p_value is not None
            alarm = reaches(one, verdict) if look else verdict.alarm
            yield (
                Finding(
                    model=self._setting.judging.model,
                    version=part.version,
                    segment=part.segment,
                    signal=signal.name,
                    detector=one.detector,
                    state="judged",
                    alarm=alarm,
                    joins=alarm and not shown.inside,
                    inside=shown.inside,
                    symptom=shown.symptom,
                    statistic=verdict.statistic,
                    threshold=verdict.threshold,
                    p_value=verdict.p_value,
                    effect=with_size(shown.effect, one.detector, verdict.effect),
                    direction=shown.direction,
                    cells=shown.cells,
                    window_start=closing.span[1] - length * (closing.span[1] - closing.span[0]),
                    window_end=closing.span[1],
                    rows=int(window.sum()),
                    reference_id=closing.reference_id,
                    reference_rows=standard.reference.rows,
                    dispersion=standard.dispersion,
                    important=signal.important,
                    role="alert" if judge[1] else "context",
                ),
                look,
            )

    def _metrics(self, closing: Closing) -> Iterator[tuple[Finding, bool]]:
        """Findings of the figures that a monitor names, by the mean of their values in the pane."""
        values: dict[str, list[float]] = {}
        for metric in closing.metrics:
            values.setdefault(f"metric:{metric.name}", []).append(metric.value)
        for name in sorted(values):
            own = [(i, m) for i, m in enumerate(self._monitors) if matches(m.watch, name)]
            if not own or (name not in self._figures and len(self._figures) >= MAX_FIGURES):
                continue
            now = float(np.mean(sorted(values[name])))  # sorted: the order must not matter
            first, recent = self._figures.get(name, ([], 0.0))
            if len(first) < FIRST_VALUES:
                self._figures[name] = ([*first, now], 0.0)
                continue
            usual, spread = float(np.mean(first)), float(np.std(first, ddof=1))
            unit = (now - usual) / (spread if spread > 0 else 1.0)
            recent += _RECENT * (unit - recent)
            self._figures[name] = (first, recent)
            for index, one in own:
                judge = self._judge(Place(index, "", WHOLE, name), one, None)
                verdict = judge[0].update(Seen(unit)) if judge is not None else None
                if judge is None or verdict is None:
                    continue
                yield (
                    Finding(
                        model=self._setting.judging.model,
                        version="",
                        segment=WHOLE,
                        signal=name,
                        detector=one.detector,
                        state="judged",
                        alarm=verdict.alarm,
                        joins=verdict.alarm,
                        inside=not verdict.alarm and abs(recent) <= _BACK,
                        symptom="shift",
                        statistic=verdict.statistic,
                        threshold=verdict.threshold,
                        effect=Measured(current=now, baseline=usual, mean_shift_sd=recent),
                        direction="up" if unit > 0 else "down",
                        window_start=closing.span[0],
                        window_end=closing.span[1],
                        rows=len(values[name]),
                        reference_id="",
                        reference_rows=len(first),
                        role="alert" if judge[1] else "context",
                    ),
                    False,
                )

    def _together(self, found: Sequence[tuple[Finding, bool]]) -> list[Finding]:
        """All windows of the pane as one look: which of them may alarm."""
        looks = [finding.p_value for finding, look in found if look]
        level = min(1.0, len(looks) / self._arl)
        rejected = iter(benjamini_hochberg(looks, level).tolist())
        out = []
        for finding, look in found:
            if not look:
                out.append(finding)
                continue
            worth = next(rejected) and finding.alarm and not finding.inside
            out.append(msgspec.structs.replace(finding, alarm=worth, joins=worth))
        return out

    def _judge(
        self, place: Place, one: Monitor, standard: Standard | None
    ) -> tuple[Judge, bool] | None:
        if place not in self._judges:
            made = make(
                one.detector,
                self._arl,
                panes=panes_of(one, self._setting.judging.pane),
                tolerance=self._tolerance(one),
                standard=standard,
            )
            if made is None or len(self._judges) >= MAX_SERIES:
                return None
            self._judges[place] = made
        return self._judges[place]

    def _tolerance(self, one: Monitor) -> float:
        return self._setting.judging.tolerance if one.tolerance is None else one.tolerance

    # -- snapshots ---------------------------------------------------------------------------------

    def save(self) -> bytes:
        """The state, for a snapshot."""
        saved = SavedDeclared(
            monitors=[one.model_dump_json() for one in self._monitors],
            judges=[
                (place, judge.save())
                for place, (judge, _) in sorted(self._judges.items(), key=lambda item: item[0])
            ],
            windows=[
                (key, [c.tobytes() for c in held]) for key, held in sorted(self._windows.items())
            ],
            figures=dict(sorted(self._figures.items())),
            normals=self._normals,
            growing={kind: growing.save() for kind, growing in self._growing.items()},
            versions=self._versions.save(),
        )
        return msgspec.msgpack.encode(saved)

    def load(self, saved: bytes) -> None:
        """Take a snapshot up; a monitor that is no longer declared so begins anew."""
        state = msgspec.msgpack.decode(saved, type=SavedDeclared)
        self._normals, self._figures = state.normals, dict(state.figures)
        self._versions.load(state.versions)
        self._windows = {
            key: deque(np.frombuffer(c, np.int64).copy() for c in held)
            for key, held in state.windows
        }
        for kind, growing in state.growing.items():
            self._growing[kind] = Collector(self._lanes[kind][0])
            self._growing[kind].load(growing)
        written = [one.model_dump_json() for one in self._monitors]
        signals = {one.name: (kind, one) for kind, (own, _) in self._lanes.items() for one in own}
        for key, judge in state.judges:
            number = (
                written.index(state.monitors[key[0]]) if state.monitors[key[0]] in written else -1
            )
            if number < 0:
                continue
            place = Place(number, *key[1:])
            standard = None
            if place.signal in signals:
                kind, signal = signals[place.signal]
                normal = self._normals[kind].get(place.segment, {}).get(place.signal)
                standard = None if normal is None else Standard.of(signal, normal.reference())
            made = self._judge(place, self._monitors[place.monitor], standard)
            if made is not None:
                made[0].load(judge)
