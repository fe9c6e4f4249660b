"""Ids of predictions, and the partition a key belongs to.

Promises: a made id is a UUID of version 7 (RFC 9562), so ids sort by time; `partition_of` chooses
like the default partitioner of Kafka's clients, so that a label finds its prediction.
Leaves to others: how many partitions there are.
"""

import os
import time
from typing import Final

_SEED: Final = 0x9747B28C
_MIX: Final = 0x5BD1E995
_WORD: Final = 0xFFFFFFFF
_VERSION: Final = 0x7 << 76
_VARIANT: Final = 0x2 << 62
_RANDOM: Final = ~((0xF << 76) | (0x3 << 62))


def new_id() -> str:
    """A new id: 48 bits of epoch milliseconds and 74 bits of chance, 36 characters."""
    chance = int.from_bytes(os.urandom(10)) & _RANDOM
    number = (time.time_ns() // 1_000_000) << 80 | chance | _VERSION | _VARIANT
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def murmur2(key: bytes) -> int:
    """MurmurHash2 with Kafka's seed: what its Java, Python and C clients partition by."""
    size = len(key)
    value = (_SEED ^ size) & _WORD
    for at in range(0, size - size % 4, 4):
        part = int.from_bytes(key[at : at + 4], "little") * _MIX & _WORD
        value = (value * _MIX ^ (part ^ part >> 24) * _MIX) & _WORD
    tail = key[size - size % 4 :]
    if tail:
        value = (value ^ int.from_bytes(tail, "little")) * _MIX & _WORD
    value = (value ^ value >> 13) * _MIX & _WORD
    return value ^ value >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """The partition (0 to `partitions` - 1) where records with this key belong."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
