"""A finding: what one monitor (signal x segment x detector) says of a model at a closed pane.

The seam between statistics and policy: the monitor makes findings, the policy decides what
anyone should do about them. A finding carries facts only; it names no incident and no action.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from schemas.log import Millis
from schemas.output_parts import MAX_BINS, Histograms, Summary
from schemas.vocabulary import Breadth, Shape

Symptom = Literal[
    "shift",
    "missing",
    "unseen",
    "range",
    "constant",
    "rescaled",
    "silence",
    "refused",
    "replaced",
    "fall",
    "gain",
]
"""How the signal departs: within the grid, or in one of the ways data goes wrong, or (metrics)
by a fall, or by a gain too good to be true. `unseen` and `range` are valid new values; `missing`,
`constant`, `rescaled`, `silence`, `refused` (whole records) and `replaced` (another way to make
features) are faults of data."""

JudgedState = Literal[
    "judged", "warming_up", "too_few_rows", "no_labels", "stale", "schema_mismatch"
]


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of a signal's grid, with its share (0..1) in the reference and now."""

    name: str
    reference: float
    current: float


def histograms(cells: Sequence[Cell]) -> Histograms | None:
    """Cells as events show them; None of none."""
    kept = cells[:MAX_BINS]
    if not kept:
        return None
    return Histograms(
        labels=tuple(cell.name for cell in kept),
        reference=tuple(cell.reference for cell in kept),
        current=tuple(cell.current for cell in kept),
    )


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """Errors among the rows of one feature cell: their rate in the reference and now.

    `excess` is the share of all errors beyond the reference's rates that fell into it.
    """

    feature: str
    value: str
    rows: int
    reference: float
    current: float
    excess: float


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Offsets [first, last] of the raw records of one source partition behind a finding."""

    log: Literal["predictions", "labels"]
    partition: int
    first: int
    last: int


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The windowed effect of a signal: sizes, not significance. None: not measurable.

    `size` is the departure in the unit of the tolerance (sd, arcsine shift); `psi` is corrected;
    `fall` and `fall_ratio` belong to metrics: how far below the baseline, in points and as a
    share of it (positive is worse). `low` and `high` are the 95 % limits of `current`.
    """

    size: float | None = None
    psi: float | None = None
    ks: float | None = None
    js: float | None = None
    wasserstein_sd: float | None = None
    hellinger: float | None = None
    mean_shift_sd: float | None = None
    spread_ratio: float | None = None
    current: float | None = None
    baseline: float | None = None
    fall: float | None = None
    fall_ratio: float | None = None
    low: float | None = None
    high: float | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one monitor says at one pane.

    `alarm`: its sequential detector (or its budgeted test) is beyond its threshold.
    `joins`: strong enough to join an incident that is open already (false discovery rate, not
    run length, because it pages nobody). `inside`: the windowed effect is back inside the
    tolerance. `statistic` and `threshold` are on one scale. `label_delay` is how much older than
    the window the predictions behind its outcomes may be (0 where no labels are involved).
    `shape` and `breadth` of a departure: whether it came at once, and whether it is in all parts.
    `histogram` is what drift events show of a departure, `portrait` what readings show at times.
    """

    model: str
    version: str
    segment: str
    signal: str
    detector: str
    state: JudgedState
    alarm: bool
    joins: bool
    inside: bool
    symptom: Symptom
    statistic: float | None
    threshold: float | None
    p_value: float | None = None
    e_value: float | None = None
    effect: Measured
    direction: str = ""
    cells: tuple[Cell, ...] = ()
    histogram: tuple[Cell, ...] = ()
    portrait: tuple[Cell, ...] = ()
    change_point: Millis | None = None
    window_start: Millis
    window_end: Millis
    rows: int
    reference_id: str
    reference_rows: int
    dispersion: float = 1.0
    important: bool = True
    role: Literal["alert", "context"] = "alert"
    evidence: tuple[Evidence, ...] = ()
    slices: tuple[Slice, ...] = ()
    label_delay: Millis = 0
    shape: Shape | None = None
    breadth: Breadth | None = None
    summary: Summary | msgspec.UnsetType = msgspec.UNSET
