"""Blocks: how columns become the integers of a profile's vector.

Promises: every block is a sum over rows, so it is exact and merges by addition.
Leaves to others: which rows count (`model`), where they belong (`panes`).
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.summary import Summary
from schemas.grid import Layout
from schemas.rows import Ints
from streams.columns import PredictionColumns
from streams.join import Join
from streams.panes import BlockCount

Mask = npt.NDArray[np.bool_]
Blocks = list[tuple[str, BlockCount]]
"""Blocks of a vector by name, each with how it is counted."""


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


def prediction_blocks(layout: Layout, columns: PredictionColumns, kept: Mask) -> Blocks:
    """The blocks of the predictions' vector, over the rows of a mask (n,)."""
    out: Blocks = []
    number = 0
    for i, feature in enumerate(layout.grid.features):
        width = layout.features[feature.name].width
        out.append((f"feature:{feature.name}", _cells(columns.features[kept, i], width)))
        if feature.type == "numeric":
            moments, column = layout.moments[feature.name], columns.numbers[kept, number]
            out.append((f"moments:{feature.name}", _summary(moments, column)))
            number += 1
    score, target = columns.score[kept], columns.target[kept]
    if layout.score:
        out.append(("score", _cells(score, layout.score.width)))
    if layout.target:
        out.append(("prediction", _cells(target, layout.target.width)))
    if "decision" in layout.predictions and layout.score and layout.target:
        pairs = score.astype(np.int64) * layout.target.width + target
        out.append(("decision", _cells(pairs, layout.predictions["decision"].width)))
    out.append(("latency", _summary(layout.latency, columns.latency_ms[kept])))
    out.append(("failed", _sum(columns.failed[kept])))
    return out


def outcome_blocks(layout: Layout, join: Join, rows: Ints, marks: Ints) -> Blocks:
    """The blocks of the outcomes' vector, for pairs of prediction rows and labels (n,)."""
    if layout.target is None:
        return []
    predictions, labels = join.predictions, join.labels
    delay = labels.take("time", marks) - predictions.take("time", rows)
    out: Blocks = [("delay", _summary(layout.delay, delay.astype(float)))]
    label = labels.take("label", marks).astype(np.int64)
    if layout.regression is not None:
        truth, guess = labels.take("value", marks), predictions.take("number", rows)
        out.append(("label", _cells(label, layout.target.width)))
        out.append(("residual", _summary(layout.regression, guess, truth)))
        if layout.residuals is not None:
            with np.errstate(over="ignore", invalid="ignore"):  # absurd values have a cell too
                codes = layout.residuals.codes(guess - truth)
            out.append(("error", _cells(codes, layout.residuals.width)))
        return out
    target = predictions.take("target", rows).astype(np.int64)
    width = layout.target.width
    out.append(("confusion", _cells(target * width + label, width * width)))
    wrong = (target != label).astype(np.int64)
    cells = predictions.take("cells", rows).astype(np.int64)
    for i, feature in enumerate(layout.grid.features):
        pairs = 2 * layout.features[feature.name].width
        out.append((f"slice:{feature.name}", _cells(cells[:, i] * 2 + wrong, pairs)))
    if layout.score:
        score = predictions.take("score", rows).astype(np.int64)
        out.append(("calibration", _cells(score * width + label, layout.score.width * width)))
        out.append(("wrong", _cells(score * 2 + wrong, layout.score.width * 2)))
    return out


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
