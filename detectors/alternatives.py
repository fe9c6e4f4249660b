"""Alternatives: what a signal might change to, as log weights per row of each cell.

A weight w_b = q_b / p0_b compares an alternative q with the worst law p0 that is still tolerated,
and is lowered until no tolerated law, the reference's own uncertainty included, expects it above
1. So products of weights stay e-processes (see `shiryaev_roberts`).

Promises: every weight is finite; an alternative that touches 0 or 1, or lies within the
tolerance, is left out.
Leaves to others: multiplying weights up over panes.
Source: Shin, Ramdas, Rinaldo (2024), E-detectors, arXiv 2203.03532; the tolerance and the finite
reference are ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import expm1, log, log1p, sqrt
from typing import Literal

import numpy as np
from scipy import special

from detectors.arcsine import angle, share
from detectors.arrays import Floats
from detectors.reference import SignalReference

Null = Literal["joint", "one_sided"]
"""Tolerated numeric laws: mean and spread together (with the corner), or one at a time."""

Place = Literal["shape", "category", "below", "above", "unseen", "missing"]

Direction = Literal["up", "down"]

CAREFUL = 1.28
"""Standard errors of the reference that are tolerated: 0 breaks the promise of run length for
references below 1,000 rows, 2.58 is 4 to 20 times too careful."""

SURE = 3.09
"""Standard errors of the reference (one in a thousand) within which no alternative may gain
evidence: where it does, a reference that is that far off alarms at a constant rate, whatever the
threshold, and breaks promises that are long for it."""

OWED = 12.0
"""Nats of evidence which a reference of m rows owes: by 1 / m of them, per row, every weight lies
below a fair one where nothing changed. Who gathers h nats for weights of variance v per row, fair
for a reference that is off at random, expects exp(2 h^2 / (m v)) times the promised alarms; h / m a
row take them back, whatever v. That is more than `CAREFUL` for small changes and small references;
a tolerance pays it, too. A promise of 1e4 panes is 9 nats, the prior share of a change 2 or 3."""

MEANS = {0.25: 4.0, 0.5: 4.0, 1.0: 3.0, 2.0: 1.0}
"""Shifts of the mean, reference standard deviations of normal scores, and their prior shares.

A share e times larger saves one nat of evidence; small shifts need many rows per nat."""
SPREADS = {1.5: 3.0, 0.6: 2.0}
"""Factors of the standard deviation, and their prior shares."""
MOMENTS_SHARE = 0.8
"""Prior share of mean and spread together; the cell alternatives divide the rest equally."""
ODDS_UP, ODDS_DOWN = (2.0, 4.0), (0.02, 0.5)
"""Factors of the odds of a cell."""
ODDS_FINER = 1.5
"""A further factor for the one cell of an indicator: error rates rise by less than double."""
NEW_SHARES = (0.01, 0.05, 0.25)
"""Shares of a cell that was empty."""

CONSTANT_WIDTH = 4
"""Cells of a constant signal, [below, value, above, missing]: it has no mean to shift."""

NARROWEST = 0.05
"""Of the spread, where the tolerance allows any: a tolerance of 1 and more has no lower end."""

_FURTHER = 1.25
"""Factor of the odds by which an alternative moves on that is too near."""

_APART = 1e-4
"""Least distance of an alternative from the tolerated share."""
_ZERO = 1e-9


@dataclass(frozen=True, kw_only=True)
class Change:
    """What an alternative says.

    `size` is standard deviations for `mean`, a factor for `spread`, the new share for `cell`.
    `cells` are the cells it concerns, () for all; `place` is where they lie.
    """

    kind: Literal["mean", "spread", "cell"]
    direction: Direction
    place: Place
    cells: tuple[int, ...]
    size: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Alternative:
    """A change and its log weight per row: `base` for any row, plus `cells` (width,) or `extra`.

    A cell alternative adds `extra` for rows in its own cells, which are neighbours; so scoring it
    does not need a product over all cells. The dispersion `phi` is divided out already. `prior` is
    the alternative's part in the mean over all; those of a signal sum to 1.
    """

    change: Change
    phi: float
    base: float
    extra: float = 0.0
    cells: Floats | None = None
    prior: float = 1.0


def alternatives(
    reference: SignalReference,
    tolerance: float,
    *,
    null: Null = "joint",
    upward: bool = False,
) -> tuple[Alternative, ...]:
    """All alternatives of a signal, none if the reference has no rows.

    `tolerance` is in standard deviations and angle units (see `arcsine`). `upward` keeps only
    what raises the mean or a share; of a binary signal always the share of yes.
    """
    if reference.rows <= 0 or reference.counts.sum() <= 0:
        return ()
    if reference.kind == "numeric":
        found = _numeric(reference, tolerance, null)
    elif reference.kind == "binary":
        p, phi = float(reference.shares[1]), float(reference.dispersion[1])
        found = _tilts(
            p, phi, reference.rows, tolerance, (1,), "category", odds=(ODDS_FINER, *ODDS_UP)
        )
    else:
        found = _categorical(reference, tolerance)
    kept = [one for one in found if not upward or one.change.direction == "up"]
    moments = sum(one.prior for one in kept if one.cells is not None)
    cells = sum(one.prior for one in kept if one.cells is None)
    share_of_moments = MOMENTS_SHARE if moments and cells else 1.0
    return tuple(
        replace(one, prior=one.prior * share_of_moments / moments)
        if one.cells is not None
        else replace(one, prior=one.prior * (1 - MOMENTS_SHARE if moments else 1.0) / cells)
        for one in kept
    )


def _categorical(reference: SignalReference, tolerance: float) -> Iterator[Alternative]:
    p = reference.shares
    width = reference.width
    skipped = int(np.argmax(p)) if (p > 0).sum() == 2 else -1  # noqa: PLR2004 - one says it all
    for cell in range(width):
        if cell != skipped:
            places: dict[int, Place] = {width - 2: "unseen", width - 1: "missing"}
            yield from _cell(reference, tolerance, cell, places.get(cell, "category"))


def _cell(
    reference: SignalReference, tolerance: float, cell: int, place: Place
) -> Iterator[Alternative]:
    p, phi = float(reference.shares[cell]), float(reference.dispersion[cell])
    yield from _tilts(p, phi, reference.rows, tolerance, (cell,), place)


def _tilts(
    p: float,
    phi: float,
    rows: int,
    tolerance: float,
    cells: tuple[int, ...],
    place: Place,
    *,
    fresh: bool = False,
    odds: tuple[float, ...] = ODDS_UP,
) -> Iterator[Alternative]:
    """Changed shares of one (merged) cell; `fresh` treats a small p as an empty cell's."""
    near, far = (_plausible(p, rows / phi, errors) for errors in (CAREFUL, SURE))
    up, down = _shares(p, odds, fresh=fresh)
    sides: tuple[tuple[Direction, int, tuple[float, ...]], ...] = (
        ("up", 1, up),
        ("down", -1, down),
    )
    for direction, sign, sizes in sides:
        p0, worst = (float(share(angle(of[direction]) + sign * tolerance)) for of in (near, far))
        if not _ZERO < p0 < 1 - _ZERO:
            continue
        told = {_told_apart(q, p0, worst, sign) for q in sizes if (q - p0) * sign > _APART}
        for q in sorted(told):
            if _ZERO < q < 1 - _ZERO:
                fair = log((1 - q) / (1 - p0))
                extra = log(q / p0) - fair
                expected = fair + log1p(p * expm1(extra))
                base = fair - _owed(expected, phi, rows)
                change = Change(
                    kind="cell",
                    direction=direction,
                    place=place,
                    cells=cells,
                    size=q,
                )
                yield Alternative(change=change, phi=phi, base=base / phi, extra=extra / phi)


def _plausible(p: float, rows: float, errors: float) -> dict[Direction, float]:
    """Limits of a share that was p in so many independent rows, with the doubt of normal `errors`.

    Exact, because counts of rare cells are skewed (Clopper, Pearson 1934, Biometrika 26).
    """
    doubt, seen = float(special.ndtr(-errors)), p * rows
    least = float(special.betaincinv(seen, rows - seen + 1, doubt)) if seen > 0 else 0.0
    most = float(special.betaincinv(seen + 1, rows - seen, 1 - doubt)) if seen < rows else 1.0
    return {"up": most, "down": least}


def _told_apart(q: float, p0: float, worst: float, sign: int) -> float:
    """The alternative q, or the nearest further one that gains no evidence at the share `worst`.

    Evidence for q against p0 grows where the true share is beyond a point between the two.
    """
    odds = q / (1 - q)
    while _ZERO < q < 1 - _ZERO:
        rest = log((1 - q) / (1 - p0))
        if rest + worst * (log(q / p0) - rest) <= 0:
            break
        odds *= _FURTHER**sign
        q = odds / (1 + odds)
    return q


def _owed(expected: float, phi: float, rows: int) -> float:
    """By how much a log weight must still be lowered whose expectation has this logarithm."""
    return max(0.0, expected + OWED * phi / rows)


def _shares(
    p: float, odds_up: tuple[float, ...], *, fresh: bool
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if p == 0 or fresh:
        return NEW_SHARES, ()
    up, down = (
        tuple(p * odds / (1 - p + p * odds) for odds in factors) for factors in (odds_up, ODDS_DOWN)
    )
    # A frequent cell has little room above: at least a fiftieth of what is left stays.
    return tuple(min(q, 1 - 0.02 * (1 - p)) for q in up), down


def _numeric(reference: SignalReference, tolerance: float, null: Null) -> Iterator[Alternative]:
    if reference.counts[:-1].sum() > 0:
        corners = _corners(reference, tolerance) if null == "joint" else []
        if reference.width > CONSTANT_WIDTH:
            yield from _moments(reference, tolerance, corners)
        for tilt in _values(reference, tolerance):
            yield _within(reference, tilt, corners)
    yield from _cell(reference, tolerance, reference.width - 1, "missing")


def _law(reference: SignalReference, mean: float, spread: float) -> Floats:
    """Cell shares (width - 1,) after a change of mean and spread in normal-score space."""
    cumulated = special.ndtr((reference.borders - mean) / spread)
    return np.asarray(np.maximum(np.diff(cumulated), 1e-12))


def _corners(reference: SignalReference, tolerance: float) -> list[Floats]:
    """The laws a tolerance allows at most: every combination of mean and spread."""
    steps = (-tolerance, 0.0, tolerance) if tolerance > 0 else (0.0,)
    spreads = dict.fromkeys(max(1 + spread, NARROWEST) for spread in steps)
    return [_law(reference, mean, spread) for mean in steps for spread in spreads]


def _excess(weight: Floats, laws: list[Floats], phi: float, rows: int) -> float:
    """Log of the largest expected weight (k,) under tolerated laws (k,), at least 0.

    The upper confidence limit, because the laws are known from `rows` rows only.
    """
    worst = 1.0
    for p in laws:
        mean = float(p @ weight)
        variance = max(float(p @ weight**2) - mean**2, 0.0)
        worst = max(worst, mean + CAREFUL * sqrt(phi * variance / rows))
    return log(worst)


def _growth(score: Floats, laws: list[Floats], phi: float, rows: int) -> float:
    """The most that a score (k,) per row may gain under tolerated laws (k,), at least 0.

    `SURE` standard errors above its mean, because the laws are known from `rows` rows only.
    """
    most = 0.0
    for p in laws:
        mean = float(p @ score)
        variance = max(float(p @ score**2) - mean**2, 0.0)
        most = max(most, mean + SURE * sqrt(phi * variance / rows))
    return most


def _moments(
    reference: SignalReference, tolerance: float, corners: list[Floats]
) -> Iterator[Alternative]:
    rows = int(reference.counts[:-1].sum())  # a missing value says nothing of mean and spread
    wanted = [(s * a, 1.0, prior) for a, prior in MEANS.items() if a > tolerance for s in (1, -1)]
    wanted += [(0.0, f, prior) for f, prior in SPREADS.items() if abs(f - 1) > tolerance]
    unchanged = _law(reference, 0.0, 1.0)
    for mean, spread, prior in wanted:
        edge = _law(
            reference, tolerance * float(np.sign(mean)), 1 + tolerance * float(np.sign(spread - 1))
        )
        weight = _law(reference, mean, spread) / edge
        phi = float(reference.pattern_dispersion[0 if mean else 1])
        laws = corners or [edge]
        lowered = np.log(weight) - _excess(weight, laws, phi, rows)
        lowered -= _growth(lowered, laws, phi, rows)
        lowered -= _owed(log(float(unchanged @ np.exp(lowered))), phi, rows)
        change = Change(
            kind="mean" if mean else "spread",
            direction="up" if mean > 0 or spread > 1 else "down",
            place="shape",
            cells=(),
            size=mean or spread,
        )
        every = np.append(lowered / phi, 0.0)  # a missing value says nothing about the others
        yield Alternative(change=change, phi=phi, base=0.0, cells=every, prior=prior)


def _values(reference: SignalReference, tolerance: float) -> Iterator[Alternative]:
    """Tilts of the merged cells and of what lies outside the reference's range."""
    merged = int(reference.groups[-1]) + 1 if reference.width > CONSTANT_WIDTH else 0
    for group in range(merged):
        cells = np.flatnonzero(reference.groups == group)
        phi = float(reference.pattern_dispersion[2 + group])
        p = float(reference.shares[cells].sum())
        where = tuple(cells.tolist())
        yield from _tilts(p, phi, reference.rows, tolerance, where, "shape")
    outside: tuple[tuple[int, Place], ...] = ((0, "below"), (reference.width - 2, "above"))
    for cell, place in outside:
        p, phi = float(reference.shares[cell]), float(reference.dispersion[cell])
        fresh = bool(reference.counts[cell] == 0)
        yield from _tilts(p, phi, reference.rows, tolerance, (cell,), place, fresh=fresh)


def _within(reference: SignalReference, tilt: Alternative, corners: list[Floats]) -> Alternative:
    """`tilt` lowered until the tolerated laws of mean and spread expect it at 1 at most."""
    if not corners:
        return tilt
    phi = tilt.phi
    log_weight = np.full(reference.width, tilt.base * phi)
    log_weight[list(tilt.change.cells)] += tilt.extra * phi
    missing = reference.shares[-1]
    laws = [np.append(law * (1 - missing), missing) for law in corners]
    lower = _excess(np.exp(log_weight), laws, phi, reference.rows)
    return replace(tilt, base=tilt.base - lower / phi)
