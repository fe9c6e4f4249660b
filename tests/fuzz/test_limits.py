"""Limits of the config act: the same input with another limit has another outcome."""

import orjson
import pytest
from pydantic import ValidationError

from schemas.config import Config
from schemas.log import Record
from streams.learning import Bounds, LearningRows, build_grid
from streams.runtime.roles import ProfilerRole
from tests.monitor.absence import T0, config, replayed, stream

MINUTE = 60_000


def letters(limits, **changes):
    """The codes of dead letters of one prediction, ten minutes ahead of its broker."""
    event = {
        "model": "m",
        "prediction_id": "p",
        "timestamp": T0 + 10 * MINUTE,
        "prediction": 1,
        "features": {"x": 1.0},
    }
    profiler = ProfilerRole(config(limits), {}).fresh(0, 1)
    value = orjson.dumps(event | changes)
    profiler.step("predictions", [Record(offset=0, timestamp=T0, key=None, value=value)])
    return [
        dict(one.headers)["windage.error.code"].decode()
        for one in profiler.flush()
        if one.topic == "dead-letters"
    ]


@pytest.mark.parametrize(
    ("limits", "changes", "expected"),
    [
        ({}, {}, ["future_timestamp"]),
        ({"future": "11m"}, {}, []),
        ({"future": "11m"}, {"timestamp": T0 + 12 * MINUTE}, ["future_timestamp"]),
        ({"future": "11m", "event": 60, "batch": 60}, {}, ["too_large"]),
        ({"future": "11m", "features": 1}, {"features": {"x": 1.0, "y": 2.0}}, ["schema"]),
    ],
)
def test_a_limit_refuses_what_the_next_larger_one_takes(limits, changes, expected):
    assert expected == letters(limits, **changes)


def model(**rest):
    """Two segmentations by tags and one by the bins of a feature."""
    segments = ["region", "shop", {"feature": "x", "edges": [0.5]}]
    limits = rest.pop("limits", {})
    one = {"task": "none", "features": {"x": "numeric", "c": "categorical"}, "segments": segments}
    return Config.model_validate({"limits": limits, "models": {"m": one | rest}}).models["m"]


ROWS = LearningRows(
    features={"x": [0.1, 0.9] * 30, "c": ["a"] * 40 + ["b"] * 15 + ["c"] * 5},
    predictions=[None] * 60,
    scores=[None] * 60,
    tags={
        "region": ["eu"] * 30 + ["us"] * 20 + ["br"] * 10,
        "shop": [f"s{number % 20}" for number in range(60)],
    },
)


@pytest.mark.parametrize(
    ("most", "regions", "shops"),
    [(200, ("br", "eu", "us"), 20), (5, ("br", "eu", "us"), 0), (4, ("eu", "us"), 0), (2, (), 0)],
)
def test_segments_are_named_up_to_the_limit(most, regions, shops):
    """Of all segmentations together: declared bins, then the most frequent values."""
    grid = build_grid("m", model(), ROWS, Bounds(segments=most))
    found = {one.name: one for one in grid.segments}
    assert regions == found["region"].values
    assert shops == len(found["shop"].values)
    assert (0.5,) == found["x"].edges


@pytest.mark.parametrize(
    ("rows", "expected"), [(20, ("a",)), (10, ("a", "b")), (1, ("a", "b", "c"))]
)
def test_categories_are_named_from_so_many_rows_on(rows, expected):
    grid = build_grid("m", model(), ROWS, Bounds(category_rows=rows))
    assert expected == next(one for one in grid.features if one.name == "c").categories


def test_more_declared_bins_than_segments_are_a_fault_of_the_config():
    with pytest.raises(ValidationError, match=r"more than limits\.segments, 1"):
        model(limits={"segments": 1})


def test_the_limits_reach_what_is_learned():
    """Through both machines: with three segments at most, the fourth is `other`."""
    rows = [
        (at, value.replace(b'"version"', b'"tags":{"region":"r%d"},"version"' % (i % 4)))
        for i, (at, value) in enumerate(stream(1_500))
    ]

    def names(limits):
        said = replayed(rows, config(limits, clock="event", segments=["region"]))
        return {one["segment"] for one in said["readings"]} - {"*", ""}

    assert {"region=r0", "region=r1", "region=r2", "region=r3"} <= names({})
    assert {"region=r0", "region=r1", "region=other"} >= names({"segments": 2})
