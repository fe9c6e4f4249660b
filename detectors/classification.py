"""Classification: quality of classes and of scores, read from counts.

Promises: None where a quality cannot be judged; calibration and log loss use the score that
stands for a cell, so they are as fine as the score's grid.
Leaves to others: counting (`joint`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectors.arrays import Counts, Floats


@dataclass(frozen=True, kw_only=True)
class ClassQuality:
    """One class against all others; `rows` are the rows that really belong to it."""

    name: str
    rows: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Quality of predicted classes; precision, recall and F1 of the positive class.

    Without a positive class they are means over the classes that have rows (macro).
    """

    rows: int
    accuracy: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    classes: tuple[ClassQuality, ...]


@dataclass(frozen=True, kw_only=True)
class CalibrationBin:
    """A bin of scores: the mean score promised and the share of positives seen."""

    rows: int
    score: float
    positive_ratio: float


@dataclass(frozen=True, kw_only=True)
class ScoreQuality:
    """Quality of scores against binary labels; log loss in nats."""

    rows: int
    auc: float | None
    log_loss: float | None
    brier: float | None
    ece: float | None
    bins: tuple[CalibrationBin, ...]


def read_confusion(table: Counts, classes: Sequence[str], positive: str | None = None) -> Confusion:
    """Quality from counts (predicted cells, label cells), whose first cells are `classes`.

    Further rows of the table (unseen or missing predictions) are wrong predictions; rows with a
    label outside `classes` are wrong as well, except where the label is missing (last column of
    a table that is wider than the classes): those are left out.
    """
    k = len(classes)
    known = table[:, :-1] if table.shape[1] > k + 1 else table
    rows = int(known.sum())
    hit = np.diagonal(known)[:k]
    predicted, actual = known.sum(axis=1)[:k], known.sum(axis=0)[:k]
    per_class = tuple(
        ClassQuality(
            name=name,
            rows=int(actual[i]),
            precision=_ratio(hit[i], predicted[i]),
            recall=_ratio(hit[i], actual[i]),
            f1=_ratio(2 * hit[i], predicted[i] + actual[i]),
        )
        for i, name in enumerate(classes)
    )
    if positive is None:
        chosen = [quality for quality in per_class if quality.rows]
    else:
        chosen = [quality for quality in per_class if quality.name == positive]
    return Confusion(
        rows=rows,
        accuracy=_ratio(int(hit.sum()), rows),
        precision=_mean([quality.precision for quality in chosen]),
        recall=_mean([quality.recall for quality in chosen]),
        f1=_mean([quality.f1 for quality in chosen]),
        classes=per_class,
    )


def read_scores(table: Counts, scores: Floats, bins: int = 10) -> ScoreQuality:
    """Quality from counts (score cells, [negative, positive]) and a score in 0..1 per cell.

    Cells whose score is NaN (missing) are left out; ascending scores are not required. AUC counts
    ties within a cell as half (Mann-Whitney). ECE is over `bins` equal-width bins.
    """
    use = ~np.isnan(scores)
    order = np.argsort(scores[use], kind="stable")
    s = np.clip(scores[use][order], 1e-6, 1 - 1e-6)
    negative, positive = (table[use, column][order].astype(float) for column in (0, 1))
    n, n0, n1 = float(table[use].sum()), float(negative.sum()), float(positive.sum())
    if n <= 0:
        return ScoreQuality(rows=0, auc=None, log_loss=None, brier=None, ece=None, bins=())
    wins = float(positive @ (np.cumsum(negative) - negative / 2))
    loss = -(positive @ np.log(s) + negative @ np.log1p(-s)) / n
    brier = (positive @ (1 - s) ** 2 + negative @ s**2) / n
    calibration = _calibration(s, negative + positive, positive, bins)
    gap = sum(bin_.rows * abs(bin_.score - bin_.positive_ratio) for bin_ in calibration)
    return ScoreQuality(
        rows=int(n),
        auc=wins / (n0 * n1) if n0 and n1 else None,
        log_loss=float(loss),
        brier=float(brier),
        ece=gap / n,
        bins=calibration,
    )


def _calibration(
    scores: Floats, rows: Floats, positive: Floats, bins: int
) -> tuple[CalibrationBin, ...]:
    at = np.minimum((scores * bins).astype(int), bins - 1)
    n, total, hit = (np.bincount(at, w, bins) for w in (rows, rows * scores, positive))
    return tuple(
        CalibrationBin(
            rows=int(n[i]), score=float(total[i] / n[i]), positive_ratio=float(hit[i] / n[i])
        )
        for i in np.flatnonzero(n)
    )


def _ratio(part: int, whole: int) -> float | None:
    return float(part / whole) if whole > 0 else None


def _mean(values: Sequence[float | None]) -> float | None:
    judged = [value for value in values if value is not None]
    return sum(judged) / len(judged) if judged else None
