"""Q18: CPU time of the sequential update and of the distances, best of many on a shared machine."""

from timeit import repeat

import numpy as np

from detectors.distances import ks_values, psi_values
from tests.quality.made import numeric_bank, true_shares
from tests.quality.row import SEEDS, Asked, Measured

SIGNALS = 50


def best(call, rounds=20):
    """Microseconds of a call."""
    return min(repeat(call, number=50, repeat=rounds)) / 50 * 1e6


def measure(asked: Asked) -> Measured:
    """At most 5 us per signal and pane; at most 100 us for distances of 50 signals."""
    rng = np.random.default_rng(SEEDS[0])
    bank, grids = numeric_bank(SIGNALS, 5000, 0.1, rng)
    pane = list(rng.multinomial(100, true_shares(grids)))
    p, q = rng.dirichlet(np.ones(64), (2, SIGNALS))
    update = best(lambda: bank.update(pane)) / SIGNALS
    distances = {
        "psi": best(lambda: psi_values(p, q)),
        "ks": best(lambda: ks_values(p, q)),
    }
    return Measured(
        passed=update <= 5 and max(distances.values()) <= 100,
        values={
            "update_us_per_signal_and_pane": round(update, 2),
            "distances_of_50_signals_us": {k: round(v, 1) for k, v in distances.items()},
        },
        seeds=SEEDS[:1],
        baselines={"always_fire": {"us": 0}, "never_fire": {"us": 0}},
    )
