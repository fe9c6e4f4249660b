"""What people read of features, scores and speed; figures that move while metrics hold."""

import json

import numpy as np
import pytest

from detectors.grid import NumericGrid
from detectors.quantiles import extremes, quantiles
from schemas.finding import Finding, Measured
from schemas.inputs import Metric
from streams.monitor.watches.business import Business
from streams.monitor.watches.summaries import SUMMARY_PANES
from streams.runtime.assembly import open_replay
from tests.monitor.closing import closing
from tests.monitor.test_declared import config
from tests.monitor.timed import timed

PANES, ROWS = 100, 40
FIRST_JUDGED = 75


@pytest.fixture(scope="module")
def said():
    """Return the rows of a run, and its readings by signal and detector."""
    rng = np.random.default_rng(5)
    n = PANES * ROWS
    x, latency = rng.normal(50, 10, n), rng.lognormal(3, 0.5, n)
    failed = rng.random(n) < 0.1
    replay = open_replay(config(), {}, step_rows=1000)
    readings = {}
    for output in replay.run([timed(x, latency, failed, rows=ROWS)], ["m"]):
        if output.topic == "readings":
            one = json.loads(output.value)
            readings.setdefault((one["signal"], one["detector"]), []).append(one)
    return {"x": x, "latency": latency, "failed": failed}, readings


def last(values):
    """The rows of the newest whole summary."""
    return values[(PANES // SUMMARY_PANES - 1) * SUMMARY_PANES * ROWS :][: SUMMARY_PANES * ROWS]


def test_a_number_is_summed_up_in_its_own_unit(said):
    rows, readings = said
    found, seen = readings["feature:x", "summary"], last(rows["x"])
    assert PANES // SUMMARY_PANES == len(found)
    one = found[-1]
    summary = one["summary"]
    assert SUMMARY_PANES * ROWS == one["current"]["rows"]
    assert seen.mean() == pytest.approx(summary["mean"], abs=0.01)
    assert seen.std(ddof=1) == pytest.approx(summary["sd"], abs=0.01)
    deciles = np.quantile(seen, np.arange(0.1, 1, 0.1))
    assert deciles.tolist() == pytest.approx(summary["deciles"], abs=1.0)
    assert 0 <= summary["outside"] < 0.01
    assert (False, None, "judged") == (one["breach"], one["severity"], one["state"])


def test_latency_and_failures_are_summed_up(said):
    rows, readings = said
    latency = readings["latency_ms", "summary"][-1]
    assert np.quantile(last(rows["latency"]), 0.5) == pytest.approx(latency["statistic"], rel=0.1)
    assert np.quantile(last(rows["latency"]), 0.99) == pytest.approx(
        latency["summary"]["p99"], rel=0.1
    )
    errors = readings["failed", "summary"][-1]
    assert last(rows["failed"]).mean() == pytest.approx(errors["statistic"])


def test_throughput_is_said_at_each_pane(said):
    _, readings = said
    rates = [one["statistic"] for one in readings["volume", "rate"]]
    assert [ROWS / 60] * PANES == pytest.approx(rates)


def test_quantiles_and_extremes_of_cells():
    grid = NumericGrid((0.0, 1.5, 2.0, 4.0))
    counts = np.array([0, 5, 0, 5, 0, 3])
    assert (0.75, 0.75, 3.0) == quantiles(grid, counts, (10, 50, 60))
    assert (0.0, 4.0) == extremes(grid, counts)
    assert (None, 4.0) == extremes(grid, counts + np.array([1, 0, 0, 0, 0, 0]))
    assert () == quantiles(grid, np.zeros(6, int), (50,))


def finding(signal, **more):
    plain = {
        "model": "m",
        "version": "1",
        "segment": "*",
        "signal": signal,
        "detector": "shiryaev_roberts",
        "state": "judged",
        "alarm": False,
        "joins": False,
        "inside": True,
        "symptom": "shift",
        "statistic": 0.0,
        "threshold": 5.0,
        "effect": Measured(),
        "window_start": 0,
        "window_end": 1,
        "rows": 10,
        "reference_id": "r",
        "reference_rows": 100,
    }
    return Finding(**(plain | more))


def metric(direction):
    return Metric(model="m", name="sales", value=1.0, timestamp=0, direction=direction)


def beside(error_alarm, moves, direction="higher_is_better"):
    """The signals said of sales that move while the error alarms or does not."""
    figure = finding(
        "metric:sales", version="", detector="control_chart", alarm=True, direction=moves
    )
    findings = [finding("error", alarm=error_alarm), figure]
    out = Business(None).close(closing(1, metrics=[metric(direction)], findings=findings))
    return [(one.signal, one.role) for one in out]


def test_a_figure_that_falls_while_metrics_hold_is_said():
    assert [("kpi:sales", "context")] == beside(error_alarm=False, moves="down")


def test_not_where_a_metric_of_the_model_falls_too_or_the_figure_improves():
    assert [] == beside(error_alarm=True, moves="down")
    assert [] == beside(error_alarm=False, moves="up")
    assert [] == beside(error_alarm=False, moves="down", direction="lower_is_better")
    assert 1 == len(beside(error_alarm=False, moves="up", direction="lower_is_better"))


def test_what_is_known_of_directions_outlasts_a_restart():
    first, second = Business(None), Business(None)
    first.close(closing(1, metrics=[metric("lower_is_better")], findings=[]))
    second.load(first.save())
    figure = finding("metric:sales", version="", alarm=True, direction="down")
    assert [] == second.close(closing(2, findings=[finding("error"), figure]))
