"""What a drift looks like, through the whole product, on columns that nothing was tuned on.

Its shape, its breadth over the parts of a segmentation, parts that move apart, panes that swing.
Another seed by WINDAGE_SEED.
"""

import os
from collections import Counter

import numpy as np
import pytest

from tests.quality import shapes
from tests.quality.told import config, tell

SEED = int(os.environ.get("WINDAGE_SEED", "57"))
PANE, REFERENCE, BEFORE, AFTER = 50, 4000, 2000, 6000
YEAR = 365 * 86_400
REGIONS = tuple("abcdefgh")


def random(*of):
    """A generator of one test."""
    return np.random.default_rng([SEED, *of])


def moved(size, panes):
    """Standard deviations by which rows have moved: at once (0), or over so many panes."""
    since = np.arange(REFERENCE + BEFORE + AFTER) - REFERENCE - BEFORE
    climb = np.clip((since + 1) / max(1, panes * PANE), 0, 1)
    return size * (since >= 0) * (climb if panes else 1)


def shapes_of(size, panes, seed):
    """How often each shape is said of six columns that move at once, by their last events."""
    rng = random(1, seed)
    normal = rng.normal(size=(6, REFERENCE + BEFORE + AFTER))
    columns = {f"x{i}": x + moved(size, panes) for i, x in enumerate(normal)}
    told = tell(config(PANE, REFERENCE, 1, YEAR), columns)
    return Counter({one["signal"]: one["shape"] for one in told.drift}.values())


@pytest.mark.parametrize("size", [0.5, pytest.param(1.0, marks=pytest.mark.slow)])
def test_a_step_is_sudden(size):
    """Of a hundred some four are not called so; of six at most two."""
    said = shapes_of(size, 0, 1)
    assert 6 == said.total()
    assert said["sudden"] >= 4


@pytest.mark.slow
def test_a_climb_that_is_still_seen_when_severity_rises_is_gradual():
    """Two standard deviations over 60 panes: yellow first, red on the way, so it is said twice."""
    assert shapes_of(2.0, 60, 2)["gradual"] >= 4


def broad(share, seed):
    """Alerts after a column has moved by .8 in so many of the regions."""
    rng = random(2, seed)
    rows = REFERENCE + BEFORE + AFTER
    region = rng.choice(np.array(REGIONS[:4], object), rows)
    chosen = np.isin(region, REGIONS[: int(4 * share)])
    x = rng.normal(size=rows) + np.where(chosen, moved(0.8, 0), 0.0)
    wanted = config(PANE, REFERENCE, 1, YEAR, segments=[{"feature": "region"}])
    return tell(wanted, {"x": x, "region": region}).alerts


@pytest.mark.parametrize(("share", "said"), [(1.0, "uniform"), (0.5, "localised")])
def test_all_parts_or_some(share, said):
    """The alert says so, and so does its sentence, as soon as the parts have rows enough."""
    alerts = broad(share, 1)
    assert {"covariate_drift"} == {one["triage"]["class"] for one in alerts}
    last = alerts[-1]
    assert said == last["breadth"]
    assert said in last["summary"]


def answered(by, seed, level=0.0):
    """Everything said of a model that is right in 80 % of the rows; of odd regions `by` more."""
    rng = random(3, seed)
    rows = 8000 + 16_000
    region = rng.integers(0, 8, rows)
    after = np.arange(rows) >= 8000 + 2000
    wrong = 0.2 + after * (np.where(region % 2, -by, by) + level)
    score = rng.random(rows)
    prediction = (score > 0.5).astype(int)
    label = np.where(rng.random(rows) < wrong, 1 - prediction, prediction)
    wanted = config(
        200,
        8000,
        1,
        YEAR,
        task="binary",
        labels={"horizon": "1000s"},
        segments=[{"feature": "region"}],
    )
    names = np.array(REGIONS, object)[region]
    return tell(wanted, {"region": names}, prediction=prediction, score=score, label=label)


def spreads(told):
    """Events of the spread."""
    return [one for one in told.drift if one["signal"] == "metric:spread:region"]


def test_parts_that_gain_what_others_lose_are_said():
    """One incident of fairness; the sentence names both quartiles."""
    told = answered(0.12, 1)
    opened, *rest = spreads(told)
    assert ("opened", "fairness", "quartiles") == (
        opened["transition"],
        opened["kind"],
        opened["detector"]["name"],
    )
    assert '"p75" rose' in opened["explanation"]
    assert '"p25" fell' in opened["explanation"]
    assert "opened" not in {one["transition"] for one in rest}
    assert [] == [one for one in told.drift if one["segment"] == "*" and one["signal"] == "error"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("level", [0.0, 0.12])
def test_neither_rest_nor_a_level_is_a_spread(level, seed):
    assert [] == spreads(answered(0.0, seed, level))


@pytest.mark.slow
@pytest.mark.parametrize("size", [0.3, 0.5, 1.0])
def test_few_steps_are_called_gradual(size):
    """Of 60 columns that step at most a tenth, at the proof and at the last look."""
    one = shapes.said(size, 0, 60, SEED)
    assert 60 == one.found
    assert max(one.at_proof, one.at_last) <= 0.1


@pytest.mark.slow
def test_most_long_climbs_are_called_gradual_in_the_end():
    """One standard deviation over 50 panes."""
    assert shapes.said(1.0, 50, 40, SEED).at_last >= 0.9


def swung(by, seed, level=0.0):
    """Everything said of a model that is wrong in .2 of the rows; in turn `by` more and less."""
    rng = random(4, seed)
    rows, pane = 8000 + 26_000, 200
    after = np.arange(rows) >= 8000 + 2000
    turns = np.where(np.arange(rows) // (2 * pane) % 2, by, -by)
    score = rng.random(rows)
    prediction = (score > 0.5).astype(int)
    label = np.where(rng.random(rows) < 0.2 + after * (turns + level), 1 - prediction, prediction)
    wanted = config(pane, 8000, 1, YEAR, task="binary", labels={"horizon": "1000s"})
    columns = {"x": rng.normal(size=rows)}
    return tell(wanted, columns, prediction=prediction, score=score, label=label)


def test_panes_that_are_better_and_worse_in_turn_are_said():
    """As performance, beside whatever else notices; nothing is to be learned from it."""
    told = swung(0.1, 1)
    opened, *_ = (one for one in told.drift if one["signal"] == "spread")
    assert ("performance_drop", "quartiles") == (opened["kind"], opened["detector"]["name"])
    assert "over panes" in opened["explanation"]
    effect = opened["detector"]["effect"]
    assert 0.15 < effect["current"] < 0.25, "between the quartiles of both levels"
    alert = next(one for one in told.alerts if one["incident_id"] == opened["incident_id"])
    assert alert["triage"]["class"] in ("performance_drop", "concept_drift", "calibration_drift")


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.0, 0.1])
def test_a_level_that_stays_or_moves_is_no_swing(level):
    """It is an error that moved, or nothing at all."""
    told = swung(0.0, 2, level)
    assert [] == [one for one in told.drift if one["signal"] == "spread"]
    assert bool(level) == any(one["signal"] == "error" for one in told.drift)
