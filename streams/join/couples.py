"""Couples: outcomes of one batch that were made one by one, as few columns.

Promises: the same outcomes in the order in which they came, those of one kind together.
Leaves to others: who belongs to whom (`join`).
"""

import numpy as np
import numpy.typing as npt

from schemas.rows import Ints, Joined


def merged(joined: list[Joined]) -> list[Joined]:
    """The same outcomes, those of one kind together."""
    if len(joined) <= 1:
        return joined
    kinds: dict[tuple[int, bool], list[Joined]] = {}
    for one in joined:
        kinds.setdefault((one.sign, one.revision), []).append(one)
    return [_together(ones) for ones in kinds.values()]


def _together(ones: list[Joined]) -> Joined:
    """Outcomes of one sign, and all or none of them revisions."""
    return Joined(
        predictions=np.concatenate([one.predictions for one in ones]),
        labels=np.concatenate([one.labels for one in ones]),
        prediction_offsets=np.concatenate([one.prediction_offsets for one in ones]),
        label_offsets=np.concatenate([one.label_offsets for one in ones]),
        arrived=np.concatenate([one.arrived for one in ones]),
        sign=ones[0].sign,
        revision=ones[0].revision,
        first=np.concatenate([one.first for one in ones]),
    )


def once(rows: Ints) -> npt.NDArray[np.bool_]:
    """Which row numbers (n,) come only once."""
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    single = np.ones(len(rows) + 1, np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=single[1:-1])
    out = np.empty(len(rows), np.bool_)
    out[order] = single[1:] & single[:-1]
    return out
