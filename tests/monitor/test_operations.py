"""Figures counted with the predictions: a declared monitor of them alerts like any other."""

import json

import numpy as np
import pytest

from streams.runtime.assembly import open_replay
from tests.monitor.test_declared import config
from tests.monitor.timed import timed

PANES, ROWS, SLOW_AT = 120, 30, 90


def run(slower, watch="metric:latency_ms_p95"):
    """The outputs by topic; latency is `slower` times longer from pane 90 on."""
    rng = np.random.default_rng(8)
    n = PANES * ROWS
    latency = rng.lognormal(3, 0.3, n)
    latency[SLOW_AT * ROWS :] *= slower
    x = rng.normal(size=n)
    made = config({"watch": watch, "detector": "control_chart"}, false_alarms="1 per 2h")
    out = {}
    chunk = timed(x, latency, rows=ROWS)
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
