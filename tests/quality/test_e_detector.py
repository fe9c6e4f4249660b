"""Q2, Q4, Q5, Q6, Q16 and Q18: the dial keeps its promise, delays and cost their targets."""

from math import log
from timeit import repeat

import numpy as np
import pytest
from scipy import signal, stats

from detectors.distances import ks_values, psi_values
from detectors.grid import numeric_grid
from detectors.reference import reference_of
from detectors.shiryaev_roberts import Bank

SEED = 20261121
LAWS = {
    "normal": stats.norm,
    "uniform": stats.uniform,
    "t3": stats.t(3),
    "lognormal": stats.lognorm(1),
}


def numeric_bank(signals, rows, tolerance, rng, law=stats.norm):
    """A bank over references of `rows` values of one law, and its grids."""
    samples = [law.rvs(size=rows, random_state=rng) for _ in range(signals)]
    grids = [numeric_grid(x) for x in samples]
    references = [
        reference_of("numeric", np.bincount(g.codes(x), minlength=g.width)[None])
        for x, g in zip(samples, grids, strict=True)
    ]
    return Bank(references, tolerance=tolerance), grids


def true_shares(grids, law=stats.norm, mean=0.0, spread=1.0):
    """Shares of all cells under a law whose normal scores are moved and stretched."""
    cumulated = np.array([law.cdf(np.array(grid.edges)) for grid in grids])
    moved = stats.norm.cdf((stats.norm.ppf(cumulated) - mean) / spread)
    return np.pad(np.diff(moved, axis=1, prepend=0, append=1), ((0, 0), (0, 1)))


def false_alarms(bank, shares, pane, run_length, panes, rng):
    alarms = 0
    for _ in range(panes):
        bank.update(list(rng.multinomial(pane, shares)))
        for one in np.flatnonzero(bank.log_mean >= log(run_length)):
            alarms += 1
            bank.reset(one)
    return alarms


def delays(bank, before, after, pane, run_length, rng, history=1000, limit=20_000):
    """Rows from the change to the first alarm of every signal; NaN if there was none."""
    found = np.full(len(before), np.nan)
    for _ in range(history // pane):
        bank.update(list(rng.multinomial(pane, before)))
        for one in np.flatnonzero(bank.log_mean >= log(run_length)):
            bank.reset(one)
    for i in range(limit // pane):
        bank.update(list(rng.multinomial(pane, after)))
        found[(bank.log_mean >= log(run_length)) & np.isnan(found)] = (i + 1) * pane
        if not np.isnan(found).any():
            break
    return found


@pytest.mark.slow
@pytest.mark.parametrize("rows", [500, 1000, 5000])
@pytest.mark.parametrize("law", LAWS)
def test_q2_numeric_run_lengths_keep_the_promise(law, rows):
    rng = np.random.default_rng(SEED)
    bank, grids = numeric_bank(100, rows, 0.0, rng, LAWS[law])
    alarms = false_alarms(bank, true_shares(grids, LAWS[law]), 10, 1000, 10_000, rng)
    assert alarms <= 1000
    assert alarms >= 100  # at most ten times too careful


@pytest.mark.slow
@pytest.mark.parametrize("rows", [500, 1000, 5000])
@pytest.mark.parametrize("p", [0.01, 0.05, 0.2, 0.5])
def test_q2_binary_run_lengths_keep_the_promise(p, rows):
    rng = np.random.default_rng(SEED)
    references = [
        reference_of("binary", np.array([[rows - k, k]])) for k in rng.binomial(rows, p, 100)
    ]
    bank = Bank(references, tolerance=0.0)
    alarms = false_alarms(bank, np.tile([1 - p, p], (100, 1)), 10, 1000, 10_000, rng)
    assert alarms <= 1000
    assert alarms >= 100


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mean", "spread", "target"), [(1, 1, 40), (0.5, 1, 120), (0.25, 1, 450), (0, 1.5, 90)]
)
def test_q4_delays_without_tolerance(mean, spread, target):
    """A mean of 1,000 delays has a standard error of 1 to 2 %."""
    rng = np.random.default_rng(SEED)
    bank, grids = numeric_bank(1000, 5000, 0.0, rng)
    after = true_shares(grids, mean=mean, spread=spread)
    assert delays(bank, true_shares(grids), after, 10, 1e5, rng).mean() <= target


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mean", "spread", "target"), [(1, 1, 70), (0.5, 1, 260), (0.25, 1, 2200), (0, 1.5, 200)]
)
def test_q5_delays_with_tolerance(mean, spread, target):
    rng = np.random.default_rng(SEED)
    bank, grids = numeric_bank(400, 5000, 0.1, rng)
    after = true_shares(grids, mean=mean, spread=spread)
    assert delays(bank, true_shares(grids), after, 50, 2e4, rng).mean() <= target


@pytest.mark.slow
@pytest.mark.parametrize("mean", [-0.1, 0.0, 0.1])
@pytest.mark.parametrize("spread", [0.9, 1.0, 1.1])
def test_q5_everything_inside_the_tolerance_keeps_the_promise(mean, spread):
    rng = np.random.default_rng(SEED)
    bank, grids = numeric_bank(100, 5000, 0.1, rng)
    inside = true_shares(grids, mean=mean, spread=spread)
    assert false_alarms(bank, inside, 50, 1000, 8000, rng) <= 800


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after", "target"), [(0.2, 0.3, 450), (0.05, 0.1, 650)])
def test_q6_error_rates(before, after, target):
    rng = np.random.default_rng(SEED)
    signals, rows = 1000, 20_000
    drawn = rng.binomial(rows, before, signals)
    references = [reference_of("binary", np.array([[rows - k, k]])) for k in drawn]
    bank = Bank(references, tolerance=0.0, upward=True)
    laws = [np.tile([1 - p, p], (signals, 1)) for p in (before, after)]
    assert delays(bank, *laws, 10, 3e5, rng).mean() <= target


def test_delays_and_promise_on_a_small_scale():
    rng = np.random.default_rng(SEED)
    bank, grids = numeric_bank(40, 2000, 0.1, rng)
    quiet, moved = true_shares(grids), true_shares(grids, mean=1.0)
    assert delays(bank, quiet, moved, 50, 2e4, rng).mean() <= 100
    bank, grids = numeric_bank(40, 2000, 0.1, rng)
    assert false_alarms(bank, true_shares(grids), 50, 100, 300, rng) <= 120


@pytest.mark.slow
@pytest.mark.parametrize("pane", [10, 50])
def test_q16_dispersion_keeps_half_of_the_promise_for_correlated_rows(pane):
    rng = np.random.default_rng(SEED)
    signals, rows, panes, keep = 50, 5000, 4000, 0.5
    noise = rng.normal(size=(signals, rows + panes * pane))
    walks = signal.lfilter([np.sqrt(1 - keep**2)], [1, -keep], noise)
    references, streams = [], []
    for walk in walks:
        grid = numeric_grid(walk[:rows])
        codes = grid.codes(walk).reshape(-1, pane)
        counts = np.array([np.bincount(row, minlength=grid.width) for row in codes])
        references.append(reference_of("numeric", counts[: rows // pane]))
        streams.append(counts[rows // pane :])
    bank, alarms = Bank(references, tolerance=0.0), 0
    for i in range(panes):
        bank.update([counts[i] for counts in streams])
        for one in np.flatnonzero(bank.log_mean >= log(1000)):
            alarms += 1
            bank.reset(one)
    assert alarms <= 2 * signals * panes / 1000


@pytest.mark.slow
def test_q18_cost_of_fifty_signals():
    """Best of many, because the machine is shared; microseconds."""
    rng = np.random.default_rng(SEED)
    bank, grids = numeric_bank(50, 5000, 0.1, rng)
    pane = list(rng.multinomial(100, true_shares(grids)))
    p, q = rng.dirichlet(np.ones(64), (2, 50))
    best = lambda call: min(repeat(call, number=50, repeat=20)) / 50 * 1e6
    assert best(lambda: bank.update(pane)) <= 250
    assert best(lambda: psi_values(p, q)) <= 100
    assert best(lambda: ks_values(p, q)) <= 100
