"""Ever new names: memory stays where it was, the rest is `other`, and there is one alert."""

import orjson
import pytest

from schemas.config import Config
from schemas.config_model import ModelConfig
from schemas.journal import LearningBatch, decode
from schemas.log import Record
from streams.learning import MOST_FEATURES, LearningRows, build_grid
from streams.runtime.roles import ProfilerRole
from tests.fuzz.flood import MODEL, T0, Flood

GROWTH_MB = 64
VERSIONS = 1_000
"""What limits.versions allows by default."""


@pytest.fixture
def flood():
    """Both machines, with normal rows behind them."""
    return Flood()


def new_names(number):
    """A segment of its own for each row, and one of 100,000 categories."""
    region = f"segment {number}"
    return {"features": {"x": 0.5, "c": f"c{number % 100_000}"}, "tags": {"region": region}}


@pytest.mark.parametrize(
    "rows", [30_000, pytest.param(1_000_000, marks=pytest.mark.slow)], ids=["short", "million"]
)
def test_new_segments_and_categories(flood, rows):
    """All are counted, none is kept, and one alert says that the values are unknown."""
    flood.pour(10_000, new_names)
    states, peak = flood.sizes()[:2], flood.sizes()[2]
    flood.pour(rows, new_names)
    counted = flood.profiler.accounting()["predictions"].counted
    assert 12_000 + 10_000 + rows == counted
    assert {} == flood.codes
    after = flood.sizes()
    assert all(now < 2 * before for now, before in zip(after[:2], states, strict=True))
    assert after[2] - peak < GROWTH_MB
    (alert,) = flood.alerts.values()
    assert "feature:c" in {one["signal"] for one in alert["signals"]}


@pytest.mark.parametrize(
    "rows", [10_000, pytest.param(100_000, marks=pytest.mark.slow)], ids=["short", "all"]
)
def test_new_models_are_refused(flood, rows):
    """Each is a dead letter, nothing is kept of their names, and one alert says so."""
    before = flood.sizes()
    flood.pour(rows, lambda number: {"model": f"m{number}"})
    assert {"unknown_model": rows} == flood.codes
    after = flood.sizes()
    assert all(now < 2 * was for now, was in zip(after[:2], before[:2], strict=True))
    assert after[2] - before[2] < GROWTH_MB
    (alert,) = flood.alerts.values()
    assert ["input_quality"] == [one["signal"] for one in alert["signals"]]
    assert "unknown_model" in alert["summary"]


def test_new_versions_are_refused_beyond_the_limit(flood):
    """The first are counted, the rest are refused as `cardinality`; those known go on."""
    flood.pour(4_000, lambda number: {"version": f"v{number}"})
    assert {"cardinality": 4_000 - (VERSIONS - 1)} == flood.codes
    alerts = [one for one in flood.alerts.values() if one["triage"]["class"] == "data_quality"]
    assert ["input_quality"] == [one["signals"][0]["signal"] for one in alerts]
    flood.pour(100, lambda _: {"version": "1"})
    assert {"cardinality": 4_000 - (VERSIONS - 1)} == flood.codes


def test_new_features_are_not_kept(flood):
    """Names beyond the declared features are read past, five hundred in each row."""
    before = flood.sizes()

    def wide(number):
        return {"features": {"x": 0.5, **{f"f{number}_{i}": i for i in range(400)}}}

    flood.pour(300, wide)
    assert {} == flood.codes
    assert flood.sizes()[2] - before[2] < GROWTH_MB


def test_rows_that_share_no_names_make_no_wide_batch():
    """While features are found by themselves, batches to learn from stay small."""
    config = Config.model_validate({"models": {"m": {**MODEL, "features": "auto"}}})
    profiler = ProfilerRole(config, {}).fresh(0, 1)
    records = [
        Record(
            offset=i,
            timestamp=T0,
            key=None,
            value=orjson.dumps(
                {
                    "model": "m",
                    "prediction_id": f"p{i}",
                    "timestamp": T0,
                    "prediction": 1,
                    "features": {f"f{i}_{j}": j for j in range(300)},
                }
            ),
        )
        for i in range(400)
    ]
    profiler.step("predictions", records)
    lessons = [decode(out.value) for out in profiler.flush() if out.topic == "journal"]
    batches = [one for one in lessons if isinstance(one, LearningBatch)]
    assert list(range(400)) == [offset for one in batches for offset in one.offsets]
    assert all(len(one.features) * len(one.offsets) <= 2_000_000 for one in batches)


def test_a_grid_has_few_features_of_its_own():
    """Of thousands of names, those that most rows have."""
    columns = {f"rare{i}": [1.5, None, None] for i in range(2_000)} | {"usual": [1.5, 2.5, 3.5]}
    rows = LearningRows(columns, [0, 1, 0], [0.1, 0.2, 0.3], {})
    grid = build_grid("m", ModelConfig(task="binary"), rows)
    assert MOST_FEATURES == len(grid.features)
    assert "usual" in {feature.name for feature in grid.features}
