"""Declared monitors: detectors that a config adds, through the whole of both machines."""

import json
from collections import Counter

import numpy as np
import orjson
import pytest

from schemas.config import Config
from streams.monitor.declared.declaration import budgeted
from streams.runtime.assembly import open_replay
from streams.runtime.recordings.recording import Chunk
from streams.runtime.recordings.rows import FIRST_INSTANT, Entries

PANE, ROWS = 100, 12_000
EVERY = 600
MOVED_AT = 6_000
ALL = (
    *("psi", "ks", "js", "wasserstein", "chi2", "hellinger"),
    *("adwin", "page_hinkley", "control_chart", "shiryaev_roberts", "trend", "river:KSWIN"),
)


def config(*monitors, **more):
    model = {
        "task": "none",
        "pane": "1m",
        "lateness": "0s",
        "clock": "event",
        "labels": "none",
        "reference": {"from": "first", "rows": 3000, "min_duration": "0s"},
        "features": {"x": "numeric", "y": "numeric"},
        "monitors": list(monitors),
        **more,
    }
    return Config.model_validate({"version": 1, "models": {"m": model}})


def chunks(shift, seed=3):
    """Rows of two independent normal features; x moves at row 6,000."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, ROWS))
    x[MOVED_AT:] += shift
    times = [FIRST_INSTANT + EVERY * i for i in range(ROWS)]
    values = [
        orjson.dumps(
            {
                "model": "m",
                "version": "1",
                "prediction_id": str(i),
                "timestamp": times[i],
                "features": {"x": a, "y": b},
                "prediction": 0,
            }
        )
        for i, (a, b) in enumerate(zip(x.tolist(), y.tolist(), strict=True))
    ]
    keys = [str(i).encode() for i in range(ROWS)]
    entries = {"predictions": Entries(times=times, keys=keys, values=values)}
    return [Chunk(entries=entries, last=times[-1])]


def run(made, shift=1.0, crash=None):
    """The outputs by topic."""
    replay = open_replay(made, {}, crash=crash, step_rows=1000)
    out = {}
    for output in replay.run(chunks(shift), ["m"]):
        if output.topic == "references":
            continue
        identity = dict(output.headers).get("ce_id")
        out.setdefault(output.topic, {})[identity] = json.loads(output.value)
    return {topic: list(found.values()) for topic, found in out.items()}


@pytest.fixture(scope="module")
def moved():
    """Return the outputs of a run in which x moves by one deviation, under every detector."""
    return run(everything())


def everything():
    """Every detector on both features, with run lengths that sixty panes can show."""
    monitors = ({"watch": "feature:*", "detector": name} for name in ALL)
    return config(*monitors, false_alarms="1 per 2h")


def readings(outputs, signal, detector):
    return [r for r in outputs["readings"] if (r["signal"], r["detector"]) == (signal, detector)]


@pytest.mark.parametrize("detector", sorted(set(ALL) - {"shiryaev_roberts", "river:KSWIN"}))
def test_every_detector_is_read_and_finds_a_lasting_change(moved, detector):
    found = readings(moved, "feature:x", detector)
    assert any(r["breach"] for r in found)
    assert not any(r["breach"] for r in readings(moved, "feature:y", detector))
    filling = 19 if detector == "trend" else 0  # a slope waits for a full window
    assert (ROWS - 3000) // PANE - filling == len(found)


def test_one_change_is_one_incident_whatever_watches_it(moved):
    opened = [a for a in moved["alerts"] if a["status"] == "firing"]
    assert 1 == len({a["incident_id"] for a in opened})
    assert {"feature:x"} == {s["signal"] for a in opened for s in a["signals"]}


def test_without_a_change_nothing_is_said():
    outputs = run(everything(), shift=0.0)
    assert [] == outputs.get("alerts", [])


def test_a_crash_changes_nothing(moved):
    again = run(everything(), crash=lambda turn: "stored" if turn in (4, 9) else None)
    first, second = (Counter(map(json.dumps, one["readings"])) for one in (moved, again))
    assert 0 == (first - second).total() + (second - first).total()


def test_a_limit_of_a_distance_is_in_its_own_unit():
    """A shift of .5 has a Kolmogorov-Smirnov distance of .2: below .4 it is no breach."""
    for least, expected in ((0.1, True), (0.4, False)):
        made = config({"watch": "feature:x", "detector": "ks", "yellow": least})
        found = readings(run(made, shift=0.5), "feature:x", "ks")
        assert expected == any(r["breach"] for r in found)


def test_declared_series_share_the_one_budget():
    made = config(
        {"watch": "feature:*", "detector": "psi"},
        {"watch": "feature:x", "detector": "adwin", "segments": ["*"]},
        {"watch": "metric:ctr", "detector": "page_hinkley"},
    ).models["m"]
    assert 3 * 1 + 1 == budgeted(made, ["feature:x", "feature:y"], ["*"])
    assert 0 == budgeted(config().models["m"], ["feature:x"], ["*"])
