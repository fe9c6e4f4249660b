"""Faults of a column, seen in the counts since its change."""

import numpy as np
import pytest

from detectors.reference import SignalReference
from streams.monitor.faults import fault
from streams.signals import Signal

WIDTH = 22
"""Cells: numbers have one below, nineteen, one above and missing; categories unseen, missing."""


def signal(kind="numeric", name="feature:x"):
    """A signal of that many cells."""
    return Signal(name, kind, tuple(map(str, range(WIDTH))), None, important=True)


def reference(kind="numeric", shares=None):
    """Normal: all cells but the outermost and the missing one are equally likely."""
    counts = np.full(WIDTH, 50) if shares is None else np.round(np.array(shares) * 1000)
    counts[-1] = 0
    if kind == "numeric":
        counts[[0, -2]] = 0
    else:
        counts[-2] = 0
    counts = counts.astype(np.int64)
    return SignalReference(
        kind=kind, counts=counts, rows=int(counts.sum()), dispersion=np.ones(WIDTH)
    )


def drawn(shares, rows, seed=5):
    """Counts of rows drawn of these shares."""
    shares = np.array(shares, float)
    return np.random.default_rng(seed).multinomial(rows, shares / shares.sum())


def usual(kind="numeric"):
    """The shares of the reference."""
    return reference(kind).counts.astype(float)


def mixed(share, cell, kind="numeric"):
    """The usual shares, with this share of the rows in one cell."""
    was = usual(kind) / usual(kind).sum()
    point = np.zeros(WIDTH)
    point[cell] = 1
    return (1 - share) * was + share * point


@pytest.mark.parametrize(
    ("expected", "shares", "rows", "kind"),
    [
        (None, usual(), 500, "numeric"),
        ("constant", mixed(1.0, 5), 30, "numeric"),
        ("constant", mixed(0.6, 5), 200, "numeric"),
        ("rescaled", mixed(0.9, WIDTH - 2), 40, "numeric"),
        (None, mixed(0.3, WIDTH - 2), 200, "numeric"),
        (None, mixed(0.2, 5), 200, "numeric"),
        (None, mixed(0.6, 5), 40, "numeric"),
        (None, usual() * np.linspace(0, 9, WIDTH) ** 3, 400, "numeric"),
        ("constant", mixed(0.95, 3, "categorical"), 80, "categorical"),
        (None, mixed(0.6, 3, "categorical"), 400, "categorical"),
        ("rescaled", mixed(0.8, WIDTH - 2, "categorical"), 40, "categorical"),
        (None, mixed(0.05, WIDTH - 2, "categorical"), 400, "categorical"),
    ],
)
def test_a_fault_has_its_own_pattern(expected, shares, rows, kind):
    """Stuck, filled, rescaled or recoded columns are told from drifts and from new values."""
    assert expected == fault(signal(kind), reference(kind), drawn(shares, rows))


def test_few_rows_say_nothing():
    """A handful of equal values may be chance."""
    assert fault(signal(), reference(), drawn(mixed(1.0, 5), 10)) is None


def test_a_drift_is_rarely_taken_for_a_filled_column():
    """A population that moves into one region moves the proportions of the others too."""
    cells = np.arange(WIDTH)
    for seed, center in enumerate(range(3, 19)):
        moved = usual() * np.exp(-0.5 * ((cells - center) / 1.2) ** 2)
        assert fault(signal(), reference(), drawn(moved, 400, seed)) is None
