"""The contest of two means: its promise for skewed and rare values, and what it finds."""

from math import log

import numpy as np
import pytest

from detectors.means import LEAST_PANES, Race

LEVEL = log(20)


def coins(rate, other):
    """Shares of rows that hit."""
    return lambda rng, n, m: (rng.binomial(n, rate) / n, rng.binomial(m, other) / m)


def prices(factor):
    """Means of skewed prices."""
    return lambda rng, n, m: (rng.lognormal(0, 1, n).mean(), factor * rng.lognormal(0, 1, m).mean())


def highest(draw, seed, *, sign=1.0, margin=0.0, rows=(400, 20), panes=100, unit=1.0):
    """The highest log e over a run."""
    rng, race, most = np.random.default_rng(seed), Race(), 0.0
    for _ in range(panes):
        a, b = draw(rng, *rows)
        race = race.after((rows[0], sign * unit * a), (rows[1], sign * unit * b), margin)
        most = max(most, race.log_e)
    return most


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(
    "draw", [coins(0.01, 0.01), coins(0.3, 0.3), prices(1.0)], ids=["rare", "coins", "prices"]
)
def test_equal_means_pass_no_more_often_than_promised(draw, sign):
    """100 runs at margin 0, the worst case, with 5 and 20 rows a pane: at most 5 % + 3 errors."""
    passed = [
        highest(draw, seed, sign=sign, rows=(400, 5 + 15 * (seed % 2))) for seed in range(100)
    ]
    assert sum(one >= LEVEL for one in passed) <= 100 * 0.05 + 3 * (100 * 0.05 * 0.95) ** 0.5


@pytest.mark.parametrize(
    ("draw", "sign"),
    [(coins(0.01, 0.03), 1.0), (coins(0.01, 0.0), -1.0), (prices(1.3), 1.0), (prices(0.7), -1.0)],
    ids=["rare hits", "no hits", "dearer", "less worth"],
)
def test_means_beyond_the_margin_are_found(draw, sign):
    """Three times as many rare hits, none of them, 30 % more or less: 28 of 30 runs and more."""
    found = [highest(draw, seed, sign=sign, margin=0.02) >= LEVEL for seed in range(30)]
    assert sum(found) >= 28


def test_a_change_of_unit_changes_nothing():
    here, there = (highest(prices(1.3), 1, unit=unit) for unit in (1.0, 1e-4))
    assert here == pytest.approx(there)


def test_constant_figures_are_compared_too():
    """A price that never varies: 5 % more is found, 1 % is within a margin of 2 %."""
    dearer, alike = (
        highest(lambda _rng, _n, _m, b=b: (0.004, b), 0, margin=0.02) for b in (0.0042, 0.00404)
    )
    assert dearer >= LEVEL
    assert 0.0 == alike


def test_nothing_is_said_of_few_panes():
    race = Race()
    for _ in range(LEAST_PANES - 1):
        race = race.after((100, 1.0), (100, 9.0), 0.02)
    assert (False, 0.0) == (race.told, race.log_e)
    assert race.after((100, 1.0), (100, 9.0), 0.02).told
