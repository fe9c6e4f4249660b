"""Adaptive detectors: ADWIN and Page-Hinkley beside the budgeted ones, for series over time.

They need no reference, only a unit: a score or an error is standardised by its reference, a
business figure by its own first values. What they say is context: shown in readings, paging
nobody, because their run length is not part of the false-alarm budget.

Promises: one value a pane and series; a pane without rows is no value; state is plain numbers.
Leaves to others: the detectors themselves (`detectors`), readings (`saying`).
"""

from math import sqrt
from typing import Final

import msgspec
import numpy as np

from detectors.adwin import Adwin, AdwinSettings, AdwinState
from detectors.page_hinkley import PageHinkley, PageHinkleySettings, PageHinkleyState
from detectors.reference import SignalReference
from schemas.finding import Finding, Measured
from schemas.grid import WHOLE
from schemas.journal import Counts
from schemas.log import Millis
from streams.monitor.watch import Closing

FIRST_VALUES: Final = 30
"""Values of a figure without a reference that say what its unit is."""

MAX_FIGURES: Final = 200
"""Figures watched per model; further names are passed over."""

WATCHED: Final = frozenset({"score", "error"})
"""Signals of a model that are watched as series too, over all rows."""

ADWIN: Final = AdwinSettings()
PAGE_HINKLEY: Final = PageHinkleySettings()


class Subject(msgspec.Struct, frozen=True):
    """Whose series: model, version, segment, signal, and the reference it is measured by."""

    model: str
    version: str
    segment: str
    signal: str
    reference_id: str = ""
    reference_rows: int = 0


class SavedSeries(msgspec.Struct, frozen=True, kw_only=True):
    """A series in a snapshot; `first` are the values that set the unit."""

    adwin: AdwinState
    page_hinkley: PageHinkleyState
    first: list[float]


class Series:
    """One series and its two detectors."""

    def __init__(self, *, standardised: bool) -> None:
        """`standardised`: values come in units of their own noise already."""
        self.standardised = standardised
        self._first: list[float] = []
        self._adwin = Adwin(ADWIN)
        self._page_hinkley = PageHinkley(PAGE_HINKLEY)

    def update(
        self, subject: Subject, value: float, span: tuple[Millis, Millis], rows: int
    ) -> list[Finding]:
        """Take the value of a pane; gives a finding a detector."""
        unit = self._in_units(value)
        if unit is None:
            return []
        drift, change = self._adwin.update(unit), self._page_hinkley.update(unit)
        said = [
            ("adwin", drift, self._adwin.mean, None),
            ("page_hinkley", change, self._page_hinkley.mean, PAGE_HINKLEY.threshold),
        ]
        return [
            Finding(
                model=subject.model,
                version=subject.version,
                segment=subject.segment,
                signal=subject.signal,
                detector=name,
                state="judged",
                alarm=alarm,
                joins=False,
                inside=not alarm,
                symptom="shift",
                statistic=mean,
                threshold=threshold,
                effect=Measured(current=value),
                window_start=span[0],
                window_end=span[1],
                rows=rows,
                reference_id=subject.reference_id,
                reference_rows=subject.reference_rows,
                role="context",
            )
            for name, alarm, mean, threshold in said
        ]

    def _in_units(self, value: float) -> float | None:
        """The value in units of its own spread; None while that is being found out."""
        if self.standardised:
            return value
        if len(self._first) < FIRST_VALUES:
            self._first.append(value)
            return None
        spread = float(np.std(self._first))
        return (value - float(np.mean(self._first))) / (spread if spread > 0 else 1.0)

    def save(self) -> SavedSeries:
        """The state, for a snapshot."""
        return SavedSeries(
            adwin=self._adwin.state(),
            page_hinkley=self._page_hinkley.state(),
            first=list(self._first),
        )

    def load(self, saved: SavedSeries) -> None:
        """Take a snapshot up."""
        self._adwin = Adwin.from_state(ADWIN, saved.adwin)
        self._page_hinkley = PageHinkley.from_state(PAGE_HINKLEY, saved.page_hinkley)
        self._first = list(saved.first)


class Figures:
    """The business and operational figures of one model, by name."""

    def __init__(self, model: str) -> None:
        """None yet."""
        self._model = model
        self._series: dict[str, Series] = {}

    def close(self, closing: Closing) -> list[Finding]:
        """Judge the figures of a pane, each by the mean of its values there."""
        values: dict[str, list[float]] = {}
        for metric in closing.metrics:
            values.setdefault(metric.name, []).append(metric.value)
        found: list[Finding] = []
        for name in sorted(values):
            if name not in self._series and len(self._series) >= MAX_FIGURES:
                continue
            series = self._series.setdefault(name, Series(standardised=False))
            subject = Subject(self._model, "", WHOLE, f"metric:{name}")
            mean = float(np.mean(sorted(values[name])))  # sorted: the order must not matter
            found += series.update(subject, mean, closing.span, len(values[name]))
        return found

    def save(self) -> bytes:
        """The state, for a snapshot."""
        return msgspec.msgpack.encode({n: series.save() for n, series in self._series.items()})

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""
        for name, one in msgspec.msgpack.decode(saved, type=dict[str, SavedSeries]).items():
            self._series[name] = Series(standardised=False)
            self._series[name].load(one)


def standardised(reference: SignalReference, counts: Counts) -> float | None:
    """How far a pane's mean lies from the reference's, in standard errors of that many rows.

    The mean of normal scores for numbers, the share of the last cell for indicators; None without
    rows or for a reference that does not vary.
    """
    if reference.kind == "numeric":
        seen = counts[:-1]
        rows = int(seen.sum())
        spread = _spread(reference)
        if not rows or spread <= 0:
            return None
        gap = float(seen @ reference.scores) / rows - float(reference.present @ reference.scores)
        return gap / spread * sqrt(rows / float(reference.pattern_dispersion[0]))
    rows, share = int(counts.sum()), float(reference.shares[-1])
    if not rows or not 0 < share < 1:
        return None
    noise = sqrt(share * (1 - share) * float(reference.dispersion[-1]) / rows)
    return (float(counts[-1]) / rows - share) / noise


def _spread(reference: SignalReference) -> float:
    mean = float(reference.present @ reference.scores)
    return sqrt(max(float(reference.present @ reference.scores**2) - mean**2, 0.0))
