"""Q14: a fleet of monitors with one budget: false alarms, and false discoveries beside real ones.

200 monitors of mixed laws (four continuous ones, four rates of a binary signal), 20,000 rows
each, panes of 10 rows, one false alarm in the 4e6 rows of the whole fleet. A monitor is a
discovery if it reaches its threshold, or by e-Benjamini-Hochberg at .1 at the end.
"""

from math import log

import numpy as np

from detectors.budget import e_bh
from tests.quality.made import LAWS, binary_bank, numeric_bank, true_shares
from tests.quality.row import SEEDS, Asked, Measured

MONITORS, ROWS, PANE = 200, 20_000, 10
THRESHOLD = log(MONITORS * ROWS / PANE)
RATES = (0.05, 0.1, 0.2, 0.5)
DRIFTED = 0.1
CHANGES = ((0.5, 1.0), (1.0, 1.0), (0.0, 1.5), (-0.5, 1.0))
"""Mean and spread after the change in the middle; rates of binary signals get odds x 2.5."""
BY_KIND = MONITORS // (len(LAWS) + len(RATES))


class Group:
    """Monitors of one law."""

    def __init__(self, law, rows, rng, drifts):
        self.drifted = np.arange(BY_KIND) < (round(DRIFTED * BY_KIND) + 0 if drifts else 0)
        if isinstance(law, float):
            self.bank, self.before = binary_bank(BY_KIND, rows, law, rng)
            odds = 2.5 * law / (1 - law)
            moved = np.tile([1 - odds / (1 + odds), odds / (1 + odds)], (BY_KIND, 1))
        else:
            self.bank, grids = numeric_bank(BY_KIND, rows, 0.0, rng, LAWS[law])
            self.before = true_shares(grids, LAWS[law])
            mean, spread = CHANGES[list(LAWS).index(law)]
            moved = true_shares(grids, LAWS[law], mean, spread)
        self.after = np.where(self.drifted[:, None], moved, self.before)
        self.rng = rng

    def watch(self):
        """Which alarmed (S,), and the evidence at the end (S,)."""
        alarmed = np.zeros(BY_KIND, bool)
        panes = ROWS // PANE
        for i in range(panes):
            shares = self.before if i < panes // 2 else self.after
            self.bank.update(list(self.rng.multinomial(PANE, shares)))
            alarmed |= self.bank.log_mean >= THRESHOLD
        return alarmed, self.bank.log_mean


def fleet(rows, seed, *, drifts):
    """False alarms, discoveries that are false, and drifted monitors found, of one fleet."""
    rng = np.random.default_rng([seed, rows, int(drifts)])
    groups = [Group(law, rows, rng, drifts) for law in (*LAWS, *RATES)]
    watched = [group.watch() for group in groups]
    drifted = np.concatenate([group.drifted for group in groups])
    alarmed = np.concatenate([one[0] for one in watched])
    evidence = np.concatenate([one[1] for one in watched])
    e_values = np.exp(np.minimum(evidence - log(ROWS / PANE), 700))
    found = alarmed | e_bh(e_values, 0.1)
    return {
        "false_alarms": int((alarmed & ~drifted).sum()),
        "false": int((found & ~drifted).sum()),
        "true": int((found & drifted).sum()),
        "drifted": int(drifted.sum()),
    }


def measure(asked: Asked) -> Measured:
    """Several fleets of each kind."""
    fleets = 2 if asked.short else 12
    values, passed = {}, True
    for rows in (1000, 5000):
        still = [fleet(rows, SEEDS[0] + i, drifts=False) for i in range(fleets)]
        moved = [fleet(rows, SEEDS[1] + i, drifts=True) for i in range(fleets)]
        false = np.mean([one["false_alarms"] for one in still])
        rate = np.mean([one["false"] / max(1, one["false"] + one["true"]) for one in moved])
        power = sum(one["true"] for one in moved) / sum(one["drifted"] for one in moved)
        values[f"m {rows}"] = {
            "false_alarms_per_fleet": round(float(false), 3),
            "false_discovery_rate": round(float(rate), 4),
            "found": round(power, 4),
            "drifted": sum(one["drifted"] for one in moved),
        }
        passed &= false <= 2 and rate <= 0.1 and power >= 0.95
    return Measured(
        passed=bool(passed),
        values={"fleets": fleets, **values},
        seeds=(*(SEEDS[0] + i for i in range(fleets)), *(SEEDS[1] + i for i in range(fleets))),
        baselines={
            "always_fire": {"false_alarms_per_fleet": MONITORS, "false_discovery_rate": 0.9},
            "never_fire": {"false_alarms_per_fleet": 0, "found": 0.0},
        },
    )
