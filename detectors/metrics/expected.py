"""Expected: what the metrics of predictions will be, before any of their labels has come.

The labels of rows with one score are taken to fall as they did in the reference (the idea of
confidence-based performance estimation, CBPE). So the estimate follows a shift of inputs, and is
blind to a change of what a score means: it must be checked once labels come.

Promises: the error of an estimate holds the chance of the labels, the finite reference and its
dispersion; cells that the reference never saw take the share of their nearest neighbours.
Leaves to others: the check (`monitor`), when labels are enough.
Sources: Guo et al. (2017), ICML, for calibrated scores as probabilities; Bialek, Kuberski,
Perrakis, Bifet (2024), arXiv 2407.08649, for CBPE. Sums of independent Bernoulli rows have the
variance sum p (1 - p).
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from detectors.arrays import Counts, Floats
from detectors.metrics.interval import Interval, around

_PRIOR: Final = 1.0
"""Rows by which a cell's share is drawn to that of its neighbours."""


class Shares(NamedTuple):
    """Of each score cell (width,): the share of yes in the reference, and its variance."""

    share: Floats
    variance: Floats


def shares_of(hits: Counts, rows: Counts, dispersion: float = 1.0) -> Shares | None:
    """The share of `hits` among the reference's `rows` (width,), smoothed; None without rows.

    The last cell (missing score) has no neighbours: it takes the share of all where it is empty.
    """
    total = float(rows.sum())
    if total <= 0:
        return None
    overall = float(hits.sum()) / total
    n, k = rows.astype(float), hits.astype(float)
    prior = np.full(len(n), overall)
    seen = np.flatnonzero(rows[:-1])
    if len(seen):
        cells = np.arange(len(n) - 1)
        raw = k[seen] / n[seen]
        prior[:-1] = np.interp(cells, seen, raw)
    share = (k + _PRIOR * prior) / (n + _PRIOR)
    variance = max(dispersion, 1.0) * share * (1 - share) / (n + _PRIOR)
    return Shares(share, variance)


def expected_share(rows: Counts, shares: Shares, dispersion: float = 1.0) -> Interval | None:
    """The expected share of yes among `rows` per score cell (width,); None without rows."""
    n = float(rows.sum())
    if n <= 0:
        return None
    weight = rows / n
    value = float(weight @ shares.share)
    own = max(dispersion, 1.0) * float(weight @ (shares.share * (1 - shares.share))) / n
    error = float(np.sqrt(own + weight**2 @ shares.variance))
    return around(value, error, int(n), least=0.0, most=1.0)


def expected_right(decision: Counts, positive: int, shares: Shares) -> tuple[Counts, Shares]:
    """The rows per (score cell, called positive or not), and how likely each is right.

    `decision` is (score cells, predicted cells); `shares` those of the positive label. A row is
    right if it was called positive and is, or was called another class and is not positive.
    """
    called = decision[:, positive]
    other = decision.sum(axis=1) - called
    return (
        np.concatenate([called, other]),
        Shares(
            np.concatenate([shares.share, 1 - shares.share]),
            np.concatenate([shares.variance, shares.variance]),
        ),
    )


def expected_binary(decision: Counts, positive: int, shares: Shares) -> dict[str, Interval]:
    """Expected precision, recall and F1, with errors by the delta method.

    The three are functions of the expected table; their gradient is taken per score cell.
    """
    called = decision[:, positive].astype(float)
    other = decision.sum(axis=1) - called
    rows = int(decision.sum())
    p = shares.share
    tp, fp, fn = float(called @ p), float(called @ (1 - p)), float(other @ p)
    # Of both sides: the table with one further positive, and the variance of their number.
    sides = [
        (table, float((side * p * (1 - p) + side**2 * shares.variance).sum()))
        for side, table in ((called, (tp + 1, fp - 1, fn)), (other, (tp, fp, fn + 1)))
    ]
    out: dict[str, Interval] = {}
    for name, of in _METRICS.items():
        value = of(tp, fp, fn)
        if value is None:
            continue
        variance = 0.0
        for table, of_positives in sides:
            moved = of(*table)
            change = 0.0 if moved is None else moved - value
            variance += change**2 * of_positives
        found = around(value, float(np.sqrt(variance)), rows, least=0.0, most=1.0)
        if found is not None:
            out[name] = found
    return out


_Metric = Callable[[float, float, float], float | None]

_METRICS: Final[dict[str, _Metric]] = {
    "precision": lambda tp, fp, _: tp / (tp + fp) if tp + fp > 0 else None,
    "recall": lambda tp, _, fn: tp / (tp + fn) if tp + fn > 0 else None,
    "f1": lambda tp, fp, fn: 2 * tp / (2 * tp + fp + fn) if 2 * tp + fp + fn > 0 else None,
}
