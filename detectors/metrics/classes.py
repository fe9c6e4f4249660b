"""Classes: accuracy, precision, recall, F1 and the two error rates, with intervals.

Promises: read from (predicted cells, label cells) whose first cells are the classes and whose
last label cell is missing (left out); predictions and labels outside the classes are wrong.
Leaves to others: scores (`ranking`, `scoring`).
Sources: `interval` for shares. F1 = 2 J / (1 + J) with J = tp / (tp + fp + fn), which is a share
of the rows that were called or are positive: the limits of J are those of F1 (a monotone map).
"""

from math import sqrt
from typing import Final

from detectors.arrays import Counts
from detectors.metrics.interval import Interval, around, wilson

LOWER_IS_BETTER: Final = frozenset({"false_positive_rate", "false_negative_rate"})


def accuracy(table: Counts, classes: int, dispersion: float = 1.0) -> Interval | None:
    """Share of known labels (predicted, label) that were predicted."""
    known = table[:, :-1]
    right = int(known.diagonal()[:classes].sum())
    return wilson(right, int(known.sum()), dispersion)


def binary(table: Counts, positive: int, dispersion: float = 1.0) -> dict[str, Interval]:
    """Qualities of the class in cell `positive` against all others; without rows left out."""
    known = table[:, :-1]
    hit = int(known[positive, positive])
    called, real, rows = int(known[positive].sum()), int(known[:, positive].sum()), int(known.sum())
    negatives, alarms, missed = rows - real, called - hit, real - hit
    found = {
        "precision": wilson(hit, called, dispersion),
        "recall": wilson(hit, real, dispersion),
        "f1": f1(hit, alarms, missed, dispersion),
        "false_positive_rate": wilson(alarms, negatives, dispersion),
        "false_negative_rate": wilson(missed, real, dispersion),
        "positive_rate": wilson(called, rows, dispersion),
    }
    return {name: one for name, one in found.items() if one is not None}


def macro(table: Counts, classes: int, dispersion: float = 1.0) -> dict[str, Interval]:
    """Precision, recall and F1 as means over the classes that have labels.

    The classes' errors are taken as independent, which is careful for precision and recall.
    """
    known = table[:, :-1]
    each = [binary(table, i, dispersion) for i in range(classes) if known[:, i].any()]
    rows = int(known.sum())
    out: dict[str, Interval] = {}
    for name in ("precision", "recall", "f1"):
        # A class that was never called has no precision; to the mean it is one of 0.
        told = [one[name] for one in each if name in one]
        if not told:
            continue
        value = sum(one.value for one in told) / len(each)
        error = sqrt(sum(one.error**2 for one in told)) / len(each)
        found = around(value, error, rows, least=0.0, most=1.0)
        if found is not None:
            out[name] = found
    return out


def f1(hit: int, alarms: int, missed: int, dispersion: float = 1.0) -> Interval | None:
    """F1 of true positives, false positives and false negatives; None without any of them."""
    share = wilson(hit, hit + alarms + missed, dispersion)
    if share is None:
        return None
    value, low, high = (2 * j / (1 + j) for j in share[:3])
    return Interval(value, low, high, share.rows)
