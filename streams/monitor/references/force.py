"""A reference in force: one of several, with what follows from it, for all signals of a place.

Promises: made anew of what a snapshot keeps of it (`normals`) it is the same.
Leaves to others: which panes it is made of (`sources`), judging by it (`comparison`).
"""

import hashlib
from collections.abc import Sequence
from functools import cached_property

import msgspec
import numpy as np

from detectors.blend import blend
from detectors.moving import Weights, weights_of
from detectors.reference import SignalReference
from detectors.shiryaev_roberts import contrasts_of
from schemas.baseline import Normal
from schemas.journal import Counts
from schemas.judging import Judging
from streams.monitor.effects import Standard
from streams.monitor.yardstick import tolerances
from streams.signals import Signal


class SavedForce(msgspec.Struct, frozen=True, array_like=True):
    """A reference in a snapshot; `normals` in the order of the signals."""

    period: int
    normals: tuple[Normal, ...]


class Force:
    """What the signals of one place are compared with in one period."""

    def __init__(self, saved: SavedForce, signals: Sequence[Signal], judging: Judging) -> None:
        """`saved.normals` in the order of `signals`."""
        self.saved, self._signals, self._judging = saved, signals, judging
        self.period = saved.period
        self.references: list[SignalReference] = [one.reference() for one in saved.normals]

    @classmethod
    def of(
        cls,
        period: int,
        rows: Sequence[Counts],
        spans: Sequence[slice],
        signals: Sequence[Signal],
        judging: Judging,
    ) -> "Force":
        """The reference that vectors (cells of all signals) make; `spans` are the signals'."""
        panes = np.array(rows)
        normals = tuple(
            # Neighbouring slots are correlated (weather), proven or not.
            Normal.of(signal.kind, panes[:, span], proof=0.0)
            for signal, span in zip(signals, spans, strict=True)
        )
        return cls(SavedForce(period, normals), signals, judging)

    @cached_property
    def id(self) -> str:
        """Content hash, shown wherever something was judged against it."""
        return hashlib.blake2b(msgspec.msgpack.encode(self.saved), digest_size=8).hexdigest()

    @cached_property
    def weights(self) -> list[Weights]:
        """What the detectors of all signals weigh a row by; dear, so once."""
        contrasts = contrasts_of(
            self.references,
            tolerance=tolerances(self._signals, self.references, self._judging.tolerance),
            null=self._judging.null,
            upward=[signal.kind == "binary" for signal in self._signals],
        )
        return [
            weights_of(signal.kind, contrast)
            for signal, contrast in zip(self._signals, contrasts, strict=True)
        ]

    @cached_property
    def standards(self) -> list[Standard]:
        """What the windows of all signals are measured against."""
        return [
            Standard.of(signal, reference)
            for signal, reference in zip(self._signals, self.references, strict=True)
        ]


def standards_of(
    parts: Sequence[tuple[Force, Sequence[int]]], signals: Sequence[Signal]
) -> list[Standard | None]:
    """The standards of a window: each reference with the rows (S,) that belong to it."""
    if len({id(force) for force, _ in parts}) == 1:
        return list(parts[0][0].standards)
    out: list[Standard | None] = []
    for i, signal in enumerate(signals):
        mixed = blend([(force.references[i], rows[i]) for force, rows in parts])
        out.append(None if mixed is None else Standard.of(signal, mixed))
    return out
