"""The journal: everything the monitor may depend on, in one order, once.

Promises: records are small, typed and versioned by their tag; a profile is cumulative and keyed,
so appending it again changes nothing; encoding is a function of the content.
Leaves to others: what the cells of a profile mean (`grid`), who closes a pane (`monitor`).
"""

from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from schemas.log import Millis

Counts = npt.NDArray[np.int64]

ProfileKind = Literal[
    "predictions",
    "outcomes",
    "revisions",
    "refusals",
    "agreements",
    "sets",
    "opinions",
    "products",
]
"""`revisions` carries signed counts: what corrected labels take away and add. `refusals` counts
records, not rows: what was read and what was refused, in the pane that its log had come to
(`schemas/refusals`); its `rows` are those that were refused. `opinions` are labels of other
annotators beside those that count, of the whole and of no version. `products` are sums of what is
watched together (`detectors/products`), of the whole."""


class ProfileKey(msgspec.Struct, frozen=True, array_like=True, order=True):
    """What a profile counts; two records with one key are two versions of one profile.

    `pane` is the pane of the rows' event time, `arrived` the later of it and the pane of their
    log's watermark, both as indices (epoch milliseconds // pane length). `partition` is the
    source partition.
    """

    epoch: int
    grid: str
    kind: ProfileKind
    version: str
    segment: str
    pane: int
    arrived: int
    partition: int


class Sparse(msgspec.Struct, frozen=True, array_like=True):
    """A count vector without its zeros: cell indices (uint32) and counts (int64), little endian."""

    cells: bytes
    counts: bytes

    @classmethod
    def pack(cls, vector: Counts) -> "Sparse":
        """Leave the zeros of `vector` (width,) out."""
        (cells,) = vector.nonzero()
        return cls(cells.astype("<u4").tobytes(), vector[cells].astype("<i8").tobytes())

    def full(self, width: int) -> Counts:
        """The vector (width,) with its zeros."""
        vector = np.zeros(width, np.int64)
        self.add_to(vector)
        return vector

    def add_to(self, vector: Counts, sign: int = 1) -> None:
        """Add these counts to `vector` (width,) in place, `sign` times."""
        cells = np.frombuffer(self.cells, "<u4")
        vector[cells] += sign * np.frombuffer(self.counts, "<i8")


class Profile(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="profile"):
    """What one partition counted under one key, all of it, each time it is written.

    `offsets` are the last prediction and the last label counted in it (-1: none). A record
    replaces another of its key only if both are >=. `first` are the first ones, as evidence.
    """

    model: str
    key: ProfileKey
    rows: int
    vector: Sparse
    offsets: tuple[int, int]
    first: tuple[int, int]


class Progress(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="progress"):
    """How far one partition has counted: nothing older than these instants is still on time.

    `predictions` and `outcomes` include ticks (a tick may close a pane), the two `*_rows` are
    moved by rows alone (only they may forget a key). `events` is the watermark of the forwarded
    logs. Lateness is subtracted already. `partitions` is how many the monitor must hear. `missed`:
    rows so far that were not joined because the store they wait in did not answer, or lost them;
    `whole`: it serves at present.
    """

    model: str
    partition: int
    partitions: int
    epoch: int
    grid: str
    predictions: Millis
    outcomes: Millis
    predictions_rows: Millis
    outcomes_rows: Millis
    events: Millis
    missed: int = 0
    whole: bool = True


class LearningBatch(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="learning"):
    """Decoded rows of a model that has no grid yet; they build grid and reference, never counts.

    Columns are aligned with `offsets`. A feature column holds floats, texts and None.
    """

    model: str
    partition: int
    epoch: int
    offsets: list[int]
    arrived: list[int]
    features: dict[str, list[float | str | None]]
    predictions: list[float | str | None]
    scores: list[float | None]
    segments: dict[str, list[str | None]]


class Forwarded(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="forwarded"):
    """A metric or model event, passed on with its source offset; acts in the pane `arrived`."""

    model: str
    log: Literal["metrics", "model-events"]
    partition: int
    offset: int
    arrived: int
    value: bytes
    epoch: int = 0


JournalRecord = Profile | Progress | LearningBatch | Forwarded


def epoch_of(record: JournalRecord) -> int:
    """The epoch of its model that a record belongs to."""
    return record.key.epoch if isinstance(record, Profile) else record.epoch


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[JournalRecord] = msgspec.msgpack.Decoder(JournalRecord)


def encode(record: JournalRecord) -> bytes:
    """The bytes of a journal record."""
    return _encoder.encode(record)


def decode(value: bytes) -> JournalRecord:
    """The record of journal bytes; msgspec.DecodeError if they are not ours."""
    return _decoder.decode(value)
