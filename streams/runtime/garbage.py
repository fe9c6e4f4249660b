"""The garbage collector, asked to look less often while records stream by.

Promises: it is as it was before, afterwards; nothing is switched off, so cycles are still found.
Leaves to others: workers, which collect when they are idle (`kafka`).
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG: Final = 50_000
"""Objects made between two looks at the youngest (Python's 700 costs 12 % of a replay: records
live for a batch, and each look finds them alive)."""


@contextmanager
def rarely() -> Iterator[None]:
    """Collect rarely, and never what was there before."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
