"""Q1: the alarm indices of river 0.26.1 on streams of others, and distances on fixed histograms."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import stats

from detectors.adwin import Adwin, AdwinSettings
from detectors.distances import Pair, chi2, hellinger, js, ks
from detectors.grid import numeric_grid
from detectors.page_hinkley import PageHinkley
from detectors.river_adapter import RiverDetector, RiverSettings
from tests.quality.row import AbsentError, Asked, Measured

SK = "skmultiflow_drift_stream.npy"


def s1():
    rng = np.random.RandomState(12345)
    return np.concatenate([rng.randint(2, size=1000), rng.randint(8, size=1000)]).tolist()


def s2():
    rng = np.random.RandomState(12345)
    return np.concatenate([rng.binomial(1, 0.2, 1000), rng.binomial(1, 0.8, 1000)]).tolist()


def multi():
    rng = random.Random(42)
    stream = []
    for _ in range(2):
        stream += rng.choices([0, 1], k=1000) + rng.choices(range(4, 8), k=1000)
    return stream


def fr():
    rng = np.random.RandomState(31)
    parts = [rng.normal(0, 0.5, 100), rng.normal(4, 0.2, 100), rng.normal(6, 0.5, 100)]
    return np.concatenate(parts).tolist()


STREAMS = {"s1": s1, "s2": s2, "multi": multi, "fr": fr}


def stream(name: str, find: Callable[[str], Path]) -> list[float]:
    """One of the streams; `find` gives the path of the recorded one."""
    return np.load(find(SK)).tolist() if name == "sk" else STREAMS[name]()


def adapted(name, **parameters):
    return lambda: RiverDetector(RiverSettings(name=name, parameters=parameters))


CASES = [
    ("adwin", Adwin, "s1", [1023]),
    ("adwin clock 1", lambda: Adwin(AdwinSettings(clock=1)), "s1", [1004]),
    ("adwin", Adwin, "multi", [1023, 2015, 3007]),
    ("adwin", Adwin, "sk", [1023]),
    ("page_hinkley", PageHinkley, "s1", [1020, 1397, 1548, 1988]),
    ("page_hinkley", PageHinkley, "sk", [1013, 1335, 1505, 1758, 1996]),
    ("page_hinkley", PageHinkley, "fr", [113, 226]),
    ("river:DDM", adapted("river:DDM"), "s2", [1049]),
    ("river:EDDM", adapted("river:EDDM"), "s2", [663, 828, 1007, 1078]),
    ("river:HDDM_A", adapted("river:HDDM_A"), "s2", [1047]),
    ("river:HDDM_W", adapted("river:HDDM_W"), "s2", [1018]),
    ("river:KSWIN", adapted("river:KSWIN", seed=42), "multi", [1013, 2013, 3013]),
]
"""Name, what makes the detector, stream, and river's own alarm indices."""


def alarms(detector, values) -> list[int]:
    """The indices at which a detector alarms."""
    return [i for i, value in enumerate(values) if detector.update(value)]


def distances() -> dict[str, tuple[float, float]]:
    """Expected and found, of distances on fixed histograms."""
    abcd, abce = np.array([1, 1, 1, 1, 0, 0, 0]), np.array([1, 1, 1, 0, 1, 0, 0])
    dice = np.array([16, 16, 16, 16, 16, 8, 0]), np.array([16, 18, 16, 14, 12, 12, 0])
    rng = np.random.default_rng(12345)
    x, y = rng.integers(0, 20, (2, 500)).astype(float)
    grid = numeric_grid(np.arange(20.0).repeat(3))
    counts = [np.bincount(grid.codes(v), minlength=grid.width) for v in (x, y)]
    expected = float(stats.chi2_contingency(np.array([d[:6] for d in dice]))[1])
    return {
        "js abcd abce": (0.5, js(Pair(abcd, abce, "categorical")).value),
        "hellinger abcd abce": (0.5, hellinger(Pair(abcd, abce, "categorical")).value),
        "hellinger dice": (0.06812, hellinger(Pair(*dice, "categorical")).value),
        "chi2 dice p": (0.67309, fit(*dice)),
        "chi2 of two samples p": (expected, chi2(Pair(*dice, "categorical")).p_value),
        "ks": (float(stats.ks_2samp(x, y).statistic), ks(Pair(*counts, values=grid.values)).value),
    }


def fit(current, reference) -> float:
    """The p-value of a window against exactly known shares."""
    return chi2(Pair(current, reference, "categorical", exact=True)).p_value


TOLERATED = {"ks": 1e-12, "hellinger dice": 1e-5, "chi2 dice p": 1e-5}
"""Digits that the published figures have, 1e-6 otherwise."""


def measure(asked: Asked) -> Measured:
    """Every published index and every distance."""
    wrong, absent = {}, []
    for name, make, where, expected in CASES:
        try:
            found = alarms(make(), stream(where, asked.stream))
        except AbsentError as error:
            absent.append(str(error))
            continue
        if found != expected:
            wrong[f"{name} on {where}"] = {"expected": expected, "found": found}
    for name, (expected, found) in distances().items():
        if abs(expected - found) > TOLERATED.get(name, 1e-6):
            wrong[name] = {"expected": expected, "found": found}
    compared = len(CASES) + len(distances())
    return Measured(
        passed=not wrong,
        values={"compared": compared - len(absent), "not_measured": absent, "different": wrong},
        seeds=(12345, 42, 31),
        reason="" if not wrong else "indices differ from river's",
    )
