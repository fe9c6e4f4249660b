"""What a config promises, in words: how often it will be wrong, and what it will find in a day.

Promises: numbers follow from the config alone; what only the data can say (features that are not
declared, values of segments, a reference file's rows) is assumed, and the words say so.
Leaves to others: the mathematics (`detectors.budget`, `detectors.smallest`).
"""

from typing import Final

import msgspec

from detectors.arcsine import angle, share
from detectors.budget import Budget
from detectors.dial import reach
from detectors.smallest import smallest_shift
from schemas.config import Config
from schemas.config_model import FromFirst, ModelConfig
from schemas.config_monitor import MOST_TOGETHER, PCA, Monitor, together
from schemas.durations import show_duration
from streams.monitor.declared.declaration import watched
from streams.monitor.declared.judges import CALIBRATED
from streams.monitor.references.comparisons import TRAINING, compared
from streams.runtime.rereading import CURE, rereading

ROWS_PER_HOUR: Final = 10_000
"""Traffic that the words assume."""

FEATURES: Final = 20
"""Features of a model that declares none."""

REFERENCE_ROWS: Final = 5_000
"""Rows of a reference that is made elsewhere."""

SHARES: Final = (0.5, 0.05)
"""Shares by which the words show what is tolerated."""

_HOUR: Final = 3_600_000


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """Of one model. Run lengths are panes, the shift is reference standard deviations."""

    model: str
    signals: int
    run_length: float
    smallest_shift_in_a_day: float | None
    words: list[str]


def promises(config: Config) -> list[Promise]:
    """What each model of a config may expect."""
    return [_promise(name, model, config) for name, model in config.models.items()]


def _restart(name: str, model: ModelConfig, config: Config) -> list[str]:
    """What a restart would read again at that traffic, with a label each, where that is long."""
    one = config.model_copy(update={"models": {name: model}})
    found = rereading(one, lambda _, span: span * ROWS_PER_HOUR // _HOUR)
    if found is None or not found.long:
        return []
    return [f"{found.sentence()} at {ROWS_PER_HOUR:,} rows per hour: {CURE}"]


def _promise(name: str, model: ModelConfig, config: Config) -> Promise:
    signals, assumed = _signals(model)
    budget = Budget(
        false_alarms=model.false_alarms.count,
        panes=max(model.false_alarms.per / model.pane, 1e-9),
        signals=signals,
    )
    learned = isinstance(model.reference, FromFirst)
    reference = model.reference.rows if isinstance(model.reference, FromFirst) else REFERENCE_ROWS
    if not learned:
        assumed.append(f"a reference of {REFERENCE_ROWS:,} rows")
    shift = smallest_shift(
        24 * ROWS_PER_HOUR,
        budget.run_length,
        tolerance=model.tolerance,
        reference_rows=reference,
        pane_rows=ROWS_PER_HOUR * model.pane / _HOUR,
    )
    count, per = model.false_alarms.count, show_duration(model.false_alarms.per)
    alarms = "false alarm" if count == 1 else "false alarms"
    found = "none" if shift is None else f"{shift:.2g} sd"
    often = (
        f"{name}: at most about {count:g} {alarms} in {per} at panes of "
        f"{show_duration(model.pane)}, over {signals} signals"
    )
    small = (
        f"{name}: smallest shift of a feature found within a day at {ROWS_PER_HOUR:,} rows per "
        f"hour: {found} (tolerance {model.tolerance:g})"
    )
    words = [often, small, *_tolerated(name, model.tolerance), *_restart(name, model, config)]
    if assumed:
        words.append(f"{name}: assumed: {', '.join(assumed)}; rows independent")
    first, *others = compared(model)
    if first != TRAINING:
        beside = f"; context: {', '.join(others)}" if others else ""
        words.append(f"{name}: alerts against: {first}{beside}")
    words += [_together(name, model, one) for one in together(model.monitors)]
    words += _unpromised(name, model, budget.run_length)
    if model.impact.words is not None:
        words.append(f"{name}: {model.impact.words}")
    return Promise(
        model=name,
        signals=signals,
        run_length=budget.run_length,
        smallest_shift_in_a_day=shift,
        words=words,
    )


def _tolerated(name: str, tolerance: float) -> list[str]:
    """Between what shares may move that are 50 % and 5 %, before it is a change."""
    if not tolerance:
        return []
    told = []
    for known in SHARES:
        low, high = (100 * share(angle(known) + move) for move in (-tolerance, tolerance))
        told.append(f"{100 * known:g} % may be {low:.2g} to {high:.2g} %")
    return [
        f"{name}: tolerated shares: {', '.join(told)}; rare outcomes may want a tolerance of less"
    ]


def _signals(model: ModelConfig) -> tuple[int, list[str]]:
    """Signals of a model, segments included, and what of it is assumed."""
    assumed = []
    features = FEATURES if isinstance(model.features, str) else len(model.features)
    if isinstance(model.features, str):
        assumed.append(f"{FEATURES} features")
    places = 1
    for segment in model.segments:
        places += len(segment.edges) + 1 if segment.edges else 2
        if not segment.edges:
            assumed.append(f"two values of {segment.name}")
    of_model = 0 if model.task == "none" else 2
    return (features + of_model + (2 if model.labelled else 0)) * places, assumed


def _together(name: str, model: ModelConfig, one: Monitor) -> str:
    """What a monitor of several features together looks at."""
    if one.features:
        which = f"{len(one.features)} features"
    elif isinstance(model.features, str):
        which = f"the numeric features found (the first {MOST_TOGETHER} by name)"
    else:
        which = "all numeric features"
    tolerance = model.tolerance if one.tolerance is None else one.tolerance
    return (
        f"{name}: {PCA} on {one.watch}: means (T2), reconstruction error and correlations of"
        f" {which}, as one signal; tolerance {tolerance:g}, of all of them together;"
        " rows with a missing value count nowhere in it"
    )


def _unpromised(name: str, model: ModelConfig, run_length: float) -> list[str]:
    """Declared monitors that can page nobody, because no run length holds for them."""
    said = []
    for one in watched(model):
        table = CALIBRATED.get(one.detector)
        if one.detector.startswith("river:"):
            said.append(
                f"{name}: {one.detector} on {one.watch} promises no run length: it is shown"
            )
        elif table is not None and run_length > reach(table)[1]:
            said.append(
                f"{name}: {one.detector} on {one.watch} was calibrated up to "
                f"{reach(table)[1]:,.0f} panes, the budget asks for {run_length:,.0f}: "
                "it is shown, and pages nobody"
            )
    return said
