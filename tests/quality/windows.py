"""Q13: p-values of window distances are right without change, and the tests have power."""

import numpy as np

from detectors.distances import DISTANCES, Pair
from detectors.grid import numeric_grid
from tests.quality.row import SEEDS, Asked, Measured

SIZES = (100, 200, 500, 1000, 5000)
JUDGED = ("psi", "js", "ks", "wasserstein", "chi2")


def pairs(n, m, runs, shift=0.0, seed=SEEDS[0]):
    """Windows of n normal rows beside references of m."""
    rng = np.random.default_rng([seed, n, m])
    for _ in range(runs):
        reference = rng.normal(size=m)
        grid = numeric_grid(reference)
        counts = [
            np.bincount(grid.codes(x), minlength=grid.width)
            for x in (rng.normal(size=n) + shift, reference)
        ]
        yield Pair(*counts, values=grid.values)


def rejections(name, n, m, runs, shift=0.0, seed=SEEDS[0]):
    """Share of runs with p <= .05."""
    judged = (DISTANCES[name](pair) for pair in pairs(n, m, runs, shift, seed))
    return sum(one.p_value <= 0.05 for one in judged) / runs


def all_rejections(n, m, runs, shift=0.0):
    """The same of every distance at once."""
    counts = dict.fromkeys(JUDGED, 0)
    for pair in pairs(n, m, runs, shift):
        for name in JUDGED:
            counts[name] += DISTANCES[name](pair).p_value <= 0.05
    return {name: count / runs for name, count in counts.items()}


def measure(asked: Asked) -> Measured:
    """Rates without change for every pair of sizes, power at .2 sd; standard errors are shown."""
    runs = 400 if asked.short else 1500
    sizes = (100, 500, 5000) if asked.short else SIZES
    slack = 0.02 if asked.short else 0.0
    rates = {f"n {n}, m {m}": all_rejections(n, m, runs) for n in sizes for m in sizes}
    power = all_rejections(1000, 1000, runs // 3, 0.2)
    every = [rate for cell in rates.values() for rate in cell.values()]
    right = 0.03 - slack <= min(every) and max(every) <= 0.07 + slack
    return Measured(
        passed=right and min(power.values()) >= 0.85,
        values={
            "runs": runs,
            "standard_error": round(float(np.sqrt(0.05 * 0.95 / runs)), 4),
            "least": min(every),
            "most": max(every),
            "power_at_.2_sd": power,
            "by_cell": rates,
        },
        seeds=SEEDS[:1],
        baselines={
            "always_fire": {"rate": 1.0, "power": 1.0},
            "never_fire": {"rate": 0.0, "power": 0.0},
        },
        reason="" if right else "a rate without change is outside .03 to .07",
    )
