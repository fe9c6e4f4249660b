"""A baseline: a model's grid and its reference, as the `references` topic carries them.

Promises: the grid says how to count, the reference what is normal; either can be replaced without
the other; bytes are a function of the content.
Leaves to others: building (`streams/learning`, monitor), judging (`detectors.reference`).
"""

import hashlib
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Counts
from detectors.components import Standard
from detectors.persistence import PROVEN, lasting
from detectors.reference import SignalKind, SignalReference, reference_of
from schemas.grid import Grid
from schemas.journal import Sparse

NEVER: Final = -1
"""`learned_until` of a baseline that no pane of the stream belongs to."""


class Normal(msgspec.Struct, frozen=True, array_like=True):
    """What is normal of one signal in one segment, as `detectors.reference` describes it."""

    kind: SignalKind
    counts: tuple[int, ...]
    rows: int
    dispersion: tuple[float, ...]
    patterns: tuple[float, ...] | None = None

    @classmethod
    def of(cls, kind: SignalKind, panes: Counts, proof: float = PROVEN) -> "Normal":
        """What the counts of reference panes (panes, width) say, one after the other.

        Where neighbours are correlated by `proof` standard errors, their dispersion is that of
        long sums.
        """
        one = lasting(reference_of(kind, panes), panes, proof)
        patterns = None if one.patterns is None else tuple(one.patterns.tolist())
        return cls(
            kind, tuple(one.counts.tolist()), one.rows, tuple(one.dispersion.tolist()), patterns
        )

    def reference(self) -> SignalReference:
        """The same, as the mathematics take it."""
        return SignalReference(
            kind=self.kind,
            counts=np.array(self.counts, np.int64),
            rows=self.rows,
            dispersion=np.array(self.dispersion),
            patterns=None if self.patterns is None else np.array(self.patterns),
        )


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """`learned_until`: panes up to this one build the reference and are not judged.

    `normals` by segment and signal; empty while the reference is being built of counted panes.
    `outcomes` by segment: the whole outcomes' vector of the reference rows, for metrics. `joint`:
    of what is watched together, by name, where a file was the reference.
    """

    model: str
    grid: Grid
    source: str
    learned_until: int = NEVER
    provisional: bool = False
    normals: dict[str, dict[str, Normal]] = {}
    outcomes: dict[str, Sparse] = {}
    joint: dict[str, Standard] | msgspec.UnsetType = msgspec.UNSET

    @property
    def together(self) -> dict[str, Standard]:
        """The references of what is watched together, by name, as far as they are known."""
        return {} if isinstance(self.joint, msgspec.UnsetType) else self.joint

    @property
    def id(self) -> str:
        """Content hash, shown wherever something was judged against it."""
        # With the grid as its own id has it, so that a field nobody uses renames nothing.
        content = encode(self).replace(msgspec.msgpack.encode(self.grid), self.grid.content, 1)
        return hashlib.blake2b(content, digest_size=8).hexdigest()


_encoder: Final = msgspec.msgpack.Encoder(order="deterministic")
_decoder: Final = msgspec.msgpack.Decoder(Baseline)


def key(baseline: Baseline) -> bytes:
    """The key of its record: each epoch has one, so that no late record replaces a newer one."""
    epoch = baseline.grid.epoch
    return (f"{baseline.model}/epoch-{epoch}" if epoch else baseline.model).encode()


def encode(baseline: Baseline) -> bytes:
    """The bytes of a baseline."""
    return _encoder.encode(baseline)


def decode(value: bytes) -> Baseline:
    """The baseline of bytes; msgspec.DecodeError if they are not ours."""
    return _decoder.decode(value)
