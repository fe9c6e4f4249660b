"""Law 2 with full memories: windows, histories and trails have forgotten their first panes.

The worlds of `test_laws` have a dozen panes; what is kept of fifty or two hundred is first let go
here. Everything that keeps anything is declared, and the stream changes and changes back.
"""

import random

import orjson
import pytest

from schemas.config import Config
from schemas.log import Record
from streams.runtime.roles import MonitorRole, ProfilerRole
from tests.laws.mill import LOGS

PANE, HORIZON, T0 = 1_000, 8_000, 1_700_000_000_000
ROWS, FEW = 48, 4
LEARNED = 40
EVERY = 7
"""Panes between two restarts; no memory has such a length."""

MODEL = {
    "task": "binary",
    "pane": f"{PANE}ms",
    "lateness": f"{PANE // 2}ms",
    "timestamps": "ms",
    "labels": {"horizon": f"{HORIZON}ms", "min_coverage": 0.1},
    "features": {"x": "numeric", "y": "numeric", "c": "categorical"},
    "classes": [0, 1],
    "false_alarms": "500 per 1h",
    "reference": {"from": "first", "rows": ROWS * LEARNED, "min_duration": "10s"},
    "compare": ["training", "rolling 60s"],
    "monitors": [
        {"watch": "feature:x", "detector": "adwin"},
        {"watch": "metric:accuracy", "detector": "page_hinkley"},
        {"watch": "features", "detector": "pca"},
    ],
    "policy": {"sustained": "1 panes", "resolve_after": "3 panes", "cool_down": "5s"},
    "retrain": {"min_labels": 1, "min_interval": "5s"},
}


def score(number, i):
    """The score of row `i` of a pane."""
    return random.Random(f"{number}-{i}").random()


def changed(number):
    """Whether a pane is of another kind than the first."""
    return 90 <= number < 120 or 180 <= number < 190


def prediction(number, i, r):
    """Row `i` of a pane, sometimes late."""
    x = r.gauss(1.5 * changed(number), 1)
    return {
        "model": "m",
        "version": "1" if number < 150 else "2",
        "prediction_id": f"{number}-{i}",
        "timestamp": T0 + number * PANE + i * PANE // ROWS - r.choice([0, 0, 0, 0, 1, 3]) * PANE,
        "features": {"x": x, "y": x + r.gauss(0, 1), "c": r.choice("abc")},
        "prediction": int(score(number, i) > 0.5),
        "score": score(number, i),
    }


def label(number, i, r):
    """The label of a row of some panes ago, or its correction; every fifth pane does badly."""
    asked = max(number - r.choice([1, 1, 2, 5]), 0)
    right = r.random() < (0.6 if asked % 5 == 0 else 0.9 - 0.4 * changed(asked))
    return {
        "model": "m",
        "prediction_id": f"{asked}-{i}",
        "timestamp": T0 + number * PANE,
        "label": int((score(asked, i) > 0.5) == right),
        "revision": number,
    }


def records(offset, time, values):
    """Records of one log."""
    return [Record(offset=offset + i, timestamp=time, value=v) for i, v in enumerate(values)]


def counted(profiler, number):
    """What the profiler writes after one more pane."""
    r, now = random.Random(number), T0 + number * PANE
    for log, made in (("predictions", prediction), ("labels", label)):
        few = log == "labels" and number % 5 == 2  # too few to be judged alone
        values = [orjson.dumps(made(number, i, r)) for i in range(FEW if few else ROWS)]
        profiler.step(log, records(number * ROWS, now, values))
    for log in LOGS:
        profiler.tick(log, now + PANE)
    return [output.value for output in profiler.flush() if output.topic == "journal"]


@pytest.mark.parametrize("panes", [150, pytest.param(270, marks=pytest.mark.slow)])
def test_a_monitor_with_full_memories_is_restored(panes):
    """Restarted every few panes for hundreds of them, it says word for word the same."""
    config = Config.model_validate({"models": {"m": MODEL}})
    role, profiler = MonitorRole(config, {}), ProfilerRole(config, {}).fresh(0, 1)
    steady, restarted = role.fresh(0, 1), role.fresh(0, 1)
    kinds, offset = set(), 0
    for number in range(panes):
        entries = counted(profiler, number)
        for monitor in (steady, restarted):
            monitor.step("journal", records(offset, T0 + number * PANE, entries))
        offset += len(entries)
        expected = steady.flush()
        assert expected == restarted.flush(), number
        if number % EVERY == 0:
            restarted = role.restored(0, 1, restarted.snapshot())
        for output in expected:
            kinds.add(output.topic)
            if output.topic == "references":
                profiler.adopt(output.value)
    assert steady.snapshot() == restarted.snapshot()
    assert {"readings", "drift-events", "alerts", "retrain-requests", "references"} == kinds
