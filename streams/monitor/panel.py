"""A panel: the signals of one version and segment, judged pane by pane.

Promises: one update a pane; state is two count matrices and the detectors' sums; a pane without
rows is not judged; what is judged depends on counts and order of panes alone.
Leaves to others: which panes there are (`model`), what follows from a finding (policy).
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from detectors.budget import Mask, benjamini_hochberg, e_bh
from detectors.reference import SignalReference
from detectors.shiryaev_roberts import Bank, BankState
from detectors.stability import CategoryStability
from schemas.baseline import Normal
from schemas.finding import Finding
from schemas.grid import WHOLE
from schemas.journal import Counts
from schemas.judging import Judging
from schemas.log import Millis
from streams.monitor.adaptive import WATCHED, SavedSeries, Series, Subject, standardised
from streams.monitor.effects import Depth, Measure, Standard, measure, quiet
from streams.signals import Signal

WINDOW_ROWS: Final = 1000
"""Rows that a window should hold, so that effects are worth reading."""

WINDOW_PANES: Final = 50
"""Panes that a window holds at most."""

FALSE_DISCOVERIES: Final = 0.1
"""Share of false ones among signals that join an incident already proven (e-BH level)."""

_LARGEST: Final = 700.0
"""Largest logarithm whose exponential is finite."""

_KEPT_PANES: Final = 10_000
"""Panes whose times are kept for change points; an older change is reported as this old."""


class Place(NamedTuple):
    """Whose signals: model, version, segment, and the reference they are judged against."""

    model: str
    version: str
    segment: str
    reference_id: str


class Verdict(NamedTuple):
    """What the sequential detector of one signal says: logs of its evidence, and since when."""

    log_mean: float
    evidence: float
    alarm: bool
    joins: bool
    change: Millis


class SavedPanel(msgspec.Struct, frozen=True, kw_only=True):
    """A panel in a snapshot."""

    bank: BankState
    panes: list[int]
    moved: list[int]
    series: dict[int, SavedSeries]
    window: list[tuple[int, list[bytes]]]


class Panel:
    """Sequential detectors and a sliding window over the signals of one place."""

    def __init__(
        self,
        place: Place,
        signals: Sequence[Signal],
        normals: Sequence[Normal],
        judging: Judging,
        threshold: float,
    ) -> None:
        """`threshold` is the log of the run length a signal's detector must keep, in panes."""
        self.place, self.signals = place, signals
        self._judging, self._threshold = judging, threshold
        self._references: list[SignalReference] = [normal.reference() for normal in normals]
        self._normals = [
            Standard.of(signal, reference)
            for signal, reference in zip(signals, self._references, strict=True)
        ]
        self._bank = Bank(
            self._references,
            tolerance=judging.tolerance,
            null=judging.null,
            upward=[signal.kind == "binary" for signal in signals],
        )
        self._categorical = [i for i, one in enumerate(signals) if one.kind == "categorical"]
        self._stability = CategoryStability(
            [self._references[i].counts for i in self._categorical],
            [self._normals[i].dispersion for i in self._categorical],
        )
        self._series = {
            index: Series(standardised=True)
            for index, signal in enumerate(signals)
            if signal.name in WATCHED and place.segment == WHOLE
        }
        self._panes: list[int] = []
        self._window: deque[tuple[int, list[Counts]]] = deque()
        self._moved = np.zeros(len(signals), np.int8)
        """Of each signal: 0 at rest, 1 it would join an incident, 2 it alarms."""
        self._sums = [np.zeros(reference.width, np.int64) for reference in self._references]

    def update(self, pane: int, counts: Sequence[Counts]) -> list[Finding]:
        """Judge a pane's on-time counts, one vector a signal; gives a finding a signal."""
        self._bank.update(counts)
        self._panes.append(pane)
        del self._panes[:-_KEPT_PANES]
        self._window.append((pane, [vector.copy() for vector in counts]))
        self._add(counts, 1)
        self._trim()
        return self._findings(pane) + self._watched(pane, counts)

    def correct(self, pane: int, counts: Sequence[Counts]) -> None:
        """Add late rows to the window that still holds their pane; detectors never see them."""
        for held, vectors in self._window:
            if held == pane:
                for vector, late in zip(vectors, counts, strict=True):
                    np.add(vector, late, out=vector)
                self._add(counts, 1)

    def restart(self, signal: str) -> None:
        """Begin a signal's sequential detector anew."""
        for index, one in enumerate(self.signals):
            if one.name == signal:
                self._bank.reset(index)

    def save(self) -> SavedPanel:
        """The state, for a snapshot."""
        window = [(pane, [v.tobytes() for v in vectors]) for pane, vectors in self._window]
        return SavedPanel(
            bank=self._bank.state(),
            panes=list(self._panes),
            moved=self._moved.tolist(),
            series={index: series.save() for index, series in self._series.items()},
            window=window,
        )

    def load(self, saved: SavedPanel) -> None:
        """Take a snapshot up."""
        self._bank.load(saved.bank)
        self._panes = list(saved.panes)
        self._moved = np.array(saved.moved, np.int8)
        for index, series in saved.series.items():
            self._series[index].load(series)
        self._window = deque(
            (pane, [np.frombuffer(v, np.int64).copy() for v in vectors])
            for pane, vectors in saved.window
        )
        for _, vectors in self._window:
            self._add(vectors, 1)

    def _trim(self) -> None:
        """Keep the fewest newest panes that hold enough rows."""
        rows = [int(vectors[0].sum()) for _, vectors in self._window]
        while len(rows) > 1 and (len(rows) > WINDOW_PANES or sum(rows[1:]) >= WINDOW_ROWS):
            rows.pop(0)
            self._add(self._window.popleft()[1], -1)

    def _add(self, counts: Sequence[Counts], sign: int) -> None:
        for total, vector in zip(self._sums, counts, strict=True):
            np.add(total, sign * vector, out=total)

    def _findings(self, pane: int) -> list[Finding]:
        logs, updates = self._bank.log_mean, np.maximum(self._bank.updates, 1)
        evidence = np.minimum(logs - np.log(updates), _LARGEST)
        alarms = logs >= self._threshold
        joins = e_bh(np.exp(evidence), FALSE_DISCOVERIES) | alarms
        before = self._moved
        self._moved = joins.astype(np.int8) + alarms
        stable = self._stable()
        seen = [
            stable[i]
            if i in stable and logs[i] <= 0 and not joins[i]
            else self._measure(
                i,
                _depth(found=bool(joins[i]), new=self._moved[i] > before[i], evidence=logs[i] > 0),
            )
            for i in range(len(self.signals))
        ]
        if alarms.any():
            self._recruit(joins, seen)
        length = self._judging.pane
        span = self._window[0][0] * length, (pane + 1) * length
        since = self._bank.updates - self._bank.start
        return [
            self._finding(
                index,
                Verdict(
                    log_mean=float(logs[index]),
                    evidence=float(evidence[index]),
                    alarm=bool(alarms[index]),
                    joins=bool(joins[index]),
                    change=self._panes[-min(max(int(since[index]), 1), len(self._panes))] * length,
                ),
                measured,
                span,
            )
            for index, measured in enumerate(seen)
        ]

    def _recruit(self, joins: Mask, seen: list[Measure]) -> None:
        """Once one signal has proven a change, let windows say which others it has reached.

        A window sees sooner than a sequential detector, which pays for looking at any time; the
        share of false ones stays bounded (Benjamini-Hochberg), and the tolerance holds.
        """
        found = benjamini_hochberg([one.p_value for one in seen], FALSE_DISCOVERIES) & ~joins
        for index in np.flatnonzero(found).tolist():
            closer = self._measure(index, "shown")
            if not closer.inside:
                joins[index], self._moved[index], seen[index] = True, 1, closer

    def _watched(self, pane: int, counts: Sequence[Counts]) -> list[Finding]:
        """What the adaptive detectors say of the series among the signals."""
        length = self._judging.pane
        span = pane * length, (pane + 1) * length
        found: list[Finding] = []
        for index, series in self._series.items():
            reference = self._references[index]
            value = standardised(reference, counts[index])
            if value is None:
                continue
            place = self.place
            name = self.signals[index].name
            subject = Subject(
                place.model,
                place.version,
                place.segment,
                name,
                place.reference_id,
                reference.rows,
            )
            found += series.update(subject, value, span, int(counts[index].sum()))
        return found

    def _stable(self) -> dict[int, Measure]:
        """What there is to say of quiet categorical signals, all at once."""
        windows = [self._sums[i] for i in self._categorical]
        effects, p_values = self._stability.psi(windows)
        return {
            index: quiet(float(effect), float(p_value))
            for index, effect, p_value in zip(self._categorical, effects, p_values, strict=True)
        }

    def _measure(self, index: int, depth: Depth) -> Measure:
        return measure(
            self.signals[index],
            self._normals[index],
            self._sums[index],
            self._judging.tolerance,
            depth,
        )

    def _finding(
        self, index: int, said: Verdict, seen: Measure, span: tuple[Millis, Millis]
    ) -> Finding:
        signal, reference = self.signals[index], self._references[index]
        rows = int(self._sums[index].sum())
        return Finding(
            model=self.place.model,
            version=self.place.version,
            segment=self.place.segment,
            signal=signal.name,
            detector="shiryaev_roberts",
            state="judged" if rows else "too_few_rows",
            alarm=said.alarm,
            joins=said.joins,
            inside=seen.inside,
            symptom=seen.symptom,
            statistic=said.log_mean if np.isfinite(said.log_mean) else None,
            threshold=self._threshold,
            e_value=float(np.exp(said.evidence)),
            p_value=seen.p_value,
            effect=seen.effect,
            direction=seen.direction,
            cells=seen.cells,
            histogram=seen.histogram,
            change_point=said.change,
            window_start=span[0],
            window_end=span[1],
            rows=rows,
            reference_id=self.place.reference_id,
            reference_rows=reference.rows,
            dispersion=float(np.max(reference.dispersion)),
            important=signal.important,
        )


def _depth(*, found: bool, new: bool, evidence: bool) -> Depth:
    """Dear distances are worth their price once, when a signal begins to move."""
    if found:
        return "all" if new else "shown"
    return "effect" if evidence else "psi"
