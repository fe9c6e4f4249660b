"""Learning: a grid from the first rows of a stream, or from a file.

Promises: the grid depends on the set of rows, not on their order or batches; what is declared in
the config is kept, what is `auto` is decided by the values.
Leaves to others: which rows (monitor, `reference build`), counting them (`profiler`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Final, NamedTuple

import numpy as np

from detectors.arrays import Floats
from detectors.grid import NumericGrid, category_grid, numeric_grid
from detectors.products import LARGEST, STEPS
from detectors.reference import reference_of
from schemas.config_model import ModelConfig, Segment, config_hash
from schemas.config_monitor import MOST_TOGETHER, together
from schemas.grid import FeatureType, Grid, SegmentGrid, SignalGrid, TogetherGrid, category_text

Value = float | str | None
Answer = Value | Sequence[object]
"""A prediction; of a ranking a list, or how many items it had."""

MOST_FEATURES: Final = 500
"""Features found by themselves; of more, those that most rows have."""

_FEW_WHOLE: Final = 30
"""Whole numbers with at most this many distinct values are codes, unless they look counted."""

_LEAST_COUNTED: Final = 6
_PEAKED: Final = 4
_NOISE: Final = 3.0
"""Whole numbers are counted (clicks, children) where so many follow each other without a gap, the
commonest of 99 % of the rows is so many times as common as the rarest, and both sides fall, but for
so many standard errors: codes have no order that their shares would know."""

_MIDDLE: Final = (0.16, 0.5, 0.84)
"""Quantiles one standard deviation below, at and above the mean of a normal distribution."""

_MIN_CLASS: Final = 1
"""A class counts however rare it is: its name was chosen by the model, not by a person's row."""


class Bounds(NamedTuple):
    """What a grid may have: named segments, and rows behind each category that is named."""

    segments: int = 200
    category_rows: int = 20


class LearningRows(NamedTuple):
    """Columns of rows to learn from, aligned (n,)."""

    features: Mapping[str, Sequence[Value]]
    predictions: Sequence[Answer]
    scores: Sequence[float | None]
    tags: Mapping[str, Sequence[str | None]]


def build_grid(
    name: str,
    model: ModelConfig,
    rows: LearningRows,
    bounds: Bounds = Bounds(),  # noqa: B008 - frozen
) -> Grid:
    """The grid of a model from rows; ValueError where a declared feature has no usable value."""
    features = tuple(
        signal
        for feature in _names(model, rows)
        if (
            signal := _feature(feature, model, rows.features.get(feature, ()), bounds.category_rows)
        )
        is not None
    )
    scores = [score for score in rows.scores if score is not None]
    return Grid(
        model=name,
        task=model.task,
        features=features,
        score=_numeric("score", scores, important=True) if scores else None,
        target=_target(model, rows.predictions),
        positive=_positive(model, rows.predictions),
        segments=_segments(model.segments, rows, bounds.segments),
        counted=config_hash(model),
        together=_together(model, features, rows),
    )


def _together(
    model: ModelConfig, features: Sequence[SignalGrid], rows: LearningRows
) -> tuple[TogetherGrid, ...]:
    """What is declared to be watched together, of numeric features; fewer than two are nothing."""
    found = {one.name: one for one in features if one.type == "numeric"}
    groups = {
        one.watch: [name for name in (one.features or found) if name in found][:MOST_TOGETHER]
        for one in together(model.monitors)
    }
    return tuple(
        TogetherGrid(
            name=name,
            features=tuple(members),
            scores=tuple(_scores(found[one], rows.features[one]) for one in members),
        )
        for name, members in groups.items()
        if len(members) >= 2  # noqa: PLR2004 - together means two
    )


def _scores(signal: SignalGrid, values: Sequence[Value]) -> tuple[int, ...]:
    """Normal scores of a numeric feature's cells, in steps.

    What is below or above all of these rows counts as the nearest of them: none of them was, some
    of any later rows are, and a score of their own would make those unlike the reference.
    """
    cells = NumericGrid(signal.edges)
    numbers = np.array([value for value in values if isinstance(value, float | int)], float)
    counts = np.bincount(cells.codes(numbers), minlength=cells.width)
    scores = reference_of("numeric", counts[None, :]).scores
    steps = np.clip(np.rint(scores * STEPS), -LARGEST, LARGEST).astype(int)
    steps[0], steps[-1] = steps[1], steps[-2]
    return tuple(steps.tolist())


def _names(model: ModelConfig, rows: LearningRows) -> list[str]:
    if not isinstance(model.features, str):
        return list(model.features)
    if len(rows.features) <= MOST_FEATURES:
        return sorted(rows.features)
    known = {name: sum(v is not None for v in column) for name, column in rows.features.items()}
    return sorted(sorted(known, key=lambda name: (-known[name], name))[:MOST_FEATURES])


def _feature(
    name: str, model: ModelConfig, values: Sequence[Value], category_rows: int
) -> SignalGrid | None:
    """One feature's cells; None for an automatic feature without any value."""
    kind: FeatureType | None = None
    categories, important = 100, True
    if not isinstance(model.features, str):
        declared = model.features[name]
        kind = None if declared.type == "auto" else declared.type
        categories = declared.max_categories
        important = declared.important or not any(f.important for f in model.features.values())
    known = [value for value in values if value is not None]
    if not known:
        if kind != "categorical":
            return None
        return SignalGrid(name=name, type="categorical", important=important)
    if (kind or _kind(known)) == "numeric":
        numbers = [value for value in known if not isinstance(value, str)]
        return _numeric(name, numbers, important=important) if numbers else None
    grid = category_grid([category_text(value) for value in known], categories, category_rows)
    return SignalGrid(
        name=name, type="categorical", categories=grid.categories, important=important
    )


def _kind(known: Sequence[float | str]) -> FeatureType:
    """Texts and codes of few whole values are categories; other numbers are quantities."""
    if any(isinstance(value, str) for value in known):
        return "categorical"
    distinct = set(known)
    whole = all(float(value).is_integer() for value in distinct)
    if not whole or len(distinct) > _FEW_WHOLE:
        return "numeric"
    return "numeric" if _are_counted(np.array(known, float)) else "categorical"


def _are_counted(values: Floats) -> bool:
    """Whether few whole numbers look like counts of something, and not like codes."""
    least, most = float(values.min()), float(values.max())
    if not _LEAST_COUNTED <= most - least + 1 <= 2 * _FEW_WHOLE:
        return False
    found = np.bincount((values - least).astype(np.int64)).astype(float)
    body = found[: int(np.flatnonzero(np.cumsum(found) >= 0.99 * len(values))[0]) + 1]
    if len(body) < _LEAST_COUNTED or body.min() <= 0 or body.max() < _PEAKED * body.min():
        return False
    steps, doubt = np.diff(found), _NOISE * np.sqrt(found[1:] + found[:-1])
    mode = int(found.argmax())
    return bool((steps[:mode] >= -doubt[:mode]).all() and (steps[mode:] <= doubt[mode:]).all())


def _numeric(name: str, values: Sequence[float], *, important: bool) -> SignalGrid:
    column = np.sort(np.array(values, float))  # sorted: the mean must not depend on the order
    with np.errstate(over="ignore", invalid="ignore"):
        center, spread = float(column.mean()), float(column.std())
    if not (isfinite(center) and isfinite(spread)):  # values so absurd that they have no mean
        low, center, high = np.quantile(column, _MIDDLE, method="nearest").tolist()
        spread = high / 2 - low / 2
    return SignalGrid(
        name=name,
        type="numeric",
        edges=numeric_grid(column).edges,
        center=center,
        scale=spread if spread > 0 else max(abs(float(column[0])), 1.0),
        important=important,
    )


def _target(model: ModelConfig, predictions: Sequence[Answer]) -> SignalGrid | None:
    """Classes, values or lengths of predictions; None for a model that predicts nothing."""
    known = [value for value in predictions if value is not None]
    if model.task == "ranking":  # lists may have lengths that nobody says, and yet be labelled
        lengths = [
            len(value) if isinstance(value, Sequence) else value
            for value in known
            if not isinstance(value, str)
        ]
        return _numeric("target", lengths or [0.0], important=True)
    if model.task == "none" or not (known or model.classes):
        return None
    if model.task == "regression":
        numbers = [value for value in known if isinstance(value, int | float)]
        return _numeric("target", numbers, important=True)
    return SignalGrid(name="target", type="categorical", categories=_classes(model, predictions))


def _classes(model: ModelConfig, predictions: Sequence[Answer]) -> tuple[str, ...]:
    if model.classes is not None:
        return tuple(str(category_text(name)) for name in model.classes)
    # A list is no class, and the record of it is refused.
    names = [None if isinstance(v, list | tuple) else category_text(v) for v in predictions]  # type: ignore[arg-type] # texts are sequences, too
    found = category_grid(names, 1000, _MIN_CLASS)
    return tuple(sorted(found.categories))


def _positive(model: ModelConfig, predictions: Sequence[Answer]) -> str | None:
    """The positive class of a binary model: declared, or the last by name (1, true, yes)."""
    if model.task != "binary":
        return None
    if model.positive is not None:
        return category_text(model.positive)
    classes = _classes(model, predictions)
    return classes[-1] if classes else None


def _segments(
    segments: Sequence[Segment], rows: LearningRows, most: int
) -> tuple[SegmentGrid, ...]:
    """The segmentations, with at most `most` named segments of all together.

    Those of numbers are declared, and stand; values get what is left, the most frequent first.
    """
    counts = {i: _counted(one, rows) for i, one in enumerate(segments) if not one.edges}
    left = max(0, most - sum(len(one.edges) + 1 for one in segments if one.edges))
    ranked = sorted(
        (-count, i, text) for i, found in counts.items() for text, count in found.items()
    )
    named: dict[int, list[str]] = {i: [] for i in counts}
    for _, i, text in ranked[:left]:
        named[i].append(text)
    return tuple(
        SegmentGrid(name=one.name, source="tag" if one.tag else "feature", edges=one.edges)
        if one.edges
        else SegmentGrid(
            name=one.name,
            source="tag" if one.tag else "feature",
            values=tuple(sorted(named[i])),
        )
        for i, one in enumerate(segments)
    )


def _counted(segment: Segment, rows: LearningRows) -> dict[str, int]:
    """The most frequent values of one segmentation, with their rows."""
    column = (rows.tags if segment.tag else rows.features).get(segment.name, ())
    counts = Counter(text for value in column if (text := category_text(value)) is not None)
    frequent = sorted(counts, key=lambda text: (-counts[text], text))[: segment.max_values]
    return {text: counts[text] for text in frequent}
