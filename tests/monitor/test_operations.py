"""Figures counted with the predictions: a declared monitor of them alerts like any other."""

import json

import numpy as np
import orjson
import pytest

from streams.runtime.assembly import open_replay
from streams.runtime.recording import Chunk
from streams.runtime.rows import FIRST_INSTANT, Entries
from tests.monitor.test_declared import config

PANES, ROWS, SLOW_AT = 120, 30, 90


def run(slower, watch="metric:latency_ms_p95"):
    """The outputs by topic; latency is `slower` times longer from pane 90 on."""
    rng = np.random.default_rng(8)
    n = PANES * ROWS
    latency = rng.lognormal(3, 0.3, n)
    latency[SLOW_AT * ROWS :] *= slower
    x = rng.normal(size=n)
    times = (FIRST_INSTANT + np.arange(n) * (60_000 // ROWS)).tolist()
    values = [
        orjson.dumps(
            {
                "model": "m",
                "version": "1",
                "prediction_id": str(i),
                "timestamp": times[i],
                "features": {"x": float(x[i]), "y": 1.0},
                "prediction": 0,
                "latency_ms": float(latency[i]),
            }
        )
        for i in range(n)
    ]
    keys = [str(i).encode() for i in range(n)]
    entries = {"predictions": Entries(times=times, keys=keys, values=values)}
    made = config({"watch": watch, "detector": "control_chart"}, false_alarms="1 per 2h")
    out = {}
    chunk = Chunk(entries=entries, last=times[-1])
    for output in open_replay(made, {}, step_rows=1000).run([chunk], ["m"]):
        if output.topic != "references":
            out.setdefault(output.topic, []).append(json.loads(output.value))
    return out


def test_a_latency_that_doubles_opens_an_operational_incident():
    opened = [e for e in run(2.0)["drift-events"] if e["transition"] == "opened"]
    assert {("operational", "metric:latency_ms_p95")} == {(e["kind"], e["signal"]) for e in opened}


def test_a_steady_latency_opens_none():
    assert [] == run(1.0).get("drift-events", [])


@pytest.mark.parametrize("watch", ["metric:sales", "feature:x"])
def test_figures_that_nobody_watches_are_not_made(watch):
    names = {one["signal"] for one in run(1.0, watch)["readings"]}
    assert "metric:latency_ms_p95" not in names
