"""Fairness: groups that drift apart are found, groups that always were apart are not."""

import msgspec
import numpy as np
import pytest
from pydantic import ValidationError

from schemas.config_model import ModelConfig
from schemas.grid import Layout, SegmentGrid
from schemas.journal import Sparse
from streams.monitor.watch import Part
from streams.monitor.watches.performance import Performance, alerting
from streams.policy.family import family_of
from tests.monitor.closing import closing
from tests.monitor.outcomes import GRID, LAYOUT, rows, setting

GROUPS = SegmentGrid(name="g", source="tag", values=("a", "b"))
APART = Layout(msgspec.structs.replace(GRID, segments=(GROUPS,)))


def config(**fairness):
    return ModelConfig(
        task="binary",
        pane="1m",
        labels={"horizon": "20m"},
        segments=["g"],
        fairness={"segments": ["g"]} | fairness,
    )


def alarms(first, second, panes=40, **fairness):
    """Signals that alarm within the panes, whose groups are made like this."""
    rng = np.random.default_rng(31)
    reference = {"g=a": rows(rng, 20_000), "g=b": rows(rng, 20_000, low=0.3)}
    made = setting()
    outcomes = {name: Sparse.pack(one.vector) for name, one in reference.items()}
    whole = reference["g=a"].vector + reference["g=b"].vector
    baseline = msgspec.structs.replace(made.baseline, outcomes=outcomes | {"*": Sparse.pack(whole)})
    watch = Performance(
        msgspec.structs.replace(made, layout=APART, config=config(**fairness), baseline=baseline)
    )
    found = set()
    for number in range(panes):
        groups = {"g=a": rows(rng, 400, **first), "g=b": rows(rng, 400, **second)}
        vectors = {name: one.vector for name, one in groups.items()}
        vectors = {"*": vectors["g=a"] + vectors["g=b"], **vectors}
        parts = [Part("1", name, number, late=False, vector=v) for name, v in vectors.items()]
        findings = watch.close(closing(number, outcomes=parts, cohorts=parts))
        found |= {f.signal for f in findings if f.alarm and f.signal.startswith("fairness:")}
    return found


def test_groups_that_were_apart_before_and_still_are_alarm_never():
    assert set() == alarms({}, {"low": 0.3})


def test_labels_that_turn_in_one_group_open_gaps_of_metric_and_calibration():
    found = alarms({}, {"low": 0.3, "flipped": 0.4})
    assert {"fairness:accuracy:g", "fairness:calibration:g"} == found
    assert {"fairness"} == {family_of(signal, "shift") for signal in found}


def test_one_group_called_positive_more_often_is_a_gap_of_the_positive_rate():
    assert "fairness:positive_rate:g" in alarms({}, {"low": 0.45})


def test_a_gap_within_the_tolerance_is_no_alarm():
    assert set() == alarms({}, {"low": 0.3, "flipped": 0.4}, tolerance=0.6)


def test_the_budget_knows_of_declared_groups_only():
    assert 3 == alerting(APART, ("g",)) - alerting(APART)
    assert alerting(APART) == alerting(LAYOUT, ("g",))


def test_groups_must_be_declared_segments():
    with pytest.raises(ValidationError, match="must be one of the segments: g"):
        config(segments=["h"])
