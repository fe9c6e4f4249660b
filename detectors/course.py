"""Course: whether a level moved at once or over a stretch of time, read from means of panes.

Two models are fitted by weighted least squares: a level that steps, and one that climbs in a
straight line and then stays. A step is a climb of no length, so the climb always fits at least as
well, and must do so by a margin (as a Bayesian information criterion asks of a parameter more).

Promises: a pure function; a tie is a step; where neither model tells most of what the means differ
by, neither is said.
Leaves to others: which statistic is followed, and since when.
Source: two-phase regression (Hinkley 1971, Biometrika 58), margin after Schwarz (1978).
"""

from math import log
from typing import Final, Literal, NamedTuple

import numpy as np

from detectors.arrays import Floats

LEAST_CLIMB: Final = 3.0
"""Panes that a climb takes at least: within two it could have been a step inside a pane."""

TOLD: Final = 0.5
"""Share of what the means differ by, beyond their noise, that a model must tell to be believed."""

MARGIN: Final = 1.5
"""Logarithms of the number of means by which a climb must fit better: it has an end more than a
step, and that end is searched for, too. One would call 1 to 10 of 100 steps gradual, more where
there are many panes; this one 0 to 4 (normal columns, panes of 20, 50 and 500 rows)."""

_MODELLED: Final = 4
"""Numbers that a climb is fitted by: two levels, its begin and its end."""

Pace = Literal["sudden", "gradual"]


class Course(NamedTuple):
    """Means of stretches of panes, (k,) each: first pane, the pane after the last, mean, variance.

    Stretches are in order and do not overlap. `doubt` is the variance of the level before: means
    are departures from what was normal, which is known no better.
    """

    begins: Floats
    ends: Floats
    means: Floats
    variances: Floats
    doubt: float


def pace(course: Course) -> Pace | None:
    """How the level of a course moved; None where neither a step nor a climb tells it."""
    points = np.append(course.begins, course.ends[-1:])
    flat, steps = _misfits(course, points, points)
    steps = np.append(steps, _inside(course))
    noise = max(1, len(course.means) + 1 - _MODELLED)
    if flat <= noise:
        return None
    step = climb = float(steps.min())
    first, last = (at.ravel() for at in np.meshgrid(points, points, indexing="ij"))
    long_enough = last - first >= LEAST_CLIMB
    if long_enough.any():
        climb = float(_misfits(course, first[long_enough], last[long_enough])[1].min())
    # Means that differ by more than their rows explain are doubted as much more.
    margin = MARGIN * log(len(course.means) + 1) * max(1.0, climb / noise)
    best: tuple[float, Pace] = (step, "sudden") if step - climb <= margin else (climb, "gradual")
    gain = flat - best[0]
    return best[1] if gain > margin and gain >= TOLD * (flat - noise) else None


def _misfits(course: Course, first: Floats, last: Floats) -> tuple[float, Floats]:
    """Weighted squares that are left by a constant, and by climbs (c,), each at its best levels.

    A climb lasts from `first` to `last`; a step begins and ends at once. What was normal counts as
    one more mean, of 0, before all.
    """
    x = np.zeros((len(first), len(course.means) + 1))
    spans = course.ends - course.begins
    x[:, 1:] = (_climbed(course.ends, first, last) - _climbed(course.begins, first, last)) / spans
    y = np.append(0.0, course.means)
    w = 1 / np.append(course.doubt, course.variances)
    total = w.sum()
    flat = float(w @ (y - (w @ y) / total) ** 2)
    centre = x @ w / total
    own = (x**2) @ w - total * centre**2
    both = x @ (w * y) - centre * (w @ y)
    told = np.divide(both**2, own, out=np.zeros_like(own), where=own > 1e-9 * total)
    return flat, np.maximum(flat - told, 0.0)


def _inside(course: Course) -> Floats:
    """Weighted squares left by a step inside each stretch (k,), wherever in it; else infinite.

    The stretch itself is then told exactly, if its mean lies between the two levels.
    """
    count = len(course.means)
    x = np.zeros((count, count + 1))
    x[:, 1:] = np.triu(np.ones((count, count)), 1)
    y = np.append(0.0, course.means)
    w = np.tile(1 / np.append(course.doubt, course.variances), (count, 1))
    at = np.arange(count)
    w[at, at + 1] = 0.0
    total = w.sum(axis=1)
    centre, middle = (w * x).sum(axis=1) / total, w @ y / total
    own = (w * x**2).sum(axis=1) - total * centre**2
    both = (w * x) @ y - total * centre * middle
    rise = np.divide(both, own, out=np.zeros(count), where=own > 1e-9 * total)
    left = w @ y**2 - total * middle**2 - rise * both
    part = np.divide(
        course.means - (middle - rise * centre), rise, out=np.full(count, -1.0), where=rise != 0
    )
    return np.where((part >= 0) & (part <= 1), np.maximum(left, 0.0), np.inf)


def _climbed(at: Floats, first: Floats, last: Floats) -> Floats:
    """Integral up to `at` (k,) of climbs from 0 at `first` to 1 at `last`, (c,) each: (c, k)."""
    length = (last - first)[:, None]
    since = np.maximum(at[None, :] - first[:, None], 0.0)
    climbing = np.minimum(since, length)
    slope = np.divide(climbing**2, 2 * length, out=np.zeros_like(since), where=length > 0)
    return np.asarray(slope + since - climbing)
