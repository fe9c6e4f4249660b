"""Blocks: how columns become the integers of a profile's vector.

Promises: every block is a sum over rows, so it is exact and merges by addition.
Leaves to others: which rows count (`model`), where they belong (`panes`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.fixed import LARGEST, quantise
from detectors.moments import Moments
from detectors.rankings import misses
from detectors.summary import Summary
from schemas.grid import Layout
from schemas.rows import Ints
from streams.columns import Cells, Floats, PredictionColumns
from streams.join import Join, Ledger
from streams.panes import BlockCount

Mask = npt.NDArray[np.bool_]
Blocks = list[tuple[slice, BlockCount]]
"""Stretches of a vector, each with how it is counted."""

_AT_ONCE: Final = min(12_000, 2**53 // LARGEST**2)
"""Cells or numbers counted together: they stay near the processor, and so many squares of steps
add up exactly in floats."""

_BYTE: Final = 256


def kept_content(layout: Layout | None) -> dict[str, str]:
    """What is kept of a prediction for its outcome: columns and their numpy dtypes, small ones."""
    content = {"target": "<u2", "score": "<u2"}
    if layout is not None and layout.regression is not None:
        content["number"] = "<f8"
    widths = [cells.width for cells in layout.features.values()] if layout else []
    # numpy knows no empty subarrays, so a model without features or segments keeps one column
    features, segments = max(1, len(widths)), max(1, len(layout.grid.segments) if layout else 0)
    small = "u1" if max(widths, default=0) <= _BYTE else "u2"
    return {**content, "cells": f"({features},){small}", "segments": f"({segments},)u2"}


def kept_rows(columns: PredictionColumns, content: np.dtype[np.void]) -> npt.NDArray[Any]:
    """What is kept of predictions (n,), as a structured array of these columns."""
    kept = np.zeros(len(columns.target), content)
    kept["target"], kept["score"] = columns.target, columns.score
    if "number" in (content.names or ()):
        kept["number"] = columns.value
    kept["cells"][:, : columns.features.shape[1]] = columns.features
    kept["segments"][:, : columns.segments.shape[1]] = columns.segments
    return kept


def prediction_blocks(layout: Layout, columns: PredictionColumns, kept: Mask) -> Blocks:
    """The blocks of the predictions' vector, over the rows of a mask (n,)."""
    spans = {name: block.span for name, block in layout.predictions.items()}
    whole = bool(kept.all())
    features, numbers = columns.features, columns.numbers
    if not whole:
        features, numbers = features[kept], numbers[kept]
    out: Blocks = []
    if layout.features:
        names = [f"feature:{name}" for name in layout.features]
        out.append((_joint(spans, names), _all_cells([spans[name] for name in names], features)))
    if layout.moments:
        names = [f"moments:{name}" for name in layout.moments]
        out.append((_joint(spans, names), _all_moments(list(layout.moments.values()), numbers)))
    score, target = columns.score[kept], columns.target[kept]
    if layout.score:
        out.append((spans["score"], _cells(score, layout.score.width)))
    if layout.target:
        out.append((spans["prediction"], _cells(target, layout.target.width)))
    if "decision" in spans and layout.score and layout.target:
        pairs = score.astype(np.int64) * layout.target.width + target
        out.append((spans["decision"], _cells(pairs, layout.predictions["decision"].width)))
    out.append((spans["latency"], _summary(layout.latency, columns.latency_ms[kept])))
    out.append((spans["failed"], _sum(columns.failed[kept])))
    return out


def _joint(spans: Mapping[str, slice], names: Sequence[str]) -> slice:
    """The span of blocks that lie one behind the other."""
    return slice(spans[names[0]].start, spans[names[-1]].stop)


def _all_cells(spans: Sequence[slice], features: Cells | Ints) -> BlockCount:
    """Counts the cells of all features (n, features) at once."""
    begin = spans[0].start
    width = spans[-1].stop - begin
    offsets = np.array([span.start - begin for span in spans])[:, None]

    def count(groups: Ints, n: int) -> npt.NDArray[np.int64]:
        out = np.zeros(n * width, np.int64)
        for rows in _stretches(len(groups), len(spans)):
            codes = features[rows].T + offsets
            if n > 1:
                codes += groups[rows] * width
            out += np.bincount(codes.ravel(order="K"), minlength=n * width)
        return out.reshape(n, width)

    return count


def _all_moments(blocks: Sequence[Moments], numbers: Floats) -> BlockCount:
    """Counts the moments of all numeric features (n, features) at once: `Moments.count` of each."""
    centers = np.array([block.center for block in blocks])[:, None]
    scales = np.array([block.scale for block in blocks])[:, None]
    k, every = len(blocks), len(numbers)
    steps = np.empty((k, every))
    gaps = False
    for rows in _stretches(every, k):
        part = numbers[rows].T - centers
        with np.errstate(over="ignore"):  # absurd values are winsorised, also when they overflow
            own = quantise(part, scales)  # type: ignore[arg-type] # a unit a feature
        unknown = np.isnan(part)
        if unknown.any():
            own[unknown], gaps = 0.0, True
        steps[:, rows] = own
    missing = np.isnan(numbers).T if gaps else None

    def count(groups: Ints, n: int) -> npt.NDArray[np.int64]:
        out = np.zeros((n, k, 3), np.int64)
        out[:, :, 0] = np.bincount(groups, minlength=n)[:, None]
        places = np.arange(k)[:, None] * n
        for rows in _stretches(every, k):
            part, flat = steps[:, rows], (places + groups[rows]).ravel()
            if missing is not None:
                lost = np.bincount(flat[missing[:, rows].ravel()], minlength=n * k)
                out[:, :, 0] -= lost.reshape(k, n).T
            for i, weights in enumerate((part, part * part)):
                sums = np.bincount(flat, weights.ravel(), n * k)
                out[:, :, 1 + i] += sums.astype(np.int64).reshape(k, n).T
        return out.reshape(n, -1)

    return count


def _stretches(rows: int, columns: int) -> Iterator[slice]:
    """Rows of a matrix, few enough at a time to stay near the processor."""
    step = max(1, _AT_ONCE // columns)
    return (slice(begin, begin + step) for begin in range(0, rows, step))


def outcome_blocks(layout: Layout, join: Join, rows: Ints, marks: Ints) -> Blocks:
    """The blocks of the outcomes' vector, for pairs of prediction rows and labels (n,)."""
    if layout.target is None:
        return []
    predictions, labels = join.predictions, join.labels
    spans = {name: block.span for name, block in layout.outcomes.items()}
    delay = labels.take("time", marks) - predictions.take("time", rows)
    out: Blocks = [(spans["delay"], _summary(layout.delay, delay.astype(float)))]
    if layout.ranking is not None:
        assert layout.residuals is not None
        lists = labels.take("value", marks)
        out.append((spans["ranking"], _summary(layout.ranking, lists)))
        codes = layout.residuals.codes(misses(lists))
        out.append((spans["error"], _cells(codes, layout.residuals.width)))
        return out
    label = labels.take("label", marks).astype(np.int64)
    if layout.regression is not None:
        truth, guess = labels.take("value", marks), predictions.take("number", rows)
        out.append((spans["label"], _cells(label, layout.target.width)))
        out.append((spans["residual"], _summary(layout.regression, guess, truth)))
        if layout.residuals is not None:
            with np.errstate(over="ignore", invalid="ignore"):  # absurd values have a cell too
                codes = layout.residuals.codes(guess - truth)
            out.append((spans["error"], _cells(codes, layout.residuals.width)))
            out.append((spans["percentage"], _summary(layout.percentage, guess, truth)))
        return out
    target = predictions.take("target", rows).astype(np.int64)
    width = layout.target.width
    out.append((spans["confusion"], _cells(target * width + label, width * width)))
    wrong = (target != label).astype(np.int64)
    if layout.features:
        cells = predictions.take("cells", rows).astype(np.int64)
        names = [f"slice:{feature.name}" for feature in layout.grid.features]
        halves = _all_cells([spans[name] for name in names], cells * 2 + wrong[:, None])
        out.append((_joint(spans, names), halves))
    if layout.score:
        score = predictions.take("score", rows).astype(np.int64)
        pairs = score * width + label
        out.append((spans["calibration"], _cells(pairs, layout.score.width * width)))
        out.append((spans["wrong"], _cells(score * 2 + wrong, layout.score.width * 2)))
    return out


def agreement_blocks(layout: Layout, table: Ledger, answers: Ints, shadows: Ints) -> Blocks:
    """The one block of the agreements' vector, for rows (n,) that answer the same requests.

    Answers given x answers of the shadow; of numbers, cells of the shadow's less the other.
    """
    return _pairs(layout, table, ("target", "number"), (answers, shadows))


def opinion_blocks(layout: Layout, table: Ledger, truths: Ints, others: Ints) -> Blocks:
    """The one block of the opinions' vector, for rows (n,) that label the same prediction.

    Labels that count x labels of others; of numbers, cells of the other's less the first; of
    rankings, those of what both say of the list's NDCG.
    """
    return _pairs(layout, table, ("label", "value"), (truths, others))


def _pairs(
    layout: Layout, table: Ledger, columns: tuple[str, str], rows: tuple[Ints, Ints]
) -> Blocks:
    """Two rows of a ledger beside each other, by their columns of cells and of numbers."""
    assert layout.target is not None
    cells, numbers = columns
    if layout.gaps is not None:
        first, second = (table.take(numbers, one) for one in rows)
        if layout.ranking is not None:
            first, second = misses(second), misses(first)
        with np.errstate(over="ignore", invalid="ignore"):  # absurd values have a cell too
            codes, width = layout.gaps.codes(second - first), layout.gaps.width
    else:
        first, second = (table.take(cells, one).astype(np.int64) for one in rows)
        codes, width = first * layout.target.width + second, layout.target.width**2
    return [(slice(0, width), _cells(codes, width))]


def _cells(codes: npt.NDArray[Any], width: int) -> BlockCount:
    wide = codes.astype(np.int64)
    return lambda groups, n: np.bincount(groups * width + wide, minlength=n * width).reshape(
        n, width
    )


def _summary(block: Summary[Any], *columns: npt.NDArray[Any]) -> BlockCount:
    def count(groups: Ints, n: int) -> npt.NDArray[np.int64]:
        with np.errstate(over="ignore"):  # absurd values are winsorised, also when they overflow
            return block.count(*columns, groups=groups, n_groups=n)

    return count


def _sum(flags: Mask) -> BlockCount:
    return lambda groups, n: np.bincount(groups[flags], minlength=n).reshape(n, 1)
