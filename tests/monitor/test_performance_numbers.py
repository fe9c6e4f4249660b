"""Regression: residuals are judged as the signal `error`, and metrics follow them."""

import msgspec
import numpy as np
import pytest

from schemas.grid import Grid, Layout, SignalGrid
from streams.monitor.lane import Lane
from streams.monitor.outcomes.blocks import Blocks
from streams.monitor.watch import Part
from streams.monitor.watches.performance import Performance
from streams.policy.family import family_of
from tests.monitor.closing import PANE, closing
from tests.monitor.outcomes import learned, said

TARGET = SignalGrid(
    name="target",
    type="numeric",
    edges=tuple(np.linspace(-30, 30, 21).tolist()),
    center=0.0,
    scale=10.0,
)
GRID = Grid(
    model="m",
    task="regression",
    features=(SignalGrid(name="c", type="categorical", categories=("a",)),),
    target=TARGET,
)
LAYOUT = Layout(GRID)
ROWS = 400


def outcomes(rng, bias=0.0, spread=1.0, level=0.0):
    """An outcomes' vector of labels of sd 10 and residuals of sd 2 x `spread`."""
    labels = rng.normal(level, 10, ROWS)
    guesses = labels + rng.normal(bias, 2 * spread, ROWS)
    out = np.zeros(LAYOUT.width("outcomes"), np.int64)
    one = {"groups": np.zeros(ROWS, np.intp), "n_groups": 1}
    cells = LAYOUT.target.codes(labels), LAYOUT.residuals.codes(guesses - labels)
    for name, codes in zip(("label", "error"), cells, strict=True):
        block = LAYOUT.outcomes[name]
        out[block.span] = np.bincount(codes, minlength=block.width)
    out[LAYOUT.outcomes["residual"].span] = LAYOUT.regression.count(guesses, labels, **one)[0]
    out[LAYOUT.outcomes["percentage"].span] = LAYOUT.percentage.count(guesses, labels, **one)[0]
    out[LAYOUT.outcomes["delay"].span] = LAYOUT.delay.count(np.full(ROWS, 5.0 * PANE), **one)[0]
    return out


def judged(change, panes=40):
    """What lane and performance say of each of the panes after a change."""
    rng = np.random.default_rng(21)
    made = learned(LAYOUT, [outcomes(rng) for _ in range(40)])
    lane, watch = Lane.outcomes(made), Performance(made)
    for number in range(panes):
        part = Part("1", "*", number, late=False, vector=outcomes(rng, **change))
        pane = closing(number, outcomes=[part], cohorts=[part])
        findings = lane.close(pane)
        pane.findings.extend(findings)
        yield [*pane.findings, *watch.close(pane)]


def first_alarm(change):
    """The first finding of the error that alarms, with the metric beside it."""
    for findings in judged(change):
        seen = next((f for f in findings if f.signal == "error" and f.alarm), None)
        if seen is not None and seen.role == "alert":
            return seen, said(findings, "metric:mae", "window")
    return None, None


def test_without_a_change_nothing_alarms():
    assert (None, None) == first_alarm({})


@pytest.mark.parametrize("change", [{"bias": 1.0}, {"bias": -1.0}, {"spread": 1.6}])
def test_residuals_that_shift_or_spread_are_concept_drift(change):
    seen, metric = first_alarm(change)
    assert "concept_drift" == family_of(seen.signal, seen.symptom)
    assert metric.alarm == (metric.effect.fall > 0)
    assert metric.effect.fall > 0


def test_residuals_that_shrink_are_a_suspicion_of_the_data():
    seen, metric = first_alarm({"spread": 0.4})
    assert "gain" == seen.symptom
    assert "data_quality" == family_of(seen.signal, seen.symptom)
    assert metric.effect.fall < 0
    assert not metric.alarm


def test_errors_of_numbers_are_read_with_their_quantiles():
    *_, findings = judged({}, 6)
    told = {
        name: said(findings, f"metric:{name}", "window").statistic
        for name in ("mae", "rmse", "r2", "bias", "residual_p10", "residual_p50", "residual_p90")
    }
    assert {
        "mae": pytest.approx(2 * np.sqrt(2 / np.pi), rel=0.1),
        "rmse": pytest.approx(2, rel=0.1),
        "r2": pytest.approx(0.96, abs=0.02),
        "bias": pytest.approx(0, abs=0.2),
        "residual_p10": pytest.approx(-2.56, rel=0.3),
        "residual_p50": pytest.approx(0, abs=0.5),
        "residual_p90": pytest.approx(2.56, rel=0.3),
    } == told
    assert said(findings, "metric:accuracy") is None


def test_shares_of_the_label_are_read_where_labels_are_far_from_nothing():
    """Residuals of sd 2 around labels of about 100: about 1.6 %."""
    *_, findings = judged({"level": 100.0}, 6)
    seen = said(findings, "metric:mape", "window")
    assert seen.statistic == pytest.approx(2 * np.sqrt(2 / np.pi) / 100, rel=0.05)
    assert seen.effect.low < seen.statistic < seen.effect.high < 0.02


def test_a_reference_from_before_shares_were_counted_has_none():
    """Its vector ends before their block, which is the last one: all else is read as before."""
    rng = np.random.default_rng(23)
    whole = outcomes(rng)
    whole[LAYOUT.outcomes["percentage"].span] = 0
    blocks = Blocks(LAYOUT)
    assert LAYOUT.width("outcomes") == LAYOUT.outcomes["percentage"].span.stop
    assert "mape" not in blocks.metrics(blocks.compact(whole))
    assert "mae" in blocks.metrics(blocks.compact(whole))


def test_no_state_is_lost_between_panes():
    rng = np.random.default_rng(22)
    made = learned(LAYOUT, [outcomes(rng) for _ in range(40)])
    watch = Performance(made)
    for number in range(5):
        part = Part("1", "*", number, late=False, vector=outcomes(rng))
        watch.close(closing(number, outcomes=[part], cohorts=[part]))
        other = Performance(made)
        other.load(watch.save())
        assert watch.save() == other.save()
    assert msgspec.msgpack.decode(watch.save())
