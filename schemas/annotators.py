"""Annotators: who gave a label, as a number that can stand in a column.

Promises: one name has one number, everywhere and always; 0 is nobody named.
Leaves to others: what follows where two of them differ (`streams/join`).
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt

Annotators = npt.NDArray[np.uint64]

NOBODY: Final = 0


def annotators(names: Sequence[str | None]) -> Annotators:
    """A number for each name (n,): 64 bits of its hash; 0 for none, or one that is empty."""
    several = set(names) - {None, ""}
    if not several:
        return np.zeros(len(names), np.uint64)
    numbers = {name: _number(name) for name in several if name is not None}
    return np.fromiter((numbers.get(name or "", NOBODY) for name in names), np.uint64, len(names))


def _number(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")
