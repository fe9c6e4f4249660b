"""The allocator of the C library, told to give large arrays back when they are freed.

Glibc keeps what was freed for later and moves, as it sees large blocks come and go, the size from
which on it would not; a process that counts for weeks then holds on to its largest moment. With
fixed sizes, columns that grow are moved by the system page by page, and what is freed is gone.

Promises: nothing but memory changes; where there is another C library, nothing at all.
Leaves to others: how much is needed (`streams/join`), what is too much (`kafka/watchdog`).
"""

import ctypes
from contextlib import suppress
from typing import Final

LARGE: Final = 128 << 10
"""Bytes of a block that gets pages of its own: tables and fetched stretches, but not the columns of
most batches."""

KEPT: Final = 4 << 20
"""Bytes kept at the end of the heap: less would be given back and asked for with every batch."""

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
"""Numbers of glibc's malloc.h, `mallopt(3)`."""


def settle() -> bool:
    """Fix the sizes; whether that was possible. To be called before any thread is started."""
    with suppress(AttributeError, OSError):
        set_ = ctypes.CDLL(None).mallopt
        options = {_MMAP_THRESHOLD: LARGE, _TRIM_THRESHOLD: KEPT}
        return all(set_(name, value) == 1 for name, value in options.items())
    return False
