"""E-detectors against a reference that moves: rolling, seasonal, that of a predecessor.

As in `shiryaev_roberts`, M_k <- (M_k + 1) w_k and an alarm when the weighted mean reaches A. But
the weights of each pane are those of the reference of that pane. It is made of earlier panes
alone, so no tolerated law expects a weight above 1, and the run length is at least A all the same.
An alternative keeps its slot (which part of the signal, up or down, how far) when the reference
moves; one that a reference leaves out waits.

Promises: works in logarithms, never NaN; a pane without rows changes nothing; priors of all slots
of a signal sum to at most 1, so what a reference leaves out is power, never promise.
Leaves to others: which reference a pane has, A (`budget`).
Source: Shin, Ramdas, Rinaldo (2024), E-detectors, arXiv 2203.03532, definition 2.2: baseline
increments need only be predictable.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from detectors.alternatives import MEANS, MOMENTS_SHARE, SPREADS, Alternative
from detectors.arrays import Codes, Counts, Floats
from detectors.reference import SHAPE_GROUPS, SignalKind
from detectors.shiryaev_roberts import Contrast

_SIZES: Final = 3
"""Sizes of a change of one region in one direction, at most."""

_PARTS: Final = {"below": SHAPE_GROUPS, "above": SHAPE_GROUPS + 1, "missing": SHAPE_GROUPS + 2}
"""Regions of a numeric signal after its merged cells."""

_MOMENTS: Final = [("mean", s * a, w) for a, w in MEANS.items() for s in (1, -1)] + [
    ("spread", f, w) for f, w in SPREADS.items()
]
_PLACES: Final = {(kind, size): i for i, (kind, size, _) in enumerate(_MOMENTS)}


State = tuple[bytes, bytes, bytes, int]
"""Evidence, walks and their beginnings of every slot, little-endian, and the updates."""


@dataclass(frozen=True, eq=False)
class Weights:
    """A contrast as its slots see it: log weight per row of each cell (n, width)."""

    slots: Codes
    cells: Floats


def weights_of(kind: SignalKind, contrast: Contrast) -> Weights:
    """The slots of a contrast's alternatives and what they weigh."""
    slots: list[int] = []
    rows: list[Floats] = []
    regions: dict[tuple[int, ...], int] = {}
    seen: dict[tuple[int, str], int] = {}
    for one in contrast.alternatives:
        place = _slot(kind, one, regions, seen)
        if place is None:
            continue
        slots.append(place)
        weight = np.full(contrast.width, one.base)
        if one.cells is not None:
            weight = weight + one.cells
        weight[list(one.change.cells)] += one.extra
        rows.append(weight)
    cells = np.array(rows) if rows else np.zeros((0, contrast.width))
    return Weights(np.array(slots, np.intp), cells)


def priors_of(kind: SignalKind, width: int) -> Floats:
    """The fixed prior of every slot of a signal of so many cells."""
    if kind != "numeric":
        slots = 2 * _SIZES * (1 if kind == "binary" else width)
        return np.full(slots, 1.0 / slots)
    moments = np.array([weight for _, _, weight in _MOMENTS])
    others = 2 * _SIZES * (SHAPE_GROUPS + len(_PARTS))
    return np.append(
        MOMENTS_SHARE * moments / moments.sum(), np.full(others, (1 - MOMENTS_SHARE) / others)
    )


def _slot(
    kind: SignalKind,
    one: Alternative,
    regions: dict[tuple[int, ...], int],
    seen: dict[tuple[int, str], int],
) -> int | None:
    change = one.change
    if change.kind != "cell":
        return _PLACES.get((change.kind, change.size))
    if kind == "binary":
        region, first = 0, 0
    elif kind == "categorical":
        region, first = change.cells[0], 0
    else:
        first = len(_MOMENTS)
        region = _PARTS.get(change.place, -1)
        if region < 0:
            region = regions.setdefault(change.cells, len(regions))
    number = seen.get((region, change.direction), 0)
    seen[region, change.direction] = number + 1
    if number >= _SIZES or (
        kind == "numeric" and change.place == "shape" and region >= _PARTS["below"]
    ):
        return None
    return first + (region * 2 + (change.direction == "down")) * _SIZES + number


class Moving:
    """The evidence on one signal; exact in `state` and `load`."""

    def __init__(self, kind: SignalKind, width: int) -> None:
        """A signal of `width` cells, of which nothing is known."""
        self._prior = np.log(priors_of(kind, width))
        self.reset()
        self.updates = 0

    def reset(self) -> None:
        """Forget the evidence; updates go on counting."""
        self._evidence = np.full(len(self._prior), -np.inf)
        self._drift = np.zeros(len(self._prior))
        self._since = np.full(len(self._prior), -1, np.int64)

    def update(self, weights: Weights, counts: Counts, number: int) -> None:
        """One pane of counts (width,) against its reference; `number` names it in `start`."""
        if not counts.any() or not len(weights.slots):
            return
        at = weights.slots
        score = weights.cells @ counts.astype(float)
        evidence = self._evidence[at]
        # log(1 + M) without overflow
        self._evidence[at] = np.logaddexp(evidence, 0.0) + score
        drift = self._drift[at]
        self._since[at] = np.where(drift <= 0, number, self._since[at])
        self._drift[at] = np.maximum(drift, 0.0) + score
        self.updates += 1

    @property
    def log_mean(self) -> float:
        """Log of the weighted mean of the evidence; -inf before any."""
        return float(np.logaddexp.reduce(self._evidence + self._prior))

    @property
    def start(self) -> int:
        """The pane with which the leading alternative began; -1 where none leads."""
        weighted = self._evidence + self._prior
        best = int(weighted.argmax())
        return int(self._since[best]) if weighted[best] > -np.inf else -1

    def state(self) -> State:
        """What `load` needs."""
        return (
            self._evidence.astype("<f8").tobytes(),
            self._drift.astype("<f8").tobytes(),
            self._since.astype("<i8").tobytes(),
            self.updates,
        )

    def load(self, state: State) -> None:
        """Continue where `state` was taken; ValueError if it is of another signal."""
        evidence, drift, since, updates = state
        if len(evidence) != 8 * len(self._prior):
            raise ValueError("the state belongs to a signal of other cells")
        self._evidence = np.frombuffer(evidence, "<f8").copy()
        self._drift = np.frombuffer(drift, "<f8").copy()
        self._since = np.frombuffer(since, "<i8").astype(np.int64)
        self.updates = updates
