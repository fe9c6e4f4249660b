"""Effects: how far the window of a signal is from normal, how it departs, and where.

Promises: sizes and facts only; the distances that cost more are measured where something was
found; nothing is NaN.
Leaves to others: significance (`panel`), severity and class (policy).
"""

from collections.abc import Sequence
from math import isnan
from typing import Final, Literal, NamedTuple

import numpy as np

from detectors.arrays import Floats
from detectors.distances import Pair, hellinger, js, ks, wasserstein
from detectors.effect import CellShift, Effect
from detectors.grid import Kind
from detectors.reference import SignalReference
from detectors.stability import StabilityGauge
from schemas.finding import Cell, Measured, Symptom
from schemas.journal import Counts
from streams.monitor.faults import fault
from streams.signals import Signal

_LEADING: Final = 5
"""Cells named in a finding."""

_BINS: Final = 64
"""Cells shown in a histogram at most."""

SPECIAL: Final = 3
"""Cells of a number beside those between its edges: below, above, missing."""

_SURE: Final = 3.0
"""Standard errors beyond the tolerance from which a special cell explains the departure."""


class Measure(NamedTuple):
    """What a window shows of one signal."""

    effect: Measured
    inside: bool
    symptom: Symptom
    direction: str
    cells: tuple[Cell, ...]
    histogram: tuple[Cell, ...]
    p_value: float | None


NOTHING: Final = Measure(
    Measured(), inside=True, symptom="shift", direction="", cells=(), histogram=(), p_value=None
)


Depth = Literal["effect", "shown", "all"]
"""How closely to look: with some evidence; where something was found (with histograms); and when
it is found first (with the dearer distances)."""


class Standard(NamedTuple):
    """What a window is measured against: the reference, and what distances need of it."""

    reference: SignalReference
    kind: Kind
    values: Floats | None
    dispersion: float
    gauge: StabilityGauge
    bars: "Bars"

    @classmethod
    def of(cls, signal: Signal, reference: SignalReference) -> "Standard":
        """The standard of one signal."""
        kind: Kind = "numeric" if signal.kind == "numeric" else "categorical"
        dispersion = float(reference.dispersion.mean())
        return cls(
            reference,
            kind,
            np.array(signal.values) if signal.values is not None else None,
            dispersion,
            StabilityGauge(reference.counts, kind, dispersion),
            Bars(signal, reference),
        )

    def pair(self, window: Counts) -> Pair:
        """A window beside it."""
        return Pair(window, self.reference.counts, self.kind, self.values, self.dispersion)


def glance(standard: Standard, window: Counts) -> Measure:
    """The stability index of a signal without evidence of change."""
    stability = standard.gauge.psi(window)
    return quiet(*stability) if stability else NOTHING


def measure(
    signal: Signal,
    standard: Standard,
    window: Counts,
    found: Effect | None,
    tolerance: float,
    depth: Depth,
    recent: Counts | None = None,
) -> Measure:
    """Measure merged counts (width,) of a window; `found` is their effect.

    `recent` are those since the change, where that is known.
    """
    reference = standard.reference
    if found is None:
        return NOTHING
    if signal.kind == "binary":
        lead = next(cell for cell in found.leading if cell.first == 1)
        return indicated(signal, lead, reference, window, tolerance)
    stability = standard.gauge.psi(window)
    lead = found.leading[0]
    return Measure(
        effect=Measured(
            size=found.size,
            psi=stability.effect if stability else None,
            mean_shift_sd=found.mean.shift if found.mean else None,
            spread_ratio=found.spread_ratio,
            **(_dear(standard.pair(window)) if depth == "all" else {}),
        ),
        inside=found.inside(tolerance),
        symptom=_symptom(signal, reference, window, found, tolerance, recent),
        direction=_direction(signal, found, lead),
        cells=tuple(_cell(signal, cell) for cell in found.leading[:_LEADING]),
        histogram=standard.bars.cells(window) if depth in ("shown", "all") else (),
        p_value=stability.p_value if stability else None,
    )


def quiet(effect: float, p_value: float) -> Measure:
    """A signal without evidence of change: its stability index (NaN: no rows) is all there is."""
    if isnan(effect):
        return NOTHING
    return Measure(
        Measured(psi=effect),
        inside=True,
        symptom="shift",
        direction="",
        cells=(),
        histogram=(),
        p_value=p_value,
    )


def indicated(
    signal: Signal,
    lead: CellShift | None,
    reference: SignalReference,
    window: Counts,
    tolerance: float,
) -> Measure:
    """An indicator such as the error: its share now and before; `lead` is the shift of yes."""
    if lead is None:
        return NOTHING
    now, was = float(window[1] / window.sum()), float(reference.shares[1])
    return Measure(
        effect=Measured(size=abs(lead.shift), current=now, baseline=was),
        inside=lead.shift <= tolerance + lead.error,
        symptom="gain" if signal.name == "gain" else "shift",
        direction="up" if now > was else "down",
        cells=(Cell(name=signal.cells[1], reference=was, current=now),),
        histogram=(),
        p_value=None,
    )


def _dear(pair: Pair) -> dict[str, float]:
    """The distances that take simulation or logarithms on all cells."""
    found = {
        "js": js(pair),
        "ks": ks(pair),
        "wasserstein_sd": wasserstein(pair),
        "hellinger": hellinger(pair),
    }
    return {name: distance.effect for name, distance in found.items() if distance is not None}


def _symptom(
    signal: Signal,
    reference: SignalReference,
    window: Counts,
    found: Effect,
    tolerance: float,
    recent: Counts | None,
) -> Symptom:
    """How the signal departs, the faults of data first; `recent` are the rows since it did."""
    if signal.name == "error":
        return "gain" if _better(signal, found, tolerance) else "shift"
    single = {cell.first: cell for cell in found.leading if cell.first == cell.last}
    grown = {i for i, cell in single.items() if cell.shift > tolerance + _SURE * cell.error}
    # New values explain a departure only where they are what moved most.
    new = grown & {found.leading[0].first}
    last = len(window) - 1
    if last in grown:
        return "missing"
    broken = fault(signal, reference, window if recent is None else recent)
    if broken is not None:
        return broken
    if signal.kind == "categorical":
        return "unseen" if last - 1 in new else "shift"
    return "range" if {0, last - 1} & new else "shift"


def _better(signal: Signal, found: Effect, tolerance: float) -> bool:
    """Whether residuals have only come closer together, or misses (never below 0) become fewer."""
    if signal.edges[0] >= 0:
        return found.mean is not None and found.mean.shift < 0
    if found.mean is None or found.spread is None:
        return False
    return found.spread.shift < -tolerance and abs(found.mean.shift) <= tolerance


def _direction(signal: Signal, found: Effect, lead: CellShift) -> str:
    """Where it went: up or down for numbers, the leading cell's name for categories."""
    if signal.kind == "numeric" and found.mean is not None:
        return "up" if found.mean.shift > 0 else "down"
    return f"{signal.cells[lead.first]} {'up' if lead.shift > 0 else 'down'}"


def _cell(signal: Signal, cell: CellShift) -> Cell:
    """A shifted stretch of cells by name."""
    name = _name(signal.cells, cell.first, cell.last)
    return Cell(name=name, reference=cell.reference_ratio, current=cell.current_ratio)


def _name(cells: Sequence[str], first: int, last: int) -> str:
    """What to call a stretch of cells, both included."""
    if first == last:
        return cells[first]
    return f"{cells[first].split(' to ')[0]} to {cells[last].rsplit(' to ', maxsplit=1)[-1]}"


class Bars:
    """Histograms of one signal: neighbours merged (numeric), the rarest left out (categories)."""

    def __init__(self, signal: Signal, reference: SignalReference, most: int = _BINS) -> None:
        """What does not depend on the window; `most` bars, more than the special cells are."""
        self._was, self._names, self._most = reference.shares, signal.cells, most
        width = len(self._was)
        self._spans: list[tuple[int, int]] | None = [(i, i + 1) for i in range(width)]
        if width > most:
            # Which of many categories are the rarest, the window has a say in.
            self._spans = _stretches(width, most) if signal.kind == "numeric" else None
        self._heights = [] if self._spans is None else self._merged(self._was, self._spans)

    def cells(self, window: Counts) -> tuple[Cell, ...]:
        """Shares now and before; `window` (width,) has rows."""
        now = window / window.sum()
        spans, heights = self._spans, self._heights
        if spans is None:
            both = -(now + self._was)
            order = np.argsort(both, kind="stable")[: self._most]
            spans = [(i, i + 1) for i in sorted(order.tolist())]
            heights = self._merged(self._was, spans)
        return tuple(
            Cell(name=_name(self._names, first, last - 1), reference=was, current=share)
            for (first, last), was, share in zip(
                spans, heights, self._merged(now, spans), strict=True
            )
        )

    def _merged(self, shares: Floats, spans: list[tuple[int, int]]) -> list[float]:
        if len(spans) == len(shares):
            heights: list[float] = np.minimum(shares, 1.0).tolist()
            return heights
        return [min(1.0, float(shares[first:last].sum())) for first, last in spans]


def _stretches(width: int, most: int) -> list[tuple[int, int]]:
    """Neighbours together; below, above and missing are no neighbours of anything."""
    inner = width - SPECIAL
    step = -(-inner // (most - SPECIAL))
    merged = [(first, min(first + step, width - 2)) for first in range(1, width - 2, step)]
    return [(0, 1), *merged, (width - 2, width - 1), (width - 1, width)]
