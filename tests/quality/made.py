"""Made streams: banks over drawn references, panes of drawn counts, alarms and delays.

Everything is a function of the generator that is handed in; nothing here knows a target.
"""

from math import log

import numpy as np
from scipy import stats

from detectors.grid import numeric_grid
from detectors.reference import reference_of
from detectors.shiryaev_roberts import Bank

LAWS = {
    "normal": stats.norm,
    "uniform": stats.uniform,
    "t3": stats.t(3),
    "lognormal": stats.lognorm(1),
}


def numeric_bank(signals, rows, tolerance, rng, law=stats.norm, scale=1.0):
    """A bank over references of `rows` values of one law, and its grids."""
    samples = [scale * law.rvs(size=rows, random_state=rng) for _ in range(signals)]
    grids = [numeric_grid(x) for x in samples]
    references = [
        reference_of("numeric", np.bincount(g.codes(x), minlength=g.width)[None])
        for x, g in zip(samples, grids, strict=True)
    ]
    return Bank(references, tolerance=tolerance), grids


def true_shares(grids, law=stats.norm, mean=0.0, spread=1.0, scale=1.0):
    """Shares of all cells under a law whose normal scores are moved and stretched."""
    cumulated = np.array([law.cdf(np.array(grid.edges) / scale) for grid in grids])
    moved = stats.norm.cdf((stats.norm.ppf(cumulated) - mean) / spread)
    return np.pad(np.diff(moved, axis=1, prepend=0, append=1), ((0, 0), (0, 1)))


def sparse_bank(signals, rows, missing, rng):
    """A bank over normal columns with a share of missing values, and its true shares."""
    grids, references = [], []
    for _ in range(signals):
        x = np.where(rng.random(rows) < missing, np.nan, rng.normal(size=rows))
        grids.append(numeric_grid(x))
        counts = np.bincount(grids[-1].codes(x), minlength=grids[-1].width)
        references.append(reference_of("numeric", counts[None]))
    shares = [(1 - missing) * true_shares([grid])[0] for grid in grids]
    for one in shares:
        one[-1] = 1 - one[:-1].sum()
    return Bank(references, tolerance=0.0), shares


def binary_bank(signals, rows, p, rng, *, upward=False):
    """A bank over references of `rows` outcomes, yes with probability p, and its true shares."""
    references = [
        reference_of("binary", np.array([[rows - k, k]])) for k in rng.binomial(rows, p, signals)
    ]
    bank = Bank(references, tolerance=0.0, upward=upward)
    return bank, np.tile([1 - p, p], (signals, 1))


def drawn(rng, pane, shares):
    """Counts of a pane of every signal; `shares` (S, width), or one vector for each of S."""
    if isinstance(shares, np.ndarray):
        return list(rng.multinomial(pane, shares))
    return [rng.multinomial(pane, own) for own in shares]


def false_alarms(bank, shares, pane, run_length, panes, rng):
    """Alarms of every signal (S,) in so many panes of `pane` rows, begun anew after each."""
    alarms = np.zeros(len(shares), int)
    for _ in range(panes):
        bank.update(drawn(rng, pane, shares))
        for one in np.flatnonzero(bank.log_mean >= log(run_length)):
            alarms[one] += 1
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
