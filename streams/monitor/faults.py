"""Faults: departures of a column that no population shows, so that its pipeline is suspected.

Looked at are the rows since the change alone, and of them those with a value: a window that also
holds rows from before it shows a fault as a mixture, which looks like new values or like a drift.

Promises: a pure function of counts and the reference; where rows are few it says nothing.
Leaves to others: whether the column departs at all (`panel`), missing values (`effects`).
"""

from math import sqrt
from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.budget import Mask
from detectors.merging import gather, quantile_groups
from detectors.reference import SignalReference
from detectors.units import laws_in_units
from schemas.finding import Symptom
from schemas.journal import Counts
from streams.signals import Signal

_ENOUGH: Final = 20
"""Rows from which a column can be called stuck or out of its range."""

_STUCK: Final = 0.999
_USUAL: Final = 0.5
_VARIED: Final = 0.95
_OTHERS: Final = 10.0
"""A column is stuck when one cell holds the first share now and held less than the second before.
One that held less than the third may be stuck, too, if so many rows should have been elsewhere."""

_ELSEWHERE: Final = 0.5
_INSIDE: Final = 0.05
"""It is rescaled or recoded when this share lies outside what was known, and hardly any did."""

_BESIDE: Final = 1 / 3
_NEARLY: Final = 0.9
"""Unless this share of the rows that stayed stands in this part of the range, beside the end."""

_SHAPE_ROWS: Final = 60
"""Rows from which the proportions of a column can be told."""

_FILL: Final = 0.3
_RARE: Final = 0.1
"""Numbers are filled in when one cell, rare before, holds this share more, and the other cells
still have their proportions: some rows lost their values, the others are as they were."""

_FILL_CATEGORY: Final = 0.9
"""Categories are when one holds this share: a mixture of groups can move a smaller one as well."""

_APART: Final = 0.15
"""Share of the rows (total variation) that another unit must move, to be told from this one."""

_MISFIT: Final = 0.05
"""Share of the rows that may be elsewhere than another unit puts them: cells have no inside."""

_GONE: Final = 10.0
_RARER: Final = 3.0
"""Rows expected of a category that is gone, and of others that went with it; a category that is
renamed is gone at once."""

_EXPECTED: Final = 5.0
_GROUPS: Final = 8
_SIGMAS: Final = 3.0
"""Proportions are kept within so many standard errors of chi-square, in at most so many groups of
neighbouring cells with so many rows each."""


def fault(signal: Signal, reference: SignalReference, rows: Counts) -> Symptom | None:
    """The fault that counts (width,) since the change show, if any."""
    seen, before = rows[:-1], reference.shares[:-1]
    total, known = int(seen.sum()), float(before.sum())
    if total < _ENOUGH or known <= 0 or signal.kind not in ("numeric", "categorical"):
        return None
    now, was = seen / total, before / known
    top = int(now.argmax())
    numeric, feature = signal.kind == "numeric", signal.name.startswith("feature:")
    ends = [0, len(was) - 1] if numeric else [len(was) - 1]
    # Beyond all that was known are many values, and true where prices rise or summer comes.
    grown = numeric and now[ends].sum() >= _ELSEWHERE and (not feature or _has_moved(was, now))
    if now[top] >= _STUCK and was[top] < _USUAL and not grown:
        return "constant"
    several = len(was) - len(ends) > 1  # a constant reference has no scale to depart from
    if several and now[ends].sum() >= _ELSEWHERE and was[ends].sum() <= _INSIDE and not grown:
        return "rescaled"
    if not feature or total < _SHAPE_ROWS:
        return None
    width = reference.rows * known
    if numeric:
        return _of_number(signal, was, seen, top, width)
    if now[top] >= _FILL_CATEGORY and was[top] < _USUAL and top not in ends:
        return "constant"
    return "rescaled" if _renamed(was, seen, width) else None


def _has_moved(was: Floats, now: Floats) -> bool:
    """Whether the rows that are still within the range stand where the others have left it.

    Then the whole column has moved, as temperatures do in spring; another unit scatters it, and a
    code for nothing leaves the other rows as they were. Shares (k,) of numeric cells.
    """
    upwards = now[-1] >= now[0]
    inside, known = (x[1:-1][::-1] if upwards else x[1:-1] for x in (now, was))
    beside = np.cumsum(known) - known < _BESIDE * known.sum()
    return bool(inside.sum() >= _MISFIT and inside[beside].sum() >= _NEARLY * inside.sum())


def is_stuck_at_usual(reference: SignalReference, rows: Counts) -> bool:
    """Whether only the value is left that was the usual one before.

    A pipeline that fills in its default does that, and so does a group of people who all have it:
    whoever asks must look at the other columns.
    """
    seen, before = rows[:-1], reference.shares[:-1]
    total, known = int(seen.sum()), float(before.sum())
    if total < _ENOUGH or known <= 0:
        return False
    top = int(seen.argmax())
    was = float(before[top]) / known
    stuck = seen[top] >= _STUCK * total and _USUAL <= was < _VARIED
    return bool(stuck and total * (1 - was) >= _OTHERS)


def _of_number(
    signal: Signal, was: Floats, seen: Counts, top: int, reference_rows: float
) -> Symptom | None:
    """The fault of numbers with the shares `was` and the counts `seen` (k,), if any."""
    total = int(seen.sum())
    now = seen / total
    jumped = was[top] <= _RARE and now[top] - was[top] >= _FILL
    others = np.arange(len(was)) != top
    if (
        jumped
        and top not in (0, len(was) - 1)
        and _proportional(was[others], seen[others], reference_rows)
    ):
        return "constant"
    if not signal.edges or _proportional(was, seen, reference_rows):
        return None
    groups = quantile_groups(was, _GROUPS)
    before, known = gather(was, groups), was * reference_rows
    for law in laws_in_units(signal.edges, tuple(was.tolist())):
        # Apart by groups, and not by chance: a normal column is nearly its own mirror image.
        near = _distance(gather(law, groups), before) < _APART
        if near or now[law <= 0].sum() > _MISFIT or _proportional(law, known, reference_rows):
            continue
        if _distance(law, now) <= _MISFIT or _proportional(law, seen, reference_rows):
            return "rescaled"
    return None


def _renamed(was: Floats, seen: Counts, reference_rows: float) -> bool:
    """Whether categories are gone and new ones have exactly their rows, the rest being as it was.

    Categories (k,), the last of them unseen values.
    """
    expected = was * float(seen.sum())
    empty = seen == 0
    empty[-1] = False
    if not (empty & (expected >= _GONE)).any():
        return False
    # Of the rare ones, some are absent by chance; so it is tried with and without them.
    return any(
        _moved(was, seen, empty & (expected >= least), reference_rows) for least in (_GONE, _RARER)
    )


def _moved(was: Floats, seen: Counts, gone: Mask, reference_rows: float) -> bool:
    """Whether the rows of the categories `gone` (k,) are all among the unseen."""
    renamed = np.where(gone, 0.0, was)
    renamed[-1] += was[gone].sum()
    wanted = float(renamed[-1] * seen.sum())
    exact = abs(float(seen[-1]) - wanted) <= _SIGMAS * sqrt(wanted)
    return exact and _proportional(renamed, seen, reference_rows)


def _distance(one: Floats, other: Floats) -> float:
    """Total variation (0..1) of two laws (k,)."""
    return float(np.abs(one - other).sum()) / 2


def _proportional(law: Floats, seen: Counts | Floats, reference_rows: float) -> bool:
    """Whether counts (k,) are as a law (k,) of the reference mixes them, by chi-square.

    Two samples are compared, so the reference's own error widens the statistic.
    """
    count, whole = float(seen.sum()), float(law.sum())
    groups = min(_GROUPS, int(count / _EXPECTED))
    if groups < 2 or whole <= 0:  # noqa: PLR2004 - nothing to compare
        return False
    shares = law / whole
    middles = np.cumsum(shares) - shares / 2
    group = np.minimum((middles * groups).astype(int), groups - 1)
    expected = np.maximum(np.bincount(group, shares, groups) * count, 1.0)
    found = np.bincount(group, seen, groups)
    freedom = groups - 1
    wider = 1 + count / (reference_rows * whole)
    statistic = float(((found - expected) ** 2 / expected).sum()) / wider
    return statistic <= freedom + _SIGMAS * sqrt(2 * freedom)
