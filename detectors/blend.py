"""Blend: what is normal for a window whose panes have references of their own.

Promises: shares are those of the references weighted by the window's rows; rows and dispersion
never claim more certainty than the references have together.
Leaves to others: which panes have which reference.
"""

from collections.abc import Sequence

import numpy as np

from detectors.reference import SignalReference


def blend(parts: Sequence[tuple[SignalReference, int]]) -> SignalReference | None:
    """References of one signal, each with the rows of the window that belong to it.

    A reference that comes twice counts once, with the rows of both; None where no rows are.
    """
    weights: dict[int, int] = {}
    known: dict[int, SignalReference] = {}
    for reference, rows in parts:
        if rows > 0 and reference.rows > 0:
            known[id(reference)] = reference
            weights[id(reference)] = weights.get(id(reference), 0) + rows
    if not known:
        return None
    if len(known) == 1:
        return next(iter(known.values()))
    share = np.array([weights[key] for key in known], float)
    share /= share.sum()
    own = list(known.values())
    shares = share @ np.array([one.counts / one.rows for one in own])
    # The variance of a weighted mean of independent shares: 1 / sum of w^2 / rows.
    rows = int(1 / float((share**2 / np.array([one.rows for one in own])).sum()))
    lengths = {None if one.patterns is None else len(one.patterns) for one in own}
    counts = np.rint(shares * rows).astype(np.int64)
    patterns = None
    if len(lengths) == 1 and None not in lengths:
        patterns = share @ np.array([one.patterns for one in own])
    mixed = SignalReference(
        kind=own[0].kind,
        counts=counts,
        rows=int(counts.sum()),
        dispersion=share @ np.array([one.dispersion for one in own]),
        patterns=patterns,
    )
    if patterns is not None and mixed.counts[:-1].sum() > 0:
        watched = 3 + int(mixed.groups[-1])
        if len(patterns) != watched:
            return SignalReference(
                kind=mixed.kind,
                counts=mixed.counts,
                rows=mixed.rows,
                dispersion=np.full_like(mixed.dispersion, max(patterns.max(), 1.0)),
            )
    return mixed if mixed.rows else None
