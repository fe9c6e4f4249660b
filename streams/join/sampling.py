"""Sampling: which ids are kept for joining where a model keeps only a share of them.

Promises: a function of the id's bytes alone, so a label and every version that scored its id are
chosen together, in every partition, after every restart.
Leaves to others: what a share means for coverage (the monitor).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.frames.ids import Ids

_BITS: Final = 53
"""Of a hash: as many as a float holds exactly. The upper ones, because the lower choose slots."""


def chosen(ids: Ids, share: float) -> npt.NDArray[np.bool_]:
    """Which ids (n,) belong to a `share` (0..1) of all."""
    if share >= 1.0:
        return np.ones(len(ids), np.bool_)
    upper = ids.hashes >> np.uint64(64 - _BITS)
    return np.asarray(upper < np.uint64(int(share * 2**_BITS)), np.bool_)
