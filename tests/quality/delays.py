"""Q4, Q5 and Q6: how soon changes are found, at a promise, and that the tolerance is silent."""

import numpy as np

from tests.quality.made import binary_bank, delays, false_alarms, numeric_bank, true_shares
from tests.quality.row import SEEDS, Asked, Measured, delays_beside

CHANGES = {"1 sd": (1, 1), ".5 sd": (0.5, 1), ".25 sd": (0.25, 1), "sd x 1.5": (0, 1.5)}
FREE = {"1 sd": 40, ".5 sd": 120, ".25 sd": 450, "sd x 1.5": 90}
TOLERANT = {"1 sd": 70, ".5 sd": 260, ".25 sd": 2200, "sd x 1.5": 200}
RATES = {(0.2, 0.3): 450, (0.05, 0.1): 650}


def summary(found, target):
    """Mean delay and share missed of delays (S,), NaN where missed."""
    missed = float(np.isnan(found).mean())
    return {
        "mean_detection_delay": round(float(np.nanmean(found)), 1),
        "missed": round(missed, 4),
        "target": target,
    }


def held(found):
    return all(
        one["mean_detection_delay"] <= one["target"] and one["missed"] == 0
        for one in found.values()
    )


def measured_delays(signals, tolerance, pane, run_length, targets, limit=20_000):
    found = {}
    for number, (name, (mean, spread)) in enumerate(CHANGES.items()):
        rng = np.random.default_rng([SEEDS[0], number, pane])
        bank, grids = numeric_bank(signals, 5000, tolerance, rng)
        before, after = true_shares(grids), true_shares(grids, mean=mean, spread=spread)
        late = delays(bank, before, after, pane, run_length, rng, limit=limit)
        found[name] = summary(late, targets[name])
    return found


def measure_free(_: Asked) -> Measured:
    """Q4: ARL 1e6 rows, tolerance 0, pane 10, m 5,000. With fewer signals chance would decide."""
    found = measured_delays(1000, 0.0, 10, 1e5, FREE)
    return Measured(passed=held(found), values=found, seeds=SEEDS[:1], baselines=delays_beside(10))


def measure_tolerant(asked: Asked) -> Measured:
    """Q5: delays at tolerance .1, pane 50; and silence everywhere inside it, 4e7 rows each."""
    found = measured_delays(100 if asked.short else 400, 0.1, 50, 2e4, TOLERANT, 60_000)
    signals, panes = (100, 1500) if asked.short else (100, 8000)
    corners = (
        [(0.1, 1.1), (0.0, 1.0)]
        if asked.short
        else [(mean, spread) for mean in (-0.1, 0.0, 0.1) for spread in (0.9, 1.0, 1.1)]
    )
    promised = signals * panes / 2e4
    inside = {}
    for number, (mean, spread) in enumerate(corners):
        rng = np.random.default_rng([SEEDS[1], number])
        bank, grids = numeric_bank(signals, 5000, 0.1, rng)
        shares = true_shares(grids, mean=mean, spread=spread)
        alarms = int(false_alarms(bank, shares, 50, 2e4, panes, rng).sum())
        inside[f"mean {mean:+}, sd x {spread}"] = alarms
    quiet = max(inside.values()) <= promised
    return Measured(
        passed=held(found) and quiet,
        values={"delays": found, "promised_alarms": promised, "alarms_inside": inside},
        seeds=SEEDS[:2],
        baselines=delays_beside(50),
        reason="" if quiet else "more alarms inside the tolerance than promised",
    )


def measure_error_rates(asked: Asked) -> Measured:
    """Q6: a reference of 20,000 outcomes, ARL 3e6 rows, 1,000 rows of history."""
    signals, found = (200 if asked.short else 1000), {}
    for (before, after), target in RATES.items():
        rng = np.random.default_rng([SEEDS[0], int(100 * before)])
        bank, was = binary_bank(signals, 20_000, before, rng, upward=True)
        now = np.tile([1 - after, after], (signals, 1))
        found[f"{before} to {after}"] = summary(delays(bank, was, now, 10, 3e5, rng), target)
    return Measured(passed=held(found), values=found, seeds=SEEDS[:1], baselines=delays_beside(10))
