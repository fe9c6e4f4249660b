"""Profiler and monitor in replay and in the embedded runtime say the same (laws 1 to 4)."""

import random
from pathlib import Path

import orjson
import pytest

from schemas.load import load_text
from streams.runtime.assembly import open_embedded, open_replay
from streams.runtime.recordings.mapping import Columns
from streams.runtime.recordings.recording import Recording
from streams.runtime.recordings.reference import build_reference
from streams.runtime.replay import END_HEADERS
from streams.runtime.roles import counting

CONFIG = """
version: 1
models:
  m:
    task: binary
    pane: 100s
    lateness: 0s
    clock: event
    labels: {horizon: 1d}
    segments: [{feature: city}]
    reference: {from: first, rows: 3000, min_duration: 0s}
    false_alarms: 1 per 30d
"""
UNNAMED = CONFIG.replace("  m:\n", '  "*":\n')
COLUMNS = Columns(id="id", every=1000)
ROWS = 6000
DRIFT = 4000


def write_rows(path, rows, drift, seed):
    """Two numbers and a city; from row `drift` on the first number is larger by one sd."""
    chance = random.Random(seed)
    lines = ["id,x,y,city,prediction,score,label"]
    for row in range(rows):
        x = chance.gauss(1.0 if row >= drift else 0.0, 1.0)
        score = min(max(chance.gauss(0.5, 0.2), 0.01), 0.99)
        label = int(chance.random() < score)
        city = chance.choice(["rome", "oslo"])
        lines.append(
            f"{row},{x:.6f},{chance.random():.6f},{city},{int(score > 0.5)},{score:.6f},{label}"
        )
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Predictions with a drift, and a reference without."""
    folder = tmp_path_factory.mktemp("files")
    write_rows(folder / "rows.csv", ROWS, DRIFT, 1)
    write_rows(folder / "reference.csv", 5000, 5000, 2)
    return folder


@pytest.fixture(scope="module")
def config():
    """One binary model under event time."""
    return loaded(CONFIG)


def loaded(text):
    return load_text(text, {}, lambda path: Path(path).read_text())


@pytest.fixture(scope="module")
def known(files, config):
    """The baseline of the reference file, by model."""
    model = config.models["m"]
    built = build_reference(
        "m", model, counting("m", model, config), files / "reference.csv", COLUMNS
    )
    return {"m": built}


def recorded(files, block_rows=512):
    return Recording(files / "rows.csv", model="m", columns=COLUMNS, block_rows=block_rows)


def replayed(files, config, known, block_rows=512, **options):
    replay = open_replay(config, known, **options)
    return said(replay.run(recorded(files, block_rows).chunks(), ["m"]))


def said(outputs):
    """Events once by id, in order, without what may differ: `sequence` and evidence offsets."""
    found = {}
    for output in outputs:
        headers = dict(output.headers)
        if "ce_id" in headers:
            event = orjson.loads(output.value)
            event.pop("sequence", None)
            event.pop("evidence", None)
            repeated = found.setdefault(headers["ce_id"], (output.topic, event))
            assert (output.topic, event) == repeated, "one id never has two payloads"
    return list(found.values())


@pytest.fixture(scope="module")
def expected(files, config, known):
    """What a plain replay says."""
    return replayed(files, config, known)


def test_the_drift_is_found_and_nothing_before(expected):
    """The recording is worth something: exactly one incident, after the drift."""
    events = [event for topic, event in expected if topic == "drift-events"]
    assert ["feature:x"] == sorted({event["signal"] for event in events})
    assert all(event["current"]["window"]["end"] > "2020-01-01T01:06" for event in events)
    assert 0 < sum(topic == "readings" for topic, _ in expected)


@pytest.mark.parametrize(
    "options",
    [
        {"step_rows": 1000},
        {"step_rows": 37},
        {"block_rows": 6000},
        {"block_rows": 101},
        {"partitions": 4},
        {"partitions": 3, "step_rows": 99},
    ],
    ids=str,
)
def test_chunks_and_partitions_change_nothing(files, config, known, expected, options):
    """Laws 1 and 4."""
    assert expected == replayed(files, config, known, **options)


@pytest.mark.parametrize("seed", range(3))
def test_crashes_change_nothing(files, config, known, expected, seed):
    """Law 2, at every point of a turn."""
    chance = random.Random(seed)
    points = [*[None] * 7, "stepped", "appended", "stored"]
    crash = lambda turn: chance.choice(points)
    assert expected == replayed(files, config, known, partitions=2, crash=crash)


@pytest.fixture
def restart(config, tmp_path):
    """Return a function that ends the runtime there is, if any, and opens the next."""
    open_now = []

    def opened(known):
        for runtime in open_now:
            runtime.stop()
        open_now[:] = [open_embedded(config, known, tmp_path)]
        return open_now[0]

    yield opened
    for runtime in open_now:
        runtime.stop()


def feed(runtime, chunk):
    """Append a chunk to the embedded log, with broker time as replay has it."""
    for log, entries in chunk.entries.items():
        rows = zip(entries.keys, entries.values, entries.times, strict=True)
        runtime.append_many([runtime.entry(log, key, value, (), at) for key, value, at in rows])


def end(runtime, last):
    value = orjson.dumps({"model": "m", "type": "end_of_stream", "timestamp": last, "id": "end"})
    for log in ("predictions", "labels", "metrics", "model-events"):
        runtime.append(log, b"m", value, END_HEADERS, last)


def everything(runtime):
    topics = ("readings", "drift-events", "alerts", "retrain-requests", "rollback-requests")
    records = {topic: runtime.outputs(topic, limit=100_000) for topic in topics}
    ids = [dict(one.headers).get("ce_id") for each in records.values() for one in each]
    assert len(set(ids)) == len(ids), "every output stands once"
    return {
        topic: said(
            [
                type("Read", (), {"topic": topic, "headers": r.headers, "value": r.value})
                for r in each
            ]
        )
        for topic, each in records.items()
    }


def by_topic(events):
    topics = ("readings", "drift-events", "alerts", "retrain-requests", "rollback-requests")
    return {topic: [one for one in events if one[0] == topic] for topic in topics}


def test_embedded_says_what_replay_says(files, known, expected, restart):
    """Law 3, over restarts in the middle; and every output stands once."""
    runtime = restart(known)
    for number, chunk in enumerate(recorded(files, 700).chunks()):
        feed(runtime, chunk)
        runtime.run_until_idle()
        if number % 3 == 2:
            runtime = restart(known)
        last = chunk.last
    end(runtime, last)
    runtime.run_until_idle()
    assert by_topic(expected) == everything(runtime)
    assert ROWS + 1 == runtime.accounting()["predictions"]["read"]


def learning(files, config, **options):
    replay = open_replay(config, {}, **options)
    return said(replay.run(recorded(files).chunks(), ["m"]))


def test_learning_changes_with_nothing_either(files, config):
    """A grid learned from the stream makes it read again, whatever chunks and partitions."""
    expected = learning(files, config)
    assert any(topic == "readings" for topic, _ in expected)
    assert expected == learning(files, config, step_rows=77)
    assert expected == learning(files, config, partitions=3)


@pytest.mark.parametrize("seed", range(2))
def test_crashes_while_learning_change_nothing(files, config, seed):
    """Law 2, from the first row on and across the moment the grid appears."""
    chance = random.Random(seed)
    points = [*[None] * 7, "stepped", "appended", "stored"]
    crash = lambda turn: chance.choice(points)
    assert learning(files, config) == learning(files, config, crash=crash)


def test_a_restart_after_learning(files, config, restart):
    """What was learned is in the log: the snapshot counted on it can be used again."""
    runtime = restart({})
    for chunk in recorded(files, 700).chunks():
        feed(runtime, chunk)
        runtime.run_until_idle()
        runtime = restart({})
        last = chunk.last
    end(runtime, last)
    runtime.run_until_idle()
    assert by_topic(learning(files, config)) == everything(runtime)


def test_a_model_that_is_not_named_is_judged_as_if_it_were(files, config, tmp_path):
    """With `models: {"*": ...}` replay and embedded say the same, restarted after learning."""
    expected, unnamed = learning(files, config), loaded(UNNAMED)
    assert expected == learning(files, unnamed, partitions=3)
    runtime = open_embedded(unnamed, {}, tmp_path)
    for number, chunk in enumerate(recorded(files, 700).chunks()):
        feed(runtime, chunk)
        runtime.run_until_idle()
        if number == 6:
            runtime.stop()
            runtime = open_embedded(unnamed, {}, tmp_path)
        last = chunk.last
    end(runtime, last)
    runtime.run_until_idle()
    found = everything(runtime)
    runtime.stop()
    assert by_topic(expected) == found


def test_a_state_is_read_on_by_a_config_that_counts_the_same(files, tmp_path):
    """Another promise changes nothing that was counted, nor does the old config after it."""
    chunk = next(iter(recorded(files).chunks()))
    runtime = open_embedded(loaded(CONFIG), {}, tmp_path)
    feed(runtime, chunk)
    runtime.run_until_idle()
    runtime.stop()
    rows = len(chunk.entries["predictions"].keys)
    for text in (CONFIG.replace("1 per 30d", "2 per 30d"), CONFIG):
        runtime = open_embedded(loaded(text), {}, tmp_path)
        assert rows == runtime.accounting()["predictions"]["counted"]
        runtime.stop()
