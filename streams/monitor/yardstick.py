"""A yardstick: what the signals of one segment are measured by, worked out once per reference.

Promises: cells of all signals lie one after the other in one vector, in the order of the signals;
every version of the segment shares one yardstick.
Leaves to others: the windows that are measured (`panel`), all of them at once (`stack`).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from detectors.arcsine import points_as_angle
from detectors.reference import SignalReference
from detectors.shiryaev_roberts import contrasts_of
from schemas.baseline import Normal
from schemas.journal import Counts
from schemas.judging import Judging
from streams.monitor.effects import Standard
from streams.signals import Signal

POINTS: Final = 0.2
"""How far an error rate may rise per unit of tolerance: at the usual .1 by two points (.02)."""


def tolerances(
    signals: Sequence[Signal], references: Sequence[SignalReference], tolerance: float
) -> list[float]:
    """What is tolerated of each signal, in its own units (standard deviations, angles).

    An angle of .1 would let an accuracy of .76 fall by five points unnoticed, which is more than
    what is red; so error rates are held to points, where that is less.
    """
    return [
        tolerance_of(signal, reference, tolerance)
        for signal, reference in zip(signals, references, strict=True)
    ]


def tolerance_of(signal: Signal, reference: SignalReference, tolerance: float) -> float:
    """The same of one signal."""
    if signal.kind != "binary" or not signal.name.startswith("error"):
        return tolerance
    return min(tolerance, points_as_angle(float(reference.shares[1]), POINTS * tolerance))


class Yardstick:
    """The references of a segment's signals, and what follows from them alone."""

    def __init__(
        self, signals: Sequence[Signal], normals: Sequence[Normal], judging: Judging
    ) -> None:
        """`normals` in the order of `signals`."""
        self.signals = tuple(signals)
        self.references = [normal.reference() for normal in normals]
        self.standards = [
            Standard.of(signal, reference)
            for signal, reference in zip(signals, self.references, strict=True)
        ]
        self.tolerances = tolerances(signals, self.references, judging.tolerance)
        self.contrasts = contrasts_of(
            self.references,
            tolerance=self.tolerances,
            null=judging.null,
            upward=[signal.kind == "binary" for signal in signals],
        )
        ends = np.cumsum([0, *(one.width for one in self.references)]).tolist()
        self.spans = [slice(first, last) for first, last in pairwise(ends)]
        self.width: int = ends[-1]
        self.dispersions = [_dispersion(one) for one in self.references]
        self.categorical = [i for i, one in enumerate(signals) if one.kind == "categorical"]

    def split(self, row: Counts) -> list[Counts]:
        """The cells of every signal out of the vector of all."""
        return [row[span] for span in self.spans]


def _dispersion(reference: SignalReference) -> float:
    """The largest of the dispersions that the evidence is divided by."""
    cells = float(np.max(reference.dispersion))
    if reference.kind != "numeric" or reference.patterns is None:
        return cells
    return max(cells, float(np.max(reference.patterns)))
