"""A panel: the signals of one version and segment, judged pane by pane.

Promises: one update a pane; state is a window of count vectors and the detectors' sums; a pane
without rows is not judged; what is judged depends on counts and order of panes alone.
Leaves to others: the sums of all panels at once (`stack`), which panes there are (`model`), what
follows from a finding (policy).
"""

from collections import deque
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Final, NamedTuple, Protocol

import msgspec
import numpy as np
from msgspec.structs import replace

from detectors.arrays import Floats
from detectors.budget import benjamini_hochberg, e_bh
from detectors.effect import CellShift, Effect
from detectors.shiryaev_roberts import BankState
from schemas.finding import Finding
from schemas.grid import WHOLE
from schemas.journal import Counts
from schemas.judging import Judging
from schemas.log import Millis
from streams.monitor.adaptive import WATCHED, SavedSeries, Series, Subject, standardised
from streams.monitor.effects import Depth, Measure, glance, indicated, measure
from streams.monitor.faults import is_stuck_at_usual
from streams.monitor.forms import Forms, Partition, SavedForms
from streams.monitor.yardstick import Yardstick
from streams.policy.family import FAULTS

WINDOW_ROWS: Final = 1000
"""Rows that a window should hold, so that effects are worth reading."""

WINDOW_PANES: Final = 50
"""Panes that a window holds at most."""

FALSE_DISCOVERIES: Final = 0.1
"""Share of false ones among signals that join an incident already proven (e-BH level)."""

_LARGEST: Final = 700.0
"""Largest logarithm whose exponential is finite."""


class Place(NamedTuple):
    """Whose signals: model, version, segment, and the reference they are judged against."""

    model: str
    version: str
    segment: str
    reference_id: str


class Sight(Protocol):
    """What a closed pane shows of a panel's signals (see `stack`)."""

    @property
    def logs(self) -> Floats:
        """Log of the sequential evidence."""

    @property
    def updates(self) -> Counts:
        """Panes with rows behind it."""

    @property
    def begins(self) -> list[int]:
        """The pane with which the leading alternative began; -1: none leads."""

    @property
    def rows(self) -> list[int]:
        """Rows in the window."""

    def effect(self, signal: int) -> Effect | None:
        """How far the window of a signal is from its reference."""

    def yes(self, signal: int) -> CellShift | None:
        """How far the window of an indicator is from its reference."""

    def stable(self, signal: int) -> Measure | None:
        """What there is to say of a quiet categorical signal; None for other kinds."""


class Verdicts(NamedTuple):
    """What the sequential detectors say, (S,) each: logs of their evidence, alarms, joins."""

    logs: list[float]
    evidence: list[float]
    e_values: list[float]
    alarms: list[bool]
    joins: list[bool]


class SavedPanel(msgspec.Struct, frozen=True, kw_only=True):
    """A panel in a snapshot; `bank` is the state of its detectors."""

    bank: BankState
    first: int
    moved: list[int]
    series: dict[int, SavedSeries]
    window: list[tuple[int, bytes]]
    forms: SavedForms = SavedForms()


class Slot(msgspec.Struct):
    """A pane in the window: its counts, and the rows of the first signal."""

    pane: int
    row: Counts
    rows: int


class Panel:
    """A sliding window over the signals of one place, and what is found in it."""

    def __init__(
        self,
        place: Place,
        yardstick: Yardstick,
        judging: Judging,
        threshold: float,
        partition: Partition,
    ) -> None:
        """`threshold` is the log of the run length a signal's detector must keep, in panes."""
        self.place, self.yardstick = place, yardstick
        self._judging, self._threshold = judging, threshold
        self._series = {
            index: Series(standardised=True)
            for index, signal in enumerate(yardstick.signals)
            if signal.name in WATCHED and place.segment == WHOLE
        }
        self._first: int | None = None
        self._window: deque[Slot] = deque()
        self._moved = [0] * len(yardstick.signals)
        """Of each signal: 0 at rest, 1 it would join an incident, 2 it alarms."""
        self.sums = np.zeros(yardstick.width, np.int64)
        """Of all panes in the window."""
        self.forms = Forms(partition, yardstick.references, yardstick.tolerances)

    def take(self, pane: int, row: Counts) -> None:
        """Take a pane's on-time counts (all cells,) into the window; the oldest panes leave it.

        The window keeps the fewest newest panes that hold enough rows.
        """
        if self._first is None:
            self._first = pane
        self._window.append(Slot(pane, row.copy(), self._rows(row)))
        self.sums += row
        self.forms.take(pane, row)
        held = sum(slot.rows for slot in self._window)
        while len(self._window) > 1 and (
            len(self._window) > WINDOW_PANES or held - self._window[0].rows >= WINDOW_ROWS
        ):
            oldest = self._window.popleft()
            held -= oldest.rows
            self.sums -= oldest.row

    def correct(self, pane: int, row: Counts) -> None:
        """Add late rows to the window that still holds their pane; detectors never see them."""
        self.forms.correct(pane, row)
        for slot in self._window:
            if slot.pane == pane:
                slot.row += row
                slot.rows += self._rows(row)
                self.sums += row

    def findings(self, pane: int, row: Counts, sight: Sight) -> list[Finding]:
        """A finding of every signal, at a pane with these counts."""
        said = self._verdicts(sight)
        before, moved = self._moved, list(map(int.__add__, said.joins, said.alarms))
        self._moved = moved
        seen = [self._look(i, sight, said, new=moved[i] > before[i]) for i in range(len(said.logs))]
        if any(said.alarms):
            self._recruit(said, seen, sight)
        if any(said.joins):
            self._suspect(said, seen, sight)
        length = self._judging.pane
        span = self._window[0].pane * length, (pane + 1) * length
        assert self._first is not None
        changes = [length * (at if at >= 0 else self._first) for at in sight.begins]
        found = [
            self._finding(i, said, measured, span, (changes[i], sight.rows[i]))
            for i, measured in enumerate(seen)
        ]
        return found + self._watched(pane, row)

    def formed(
        self, pane: int, found: list[Finding], parts: Iterable[Sequence["Panel"]]
    ) -> list[Finding]:
        """The findings of a pane with the forms of those signals that move.

        `parts`: the panels of each segmentation that says how broad a departure of this panel is.
        """
        due, length = self.forms.due(self._moved), self._judging.pane
        others = [[one.forms for one in panels] for panels in parts] if due else []
        for index in due:
            change = found[index].change_point
            assert change is not None
            # Back inside the tolerance, its way back would be taken for its course.
            if not found[index].inside:
                self.forms.look(index, change // length, pane, others)
        for index, form in self.forms.said.items():
            found[index] = replace(found[index], shape=form.shape, breadth=form.breadth)
        return found

    def held(self) -> list[tuple[int, list[Counts]]]:
        """The panes in the window, and the counts (width,) of every signal in each."""
        return [(slot.pane, self.yardstick.split(slot.row)) for slot in self._window]

    def index(self, signal: str) -> int | None:
        """The place of a signal among the panel's."""
        names = [one.name for one in self.yardstick.signals]
        return names.index(signal) if signal in names else None

    def save(self, bank: BankState) -> SavedPanel:
        """The state, for a snapshot."""
        return SavedPanel(
            bank=bank,
            first=-1 if self._first is None else self._first,
            moved=self._moved,
            series={index: series.save() for index, series in self._series.items()},
            window=[(slot.pane, slot.row.tobytes()) for slot in self._window],
            forms=self.forms.save(),
        )

    def load(self, saved: SavedPanel) -> None:
        """Take a snapshot up."""
        self._first = saved.first if saved.first >= 0 else None
        self._moved = list(saved.moved)
        for index, series in saved.series.items():
            self._series[index].load(series)
        self.forms.load(saved.forms)
        for pane, cells in saved.window:
            row = np.frombuffer(cells, np.int64).copy()
            self._window.append(Slot(pane, row, self._rows(row)))
            self.sums += row

    def _rows(self, row: Counts) -> int:
        return int(row[self.yardstick.spans[0]].sum())

    def _verdicts(self, sight: Sight) -> Verdicts:
        evidence = np.minimum(sight.logs - np.log(np.maximum(sight.updates, 1)), _LARGEST)
        e_values = np.exp(evidence)
        alarms = sight.logs >= self._threshold
        joins = e_bh(e_values, FALSE_DISCOVERIES) | alarms
        return Verdicts(
            sight.logs.tolist(),
            evidence.tolist(),
            e_values.tolist(),
            alarms.tolist(),
            joins.tolist(),
        )

    def _look(self, index: int, sight: Sight, said: Verdicts, *, new: bool) -> Measure:
        """Look at a window as closely as the evidence is worth it."""
        if said.joins[index]:
            # Dear distances are worth their price once, when a signal begins to move.
            return self._measure(index, sight, "all" if new else "shown")
        if said.logs[index] > 0:
            return self._measure(index, sight, "effect")
        stable = sight.stable(index)
        if stable is not None:
            return stable
        if self.yardstick.signals[index].kind == "binary":
            return self._measure(index, sight, "effect")
        return glance(self.yardstick.standards[index], self._cells(index))

    def _recruit(self, said: Verdicts, seen: list[Measure], sight: Sight) -> None:
        """Once one signal has proven a change, let windows say which others it has reached.

        A window sees sooner than a sequential detector, which pays for looking at any time; the
        share of false ones stays bounded (Benjamini-Hochberg), and the tolerance holds.
        """
        found = benjamini_hochberg([one.p_value for one in seen], FALSE_DISCOVERIES)
        for index in np.flatnonzero(found).tolist():
            effect = None if said.joins[index] else sight.effect(index)
            if effect is None or effect.inside(self.yardstick.tolerances[index]):
                continue
            closer = self._measure(index, sight, "shown")
            if not closer.inside:
                said.joins[index], self._moved[index], seen[index] = True, 1, closer

    def _suspect(self, said: Verdicts, seen: list[Measure], sight: Sight) -> None:
        """Columns that only say their usual value are faulty if no other feature is drifting.

        A group of people who all have that value would show in other features, too.
        """
        signals = self.yardstick.signals
        moved = {
            index
            for index in np.flatnonzero(said.joins).tolist()
            if signals[index].name.startswith("feature:") and seen[index].symptom not in FAULTS
        }
        stuck = set()
        for index in moved:
            recent = self._since(index, sight.begins[index])
            if recent is not None and is_stuck_at_usual(self.yardstick.references[index], recent):
                stuck.add(index)
        if stuck == moved:
            for index in stuck:
                seen[index] = seen[index]._replace(symptom="constant")

    def _watched(self, pane: int, row: Counts) -> list[Finding]:
        """What the adaptive detectors say of the series among the signals."""
        length = self._judging.pane
        span = pane * length, (pane + 1) * length
        found: list[Finding] = []
        place = self.place
        for index, series in self._series.items():
            reference = self.yardstick.references[index]
            counts = row[self.yardstick.spans[index]]
            value = standardised(reference, counts)
            if value is None:
                continue
            subject = Subject(
                place.model,
                place.version,
                place.segment,
                self.yardstick.signals[index].name,
                place.reference_id,
                reference.rows,
            )
            found += series.update(subject, value, span, int(counts.sum()))
        return found

    def _cells(self, index: int) -> Counts:
        return self.sums[self.yardstick.spans[index]]

    def _measure(self, index: int, sight: Sight, depth: Depth) -> Measure:
        signal, standard = self.yardstick.signals[index], self.yardstick.standards[index]
        window, tolerance = self._cells(index), self.yardstick.tolerances[index]
        if signal.kind == "binary":
            return indicated(signal, sight.yes(index), standard.reference, window, tolerance)
        found = sight.effect(index)
        recent = None if depth == "effect" else self._since(index, sight.begins[index])
        return measure(signal, standard, window, found, tolerance, depth, recent)

    def _since(self, index: int, pane: int) -> Counts | None:
        """The counts of a signal in the window from `pane` on; None if it is not known (-1)."""
        if pane < 0:
            return None
        span = self.yardstick.spans[index]
        counts = np.zeros(span.stop - span.start, np.int64)
        for slot in self._window:
            if slot.pane >= pane:
                counts += slot.row[span]
        return counts

    def _finding(
        self,
        index: int,
        said: Verdicts,
        seen: Measure,
        span: tuple[Millis, Millis],
        since: tuple[Millis, int],
    ) -> Finding:
        """`since`: when it began to change, and the rows of the window."""
        place, signal, log = self.place, self.yardstick.signals[index], said.logs[index]
        change, rows = since
        return Finding(
            model=place.model,
            version=place.version,
            segment=place.segment,
            signal=signal.name,
            detector="shiryaev_roberts",
            state="judged" if rows else "too_few_rows",
            alarm=said.alarms[index],
            joins=said.joins[index],
            inside=seen.inside,
            symptom=seen.symptom,
            statistic=log if isfinite(log) else None,
            threshold=self._threshold,
            e_value=said.e_values[index],
            p_value=seen.p_value,
            effect=seen.effect,
            direction=seen.direction,
            cells=seen.cells,
            histogram=seen.histogram,
            change_point=change,
            window_start=span[0],
            window_end=span[1],
            rows=rows,
            reference_id=place.reference_id,
            reference_rows=self.yardstick.references[index].rows,
            dispersion=self.yardstick.dispersions[index],
            important=signal.important,
        )
