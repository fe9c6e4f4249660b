"""Faults: departures of a column that no population shows, so that its pipeline is suspected.

Looked at are the rows since the change alone: a window that also holds rows from before it shows
a fault as a mixture, which looks like new values or like a drift.

Promises: a pure function of counts and the reference; where rows are few it says nothing.
Leaves to others: whether the column departs at all (`panel`), missing values (`effects`).
"""

from math import sqrt
from typing import Final

import numpy as np

from detectors.reference import SignalReference
from schemas.finding import Symptom
from schemas.journal import Counts
from streams.signals import Signal

_ENOUGH: Final = 20
"""Rows from which a column can be called stuck, rescaled or recoded."""

_STUCK: Final = 0.999
_VARIED: Final = 0.5
"""A column is stuck when one cell holds this share now and held less than that before."""

_ELSEWHERE: Final = 0.5
_INSIDE: Final = 0.05
"""It is rescaled or recoded when this share lies outside what was known, and hardly any did."""

_FILL_ROWS: Final = 60
_FILL: Final = 0.3
_RARE: Final = 0.1
"""Numbers are filled in when one cell, rare before, holds this share more, and the other cells
still have their proportions: some rows lost their values, the others are as they were."""

_FILL_CATEGORY: Final = 0.9
"""Categories are when one holds this share: a mixture of groups can move a smaller one as well."""

_EXPECTED: Final = 5.0
_GROUPS: Final = 8
_SIGMAS: Final = 3.0
"""Proportions are kept within so many standard errors of chi-square, in at most so many groups of
neighbouring cells with so many rows each."""


def fault(signal: Signal, reference: SignalReference, rows: Counts) -> Symptom | None:
    """The fault that counts (width,) since the change show, if any."""
    total = int(rows.sum())
    if total < _ENOUGH or signal.kind not in ("numeric", "categorical"):
        return None
    last = len(rows) - 1
    now, was = rows / total, reference.shares
    top = int(now[:last].argmax())
    if now[top] >= _STUCK and was[:last].max() < _VARIED:
        return "constant"
    numeric = signal.kind == "numeric"
    ends = [0, last - 1] if numeric else [last - 1]
    several = last - len(ends) > 1  # a constant reference has no scale to depart from
    if several and now[ends].sum() >= _ELSEWHERE and was[ends].sum() <= _INSIDE:
        return "rescaled"
    if not signal.name.startswith("feature:") or total < _FILL_ROWS or top in ends:
        return None
    if not numeric:
        return "constant" if now[top] >= _FILL_CATEGORY and was[top] < _VARIED else None
    jumped = was[top] <= _RARE and now[top] - was[top] >= _FILL
    return "constant" if jumped and _proportional(rows, reference, top) else None


def _proportional(rows: Counts, reference: SignalReference, top: int) -> bool:
    """Whether the cells besides `top` are as the reference mixes them, by chi-square.

    Two samples are compared, so the reference's own error widens the statistic.
    """
    others = np.arange(len(rows)) != top
    shares, count = reference.shares[others], float(rows[others].sum())
    groups = min(_GROUPS, int(count / _EXPECTED))
    if groups < 2:  # noqa: PLR2004 - nothing to compare
        return False
    shares = shares / shares.sum()
    middles = np.cumsum(shares) - shares / 2
    group = np.minimum((middles * groups).astype(int), groups - 1)
    expected = np.maximum(np.bincount(group, shares, groups) * count, 1.0)
    seen = np.bincount(group, rows[others], groups)
    freedom = groups - 1
    wider = 1 + count / (reference.rows * (1 - float(reference.shares[top])))
    found = float(((seen - expected) ** 2 / expected).sum()) / wider
    return found <= freedom + _SIGMAS * sqrt(2 * freedom)
