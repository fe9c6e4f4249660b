"""Companions: which features, and which pairs of them, moved most among those that go together.

Promises: names and sizes only, the largest first; a pair is `a ~ b` with its correlation in the
reference and now, a feature its mean in reference standard deviations.
Leaves to others: whether anything has moved (`multivariate`), sentences (policy).
"""

from functools import cached_property
from typing import Final

import numpy as np

from detectors.components import View
from detectors.together import Kind, Together
from schemas.finding import Cell

PAIR: Final = " ~ "
"""Between the features of a pair."""

_LEADING: Final = 64
"""Features or pairs in a finding: all of some, so that who leads by chance stays among them."""

_WHAT: Final[dict[Kind, str]] = {
    "T2": "T2",
    "means": "T2",
    "spreads": "spread of a component",
    "error": "reconstruction error",
    "pairs": "correlation",
}
"""What a kind of evidence is called."""


class Companions:
    """The window of one detector, read."""

    def __init__(
        self, names: tuple[str, ...], detector: Together, window: View, kind: Kind
    ) -> None:
        """`names` of all columns that are counted; `kind` of evidence to read it by."""
        varying = detector.components.columns.tolist()
        self._names = [names[column] for column in varying]
        self._detector, self._window = detector, window
        self._kind = kind

    @property
    def what(self) -> str:
        """The statistic that says most."""
        return _WHAT[self._kind]

    @property
    def size(self) -> float:
        """Its departure in the unit of the tolerance."""
        if self.what == "T2":
            return self._detector.distance(self._window)
        span = self._detector.span(self._kind)
        return float(np.abs(self._window.features[span]).max())

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """What moved most: features where means did, else pairs."""
        return self._shifted() if self.what == "T2" else self._paired()

    def _shifted(self) -> tuple[Cell, ...]:
        shifts = self._window.shifts
        first = np.argsort(-np.abs(shifts), kind="stable")[:_LEADING]
        return tuple(
            Cell(name=self._names[i], reference=0.0, current=float(shifts[i])) for i in first
        )

    def _paired(self) -> tuple[Cell, ...]:
        a, b = self._detector.components.pairs
        moved = np.abs(self._window.features[self._detector.span("pairs")])
        was, now = self._detector.components.correlation, self._window.correlation
        return tuple(
            Cell(
                name=f"{self._names[a[i]]}{PAIR}{self._names[b[i]]}",
                reference=float(was[a[i], b[i]]),
                current=float(now[a[i], b[i]]),
            )
            for i in np.argsort(-moved, kind="stable")[:_LEADING]
        )
