"""Where Kafka's clients send a key: murmur2 of many identifiers at once.

Promises: the hash of Java's, Python's and C's default partitioners, for keys of any length.
Leaves to others: who is asked for (`profiler`), single keys (`streams/runtime/partitions`).
Source: org.apache.kafka.common.utils.Utils#murmur2.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.frames.ids import Bytes, Ids
from schemas.rows import Ints

Words = npt.NDArray[np.uint32]

_SEED: Final = 0x9747B28C
_MIX: Final = np.uint32(0x5BD1E995)
_WORD: Final = 4


def partitions_of(ids: Ids, partitions: int) -> Ints:
    """The partition (n,), of so many, that records with these keys belong to."""
    out = np.zeros(len(ids), np.int64)
    for rows, table in ids.tables():
        out[rows] = (_murmur2(table) & np.uint32(0x7FFFFFFF)) % np.uint32(partitions)
    return out


def _murmur2(table: Bytes) -> Words:
    """Hashes (n,) of rows of bytes (n, length)."""
    n, length = table.shape
    whole = length - length % _WORD
    mixed = np.full(n, (_SEED ^ length) & 0xFFFFFFFF, np.uint32)
    for word in np.ascontiguousarray(table[:, :whole]).view("<u4").reshape(n, -1).T:
        part = word * _MIX
        part ^= part >> np.uint32(24)
        mixed = (mixed * _MIX) ^ (part * _MIX)
    if whole < length:
        rest = np.zeros((n, _WORD), np.uint8)
        rest[:, : length - whole] = table[:, whole:]
        mixed = (mixed ^ rest.view("<u4")[:, 0]) * _MIX
    mixed = (mixed ^ (mixed >> np.uint32(13))) * _MIX
    return np.asarray(mixed ^ (mixed >> np.uint32(15)), np.uint32)
