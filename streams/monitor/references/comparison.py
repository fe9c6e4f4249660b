"""A comparison: one further reference that the signals of one lane are judged against.

Each signal has an e-detector that goes on while the reference moves (`detectors.moving`), and a
window measured against the references of its panes together.

Promises: a pane is judged against earlier panes alone, then kept for later ones; late rows
correct what is kept, never detectors; state is bounded.
Leaves to others: where references come from (`sources`), which comparison alerts (`comparisons`).
"""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import exp, isfinite, log
from typing import Final, Literal

import msgspec
import numpy as np

from detectors.budget import e_bh
from detectors.effect import effect
from detectors.moving import Moving
from schemas.finding import Finding, Measured
from schemas.grid import WHOLE
from schemas.journal import Counts, Sparse
from schemas.log import Millis
from streams.monitor.effects import NOTHING, Measure, Standard, glance, measure
from streams.monitor.panel import FALSE_DISCOVERIES, WINDOW_PANES, WINDOW_ROWS
from streams.monitor.references.force import Force, SavedForce, standards_of
from streams.monitor.references.sources import MAX_SEGMENTS, Source
from streams.monitor.watch import Closing, Part, Setting
from streams.monitor.yardstick import tolerance_of
from streams.signals import Signal

MAX_PLACES: Final = 16 * MAX_SEGMENTS
"""Versions and segments judged at a time; the one not seen for longest gives way."""

_LARGEST: Final = 700.0

Role = Literal["alert", "context"]

Place = tuple[str, str]
"""Version and segment."""


class Slot(msgspec.Struct):
    """A pane in a window, its rows per signal, and its reference."""

    pane: int
    row: Counts
    rows: list[int]
    force: Force


class SavedComparison(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison in a snapshot; windows and places name references by their number."""

    source: bytes
    forces: list[SavedForce]
    standing: list[tuple[Place, int]]
    windows: list[tuple[Place, list[tuple[int, Sparse, int]]]]
    detectors: list[tuple[Place, list[tuple[bytes, bytes, bytes, int]]]]
    seen: list[tuple[Place, int]]


class Comparison:
    """One kind of reference, one lane."""

    def __init__(
        self, name: str, signals: Sequence[Signal], widths: Sequence[int], setting: Setting
    ) -> None:
        """`name` as in the config; `widths` of the signals' cells, which follow each other."""
        self.name, self._signals, self._widths = name, list(signals), list(widths)
        self._judging, self._threshold = setting.judging, setting.threshold
        ends = np.cumsum([0, *widths]).tolist()
        self._spans = [slice(a, b) for a, b in pairwise(ends)]
        self.width = int(ends[-1])
        self.source: Source | None = None
        self._standing: dict[Place, Force] = {}
        self._windows: dict[Place, deque[Slot]] = {}
        self._detectors: dict[Place, list[Moving]] = {}
        self._seen: dict[Place, int] = {}

    @property
    def _kept(self) -> Source:
        assert self.source is not None
        return self.source

    def judge(
        self, parts: Iterable[tuple[Part, Counts]], closing: Closing, role: Role
    ) -> list[Finding]:
        """Judge the on-time parts of a pane, each with the cells of all signals."""
        return [
            finding
            for part, row in parts
            if not part.late
            for finding in self._judge(part, row, closing, role)
        ]

    def keep(self, parts: Iterable[tuple[Part, Counts]]) -> None:
        """Keep parts, late ones too, for later references."""
        for part, row in parts:
            self._kept.add(part.version, part.segment, part.pane, row)

    def drop(self, first: int, last: int) -> None:
        """Panes of an incident: no reference has them, from now on."""
        if self._kept.drop(first, last):
            self._standing = {}

    def restart(self, version: str, segment: str, signal: str) -> None:
        """Begin a signal's detector anew."""
        names = [one.name for one in self._signals]
        own = self._detectors.get((version, segment))
        if own is not None and signal in names:
            own[names.index(signal)].reset()

    def rebuild(self, version: str | None, before: int) -> None:
        """Forget references and evidence of a version (None: all) before a pane."""
        self._kept.forget(version, before)
        self._standing = {}
        for place in [p for p in self._detectors if version in (None, p[0])]:
            self._leave(place)

    def _leave(self, place: Place) -> None:
        for kept in (self._windows, self._detectors, self._standing, self._seen):
            kept.pop(place, None)

    def _force(self, place: Place, pane: int) -> Force | None:
        """The reference of a place; made once a period."""
        period, own = self._kept.period(pane), self._standing.get(place)
        if own is None or own.period != period:
            rows = self._kept.rows(*place, pane)
            shared = [f for (_, s), f in self._standing.items() if s == place[1]]
            own = next((f for f in shared if rows and f.period == period and self._pooled), None)
            if own is None and rows:
                own = Force.of(period, rows, self._spans, self._signals, self._judging)
            if own is None:
                self._standing.pop(place, None)
                return None
            self._standing[place] = own
        return own

    @property
    def _pooled(self) -> bool:
        """Whether all versions share a reference."""
        return self.name != "previous"

    def _judge(self, part: Part, row: Counts, closing: Closing, role: Role) -> list[Finding]:
        place = part.version, part.segment
        force = self._force(place, closing.pane)
        if force is None:
            quiet = part.segment == WHOLE and self.name != "previous"
            return [self._waiting(one, part, closing, role) for one in self._signals if quiet]
        if not row.any() or not self._admitted(place, closing.pane):
            return []
        window = self._window(place, Slot(closing.pane, row, self._rows(row), force))
        detectors = self._detectors.setdefault(
            place,
            [Moving(s.kind, w) for s, w in zip(self._signals, self._widths, strict=True)],
        )
        for detector, weights, at in zip(detectors, force.weights, self._spans, strict=True):
            detector.update(weights, row[at], closing.pane)
        logs = [one.log_mean for one in detectors]
        e_values = [
            exp(min(level - log(max(one.updates, 1)), _LARGEST)) if isfinite(level) else 0.0
            for level, one in zip(logs, detectors, strict=True)
        ]
        joins = e_bh(np.array(e_values), FALSE_DISCOVERIES).tolist()
        parts = [(slot.force, slot.rows) for slot in window]
        standards = standards_of(parts, self._signals)
        merged = np.sum([slot.row for slot in window], axis=0)
        span = window[0].pane * self._judging.pane, closing.span[1]
        out = []
        for i, signal in enumerate(self._signals):
            alarm = logs[i] >= self._threshold
            joined = alarm or bool(joins[i])
            cells = merged[self._spans[i]]
            seen = self._look(signal, standards[i], cells, logs[i], joined=joined)
            begun = detectors[i].start
            # Merged cells of a reference that moves are others each time: no name to go by.
            nameless = signal.kind == "numeric" and seen.symptom == "shift"
            out.append(
                Finding(
                    model=self._judging.model,
                    version=part.version,
                    segment=part.segment,
                    signal=signal.name,
                    detector=self.name,
                    state="judged" if cells.any() else "too_few_rows",
                    alarm=alarm,
                    joins=joined,
                    inside=seen.inside,
                    symptom=seen.symptom,
                    statistic=logs[i] if isfinite(logs[i]) else None,
                    threshold=self._threshold,
                    p_value=seen.p_value,
                    e_value=e_values[i],
                    effect=seen.effect,
                    direction=seen.direction,
                    cells=() if nameless else seen.cells,
                    histogram=seen.histogram,
                    change_point=(begun if begun >= 0 else closing.pane) * self._judging.pane,
                    window_start=span[0],
                    window_end=span[1],
                    rows=int(cells.sum()),
                    reference_id=force.id,
                    reference_rows=force.references[i].rows,
                    dispersion=float(np.max(force.references[i].dispersion)),
                    important=signal.important,
                    role=role,
                )
            )
        return out

    def _look(
        self, signal: Signal, standard: Standard | None, cells: Counts, at: float, *, joined: bool
    ) -> Measure:
        if standard is None or not cells.any():
            return NOTHING
        if at <= 0 and signal.kind != "binary":
            return glance(standard, cells)
        found = effect(cells, standard.reference)
        tolerance = tolerance_of(signal, standard.reference, self._judging.tolerance)
        return measure(signal, standard, cells, found, tolerance, "shown" if joined else "effect")

    def _waiting(self, signal: Signal, part: Part, closing: Closing, role: Role) -> Finding:
        """There is no reference of this pane yet."""
        return Finding(
            model=self._judging.model,
            version=part.version,
            segment=part.segment,
            signal=signal.name,
            detector=self.name,
            state="warming_up",
            alarm=False,
            joins=False,
            inside=True,
            symptom="shift",
            statistic=None,
            threshold=self._threshold,
            effect=Measured(),
            window_start=closing.span[0],
            window_end=closing.span[1],
            rows=0,
            reference_id="",
            reference_rows=0,
            important=signal.important,
            role=role,
        )

    def _admitted(self, place: Place, pane: int) -> bool:
        """Whether there is room for a place; one that was not seen in this pane gives way."""
        if place not in self._seen and len(self._seen) >= MAX_PLACES:
            at, oldest = min((at, one) for one, at in self._seen.items())
            if at >= pane:
                return False
            self._leave(oldest)
        self._seen[place] = pane
        return True

    def _window(self, place: Place, slot: Slot) -> deque[Slot]:
        """The fewest newest panes that hold enough rows."""
        window = self._windows.setdefault(place, deque())
        window.append(slot)
        held = sum(max(one.rows) for one in window)
        while len(window) > 1 and (
            len(window) > WINDOW_PANES or held - max(window[0].rows) >= WINDOW_ROWS
        ):
            held -= max(window.popleft().rows)
        return window

    def _rows(self, row: Counts) -> list[int]:
        return [int(row[span].sum()) for span in self._spans]

    # -- snapshots ---------------------------------------------------------------------------------

    def save(self) -> SavedComparison:
        """The state, for a snapshot."""
        forces: dict[int, tuple[int, Force]] = {}

        def number(force: Force) -> int:
            return forces.setdefault(id(force), (len(forces), force))[0]

        standing = [(place, number(force)) for place, force in self._standing.items()]
        windows = [
            (place, [(s.pane, Sparse.pack(s.row), number(s.force)) for s in window])
            for place, window in self._windows.items()
        ]
        return SavedComparison(
            source=self._kept.save(),
            forces=[force.saved for _, force in forces.values()],
            standing=standing,
            windows=windows,
            detectors=[(p, [one.state() for one in own]) for p, own in self._detectors.items()],
            seen=list(self._seen.items()),
        )

    def load(self, saved: SavedComparison) -> None:
        """Take a snapshot up."""
        self._kept.load(saved.source)
        forces = [Force(one, self._signals, self._judging) for one in saved.forces]
        self._standing = {place: forces[number] for place, number in saved.standing}
        for place, slots in saved.windows:
            window = self._windows[place] = deque()
            for pane, sparse, number in slots:
                row = sparse.full(self.width)
                window.append(Slot(pane, row, self._rows(row), forces[number]))
        for place, states in saved.detectors:
            own = self._detectors[place] = []
            for signal, width, state in zip(self._signals, self._widths, states, strict=True):
                moving = Moving(signal.kind, width)
                moving.load(state)
                own.append(moving)
        self._seen = dict(saved.seen)


def span_of(stretch: tuple[Millis, Millis], pane: Millis) -> tuple[int, int]:
    """First and last pane that a stretch [start, end) touches."""
    return stretch[0] // pane, max(stretch[0], stretch[1] - 1) // pane
