"""Lists in recordings: told from the file alone, judged by the order of their items."""

import json
import random

import pytest

from schemas.config_model import ModelConfig
from streams.learning import LearningRows, build_grid

ROWS, WORSE_AT = 1_600, 1_000


@pytest.fixture
def recording(tmp_path):
    """Return a file of lists and clicks in one; the order becomes chance at row 1,000."""
    r = random.Random(3)
    lines = []
    for row in range(ROWS):
        items = [float(r.random() < 0.3) for _ in range(r.randint(5, 15))]
        noise = 1.0 if row >= WORSE_AT else 0.4
        items.sort(key=lambda one: -one + noise * r.gauss(0, 1))
        event = {"query": f"q{row}", "shown": [f"d{i}" for i in range(len(items))]}
        lines.append(json.dumps(event | {"words": r.gauss(3, 1), "clicks": items}))
    path = tmp_path / "lists.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_recording_of_lists_is_a_ranking(windage, recording):
    """Nothing has to be said of it but which columns are what; the fall is found, and no other."""
    columns = ("--id", "query", "--prediction", "shown", "--label", "clicks", "--every", "1s")
    ended = windage("replay", recording, *columns, "--json")
    assert 0 == ended.code
    assert "task ranking" in ended.err
    assert "refused" not in ended.err
    told = [json.loads(line) for line in ended.out.splitlines()]
    drift = [one["data"] for one in told if one["type"] == "windage.drift.v1"]
    opened = [one for one in drift if one["transition"] == "opened"]
    assert {"error", "metric:ndcg"} == {one["signal"] for one in opened}
    first = min(one["time"] for one in told if one["type"] == "windage.alert.v1")
    assert "2020-01-01T00:16:40Z" < first < "2020-01-01T00:21:40Z"
    readings = [one["data"] for one in told if one["type"] == "windage.reading.v1"]
    last = {one["signal"]: one["statistic"] for one in readings if one["detector"] == "window"}
    assert 0.5 < last["metric:average_precision"] < last["metric:ndcg"] < 0.85


def test_the_lengths_of_lists_are_learned_of_lists_and_of_numbers():
    """Of a file they come as they stand in it; without any a ranking is counted all the same."""
    model = ModelConfig(task="ranking")
    made = [
        build_grid("m", model, LearningRows({}, shown, [None] * len(shown), {}))
        for shown in ([["a"] * n for n in (3, 3, 5, 5)], [3, 3.0, 5, 5], [None] * 4)
    ]
    assert [(3.0, 5.0, 5.0), (3.0, 5.0, 5.0), (0.0, 0.0)] == [one.target.edges for one in made]


def test_lists_are_no_classes():
    """Where a config says that there are classes, the records of lists are refused."""
    rows = LearningRows({}, [["a"], "b", ["c"], "a", "b"], [None] * 5, {})
    grid = build_grid("m", ModelConfig(task="binary"), rows)
    assert ("a", "b") == grid.target.categories
