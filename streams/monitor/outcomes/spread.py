"""Spread: how far the parts of a segmentation, or panes, lie apart in the leading metric.

Signal `metric:spread:NAME` of a segmentation, told by `segments`: accuracy (MAE of numbers) of the
best part less that of the worst, among those with enough rows, now and in the reference; the cells
say each part's. Judged by `quartiles` where there are four parts: do they move apart while their
median holds (`widening`)? Signal `spread`, by `quartiles` too: do panes swing around a level
that holds (`swinging`)? Not where the error of the whole moves: that is its incident.

Promises: the largest of many noisy differences is never 0, so the interval of the difference holds
for all pairs together (Bonferroni) and reaches 0 where nothing is proven; what is judged has one
signal's part of the budget; bounded by versions and segmentations.
Leaves to others: the windows (`windows`), the metrics (`blocks`).
"""

from collections.abc import Iterator, Mapping
from typing import Final, Protocol

import msgspec
import numpy as np
from scipy import special

from detectors.metrics.interval import Interval
from schemas.finding import Cell, Finding, Measured
from schemas.grid import OTHER, WHOLE, Layout
from schemas.journal import Counts
from schemas.output_parts import Summary
from streams.monitor.outcomes.blocks import Blocks
from streams.monitor.outcomes.normal import Normal
from streams.monitor.outcomes.swinging import Swinging
from streams.monitor.outcomes.telling import Teller
from streams.monitor.outcomes.widening import (
    LEAST_PARTS,
    Border,
    Quartiles,
    Rate,
    State,
    Widening,
    log_evidence,
)
from streams.monitor.outcomes.windows import Windows
from streams.monitor.watch import Closing, Setting
from streams.monitor.yardstick import POINTS

MIN_ROWS: Final = 100
"""Outcomes that a part needs, so that its metric's error is that of large samples."""

LEVEL: Final = 0.05
"""Of all intervals here: 95 % confidence."""

SIGNAL: Final = "metric:spread:"

SWINGS: Final = "spread"
"""The signal of panes; figures that somebody sends begin with `metric:`."""

PANES: Final = ""
"""What is kept under no segmentation's name: the panes of the whole."""

Saved = list[tuple[str, str, State]]
"""What is kept by version and segmentation (`PANES`), in a snapshot."""


class Judge(Protocol):
    """Who says whether parts, or panes, move apart."""

    state: State

    def update(self, pane: int, seen: Mapping[str, Rate]) -> None:
        """Take what a pane brings of each part."""

    def restart(self) -> None:
        """Begin anew."""

    def first(self, pane: int) -> int:
        """The oldest pane that is remembered at `pane`."""

    @property
    def apart(self) -> bool:
        """Whether they lie further apart than is tolerated, at a stable median."""

    @property
    def rows(self) -> int:
        """Remembered outcomes."""

    @property
    def quartiles(self) -> tuple[Quartiles, Quartiles] | None:
        """As is normal, and now; None where too little is known."""

    @property
    def widened(self) -> float:
        """By how much the quartiles lie further apart."""


def parts_of(layout: Layout) -> dict[str, list[str]]:
    """The parts of every segmentation; what is `other` is no part."""
    return {
        one.name: [label for label in one.labels() if label != f"{one.name}={OTHER}"]
        for one in layout.grid.segments
    }


def signals(layout: Layout) -> int:
    """How many signals alarm here: panes, and segmentations of enough parts."""
    return 1 + sum(len(labels) >= LEAST_PARTS for labels in parts_of(layout).values())


class Spread:
    """The segmentations of one model."""

    def __init__(self, setting: Setting, blocks: Blocks) -> None:
        """`setting` says which parts there are, the tolerance, and the threshold of a signal."""
        judging = setting.judging
        self._model, self._pane, self._blocks = judging.model, judging.pane, blocks
        self._threshold, self._tolerance = setting.threshold, POINTS * judging.tolerance
        self._parts = parts_of(setting.layout)
        self._judged_parts = {PANES: [WHOLE]} | {
            name: labels for name, labels in self._parts.items() if len(labels) >= LEAST_PARTS
        }
        self._detectors: dict[tuple[str, str], Judge] = {}
        self._loaded: dict[tuple[str, str], State] = {}

    def close(self, closing: Closing, normal: Normal, arrived: Windows) -> list[Finding]:
        """What there is to say of every version whose labels came in this pane."""
        found: list[Finding] = []
        versions = sorted({part.version for part in closing.outcomes})
        for version in versions:
            for name, labels in self._parts.items():
                found += self._told(version, name, labels, closing, normal, arrived)
        if "outcomes" not in closing.building:
            kept = arrived.versions
            self._detectors = {at: one for at, one in self._detectors.items() if at[0] in kept}
            for version in versions:
                for name, labels in self._judged_parts.items():
                    found += self._judged(version, name, labels, closing, normal)
        return found

    def restart(self, version: str, segment: str, signal: str) -> None:
        """Begin a segmentation's detector anew."""
        name = PANES if signal == SWINGS else signal.removeprefix(SIGNAL)
        detector = self._detectors.get((version, name))
        if detector is not None and segment == WHOLE and _named(name) == signal:
            detector.restart()

    def reset(self) -> None:
        """There is another reference: nothing that was measured by the former one counts."""
        self._detectors, self._loaded = {}, {}

    def save(self) -> Saved:
        """The state, for a snapshot."""
        states = self._loaded | {at: one.state for at, one in self._detectors.items()}
        return [(*at, states[at]) for at in sorted(states)]

    def load(self, saved: Saved) -> None:
        """Take a snapshot up."""
        self._loaded = {(version, name): state for version, name, state in saved}

    def _judged(
        self, version: str, name: str, labels: list[str], closing: Closing, normal: Normal
    ) -> Iterator[Finding]:
        """Whether quartiles move apart; nothing of too few parts, or panes, with rows."""
        one = self._detector(version, name, labels, normal)
        number = closing.pane
        seen = {
            part.segment: self._rate(self._blocks.compact(part.vector), normal)
            for part in closing.outcomes
            if part.version == version and part.segment in labels
        }
        if one is None or not seen:
            return
        one.update(number, seen)
        quartiles = one.quartiles
        if quartiles is None:
            return
        (was, now), evidence = quartiles, log_evidence(one.state)
        inside = not one.apart
        level = any(
            f.signal in ("error", "gain") and (f.alarm or f.joins)
            for f in closing.findings
            if f.version == version and f.segment == WHOLE and f.role == "alert"
        )
        proven = evidence is not None and evidence >= self._threshold and not inside
        alarm = proven and not level
        yield Finding(
            model=self._model,
            version=version,
            segment=WHOLE,
            signal=_named(name),
            detector="quartiles",
            state="judged",
            alarm=alarm,
            joins=alarm or (proven and name == PANES),
            inside=inside,
            symptom="shift",
            statistic=evidence,
            threshold=self._threshold,
            effect=Measured(size=one.widened, current=now.width, baseline=was.width),
            cells=tuple(
                Cell(name=field, reference=before, current=value)
                for field, before, value in zip(now._fields, was, now, strict=True)
            ),
            change_point=one.state.since * self._pane if one.state.since >= 0 else None,
            window_start=one.first(number) * self._pane,
            window_end=closing.span[1],
            rows=one.rows,
            reference_id=normal.reference_id,
            reference_rows=normal.rows,
            dispersion=normal.dispersion,
            summary=Summary(p25=now.p25, p50=now.p50, p75=now.p75),
        )

    def _detector(self, version: str, name: str, labels: list[str], normal: Normal) -> Judge | None:
        """Who judges; None of panes without a reference."""
        place = version, name
        if place not in self._detectors:
            borders = {}
            for label in labels:
                counts = normal.counts(label)
                before = None if counts is None else self._rate(counts, normal)
                if before is not None and before.rows >= MIN_ROWS:
                    borders[label] = Border.of(before, self._tolerance, normal.dispersion)
            made: Judge
            if name != PANES:
                made = Widening(borders, self._tolerance, normal.dispersion)
            elif borders:
                made = Swinging(borders[WHOLE], normal.dispersion)
            else:
                return None
            made.state = self._loaded.pop(place, made.state)
            self._detectors[place] = made
        return self._detectors[place]

    def _rate(self, counts: Counts, normal: Normal) -> Rate:
        """Wrong answers among the outcomes; of numbers errors beyond the usual half's."""
        residuals = self._blocks.layout.residuals
        if residuals is None:
            table = self._blocks.table(counts)
            rows = self._blocks.rows(counts)
            return Rate(float(rows - int(np.trace(table[:-1, :-1]))), float(rows))
        errors = self._blocks.part(counts, "error")[:-1]
        whole = normal.counts(WHOLE)
        usual = errors if whole is None else self._blocks.part(whole, "error")[:-1]
        sizes = np.abs(residuals.values[:-1])
        order = np.argsort(sizes, kind="stable")
        middle = np.searchsorted(np.cumsum(usual[order]), usual.sum() / 2)
        half = sizes[order][min(int(middle), len(order) - 1)]
        return Rate(float(errors[sizes > half].sum()), float(errors.sum()))

    def _told(
        self,
        version: str,
        name: str,
        labels: list[str],
        closing: Closing,
        normal: Normal,
        arrived: Windows,
    ) -> Iterator[Finding]:
        now: dict[str, Interval] = {}
        was: dict[str, Interval] = {}
        first = closing.pane
        for label in labels:
            if (version, label) not in arrived:
                continue
            window = arrived.sum((version, label))
            seen = self._leading(window.counts, normal.dispersion)
            if seen is None or seen.rows < MIN_ROWS:
                continue
            now[label], first = seen, min(first, window.first)
            counts = normal.counts(label)
            before = None if counts is None else self._leading(counts, normal.dispersion)
            if before is not None and before.rows >= MIN_ROWS:
                was[label] = before
        if len(now) < 2:  # noqa: PLR2004 - two parts can be apart
            return
        teller = Teller(
            model=self._model,
            version=version,
            segment=WHOLE,
            span=(first * self._pane, closing.span[1]),
            reference_id=normal.reference_id,
            reference_rows=normal.rows,
        )
        apart = spread(now)
        good = spread(was) if was.keys() == now.keys() else None
        reading = teller.tell(
            f"metric:spread:{name}",
            "segments",
            statistic=apart.value,
            threshold=None if good is None else good.value,
            rows=apart.rows,
            effect=Measured(
                current=apart.value,
                baseline=None if good is None else good.value,
                low=apart.low,
                high=apart.high,
            ),
        )
        cells = tuple(
            Cell(name=label, reference=was[label].value if label in was else 0.0, current=one.value)
            for label, one in now.items()
        )
        yield msgspec.structs.replace(reading, cells=cells, dispersion=normal.dispersion)

    def _leading(self, counts: Counts, dispersion: float) -> Interval | None:
        found = self._blocks.leading(counts, dispersion)
        return next(iter(found.values()), None)


def _named(name: str) -> str:
    """The signal of a segmentation, or of panes."""
    return SWINGS if name == PANES else f"{SIGNAL}{name}"


def spread(parts: Mapping[str, Interval]) -> Interval:
    """The largest difference of two parts (two at least), and an interval that is good for all."""
    ranked = sorted(parts.values(), key=lambda one: one.value)
    worst, best = ranked[0], ranked[-1]
    pairs = len(parts) * (len(parts) - 1) / 2
    reach = float(special.ndtri(1 - LEVEL / (2 * pairs)))
    # The best one's own error is too small, because it is the best by chance, too.
    half = reach * 2**0.5 * max(worst.error, best.error)
    value = best.value - worst.value
    return Interval(value, max(0.0, value - half), value + half, sum(p.rows for p in ranked))
