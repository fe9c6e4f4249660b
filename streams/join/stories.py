"""Stories: all rows that were kept of an id, as they lie in a store and come back from it.

A story is a set of rows named by where they stand: source, log, offset and row. So to write a row
again changes nothing, whoever writes it; who reads on from a snapshot leaves out what lies beyond
it; and a label that is replayed is told from a correction.
Promises: rows of fixed length, in which nothing depends on batches.
Leaves to others: when rows come and go (`shelf`), where they lie (`streams/stores`).
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.frames.ids import Ids
from schemas.rows import ROW_BITS, Ints

SOURCE_BYTES: Final = 8
PLACE_BYTES: Final = 8
FIELD_BYTES: Final = SOURCE_BYTES + 1 + PLACE_BYTES
"""The name of a row in its story: source, kind, place."""

PREDICTION: Final = b"p"
LABEL: Final = b"l"

_TIMES: Final = [("time", "<i8"), ("seen", "<i8"), ("blind", "<i8")]
_ANSWER: Final = [("label", "<i4"), ("value", "<f8"), ("revision", "<i4")]
_LABEL: Final = np.dtype([*_TIMES, *_ANSWER, ("annotator", "<u8"), ("beside", "u1")])
LABEL_BYTES: Final = _LABEL.itemsize
"""Of a label's row. Rows of before there were annotators end after the revision; zeros in their
place say what they meant: nobody named, and a label that counts."""
NAMED: Final = "named"
"""The version of a prediction by its name, because numbers of versions depend on batches."""

Rows = npt.NDArray[np.void]


class Wanted(NamedTuple):
    """What a step must have before it goes on: the stories of `ids`, all different (n,)."""

    model: str
    source: bytes
    ids: Ids


class Found(NamedTuple):
    """Stories: how many rows each id has (n,), and the rows, one id's after the other's.

    Each row is its place (8 bytes) and its content. `turn` is the last one that the store knows of.
    """

    turn: int
    predictions: Ints
    prediction_rows: bytes
    labels: Ints
    label_rows: bytes


class Leaving(NamedTuple):
    """Rows (n,) that are to be added to the stories of their ids, in the turn of this number."""

    model: str
    source: bytes
    turn: int
    ids: Ids
    fields: list[bytes]
    rows: list[bytes]


def source_of(*names: str) -> bytes:
    """A digest that names whose rows they are: model, grid, topics, partition."""
    return blake2b("\0".join(names).encode(), digest_size=SOURCE_BYTES).digest()


def version_name(version: str) -> int:
    """64 bits that name a version."""
    return int.from_bytes(blake2b(version.encode(), digest_size=8).digest(), "little")


class Form:
    """How the rows of one model are written."""

    def __init__(self, content: Mapping[str, str]) -> None:
        """`content`: what is kept of a prediction for its outcome (column: dtype)."""
        columns = [*_TIMES, (NAMED, "<u8"), ("digest", "<u8"), *content.items()]
        self.prediction = np.dtype(columns)
        self.label = _LABEL

    def of(self, kind: bytes) -> "np.dtype[np.void]":
        """The columns of rows of a kind."""
        return self.prediction if kind == PREDICTION else self.label

    def read(self, found: bytes, kind: bytes) -> tuple[Ints, Rows]:
        """Places (m,) and contents (m,) of rows of one kind; ValueError if they are not ours."""
        rows = np.frombuffer(found, np.dtype([("place", "<i8"), ("row", self.of(kind))]))
        return rows["place"].astype(np.int64), rows["row"]


def fields_of(source: bytes, kind: bytes, places: Ints) -> list[bytes]:
    """The names of rows (n,)."""
    packed, head = places.astype("<i8").tobytes(), source + kind
    return [head + packed[at : at + PLACE_BYTES] for at in range(0, len(packed), PLACE_BYTES)]


def cut(rows: Rows) -> list[bytes]:
    """The bytes of each row (n,)."""
    packed, width = rows.tobytes(), rows.dtype.itemsize
    return [packed[at : at + width] for at in range(0, len(packed), width)]


def offsets_of(places: Ints) -> Ints:
    """The offsets in places."""
    return places >> ROW_BITS
