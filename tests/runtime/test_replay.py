"""Replay: the same totals whatever the chunks, the partitions and the crashes."""

import random

import orjson
import pytest

from streams.runtime.recordings.labels import MatchedLabels
from streams.runtime.recordings.mapping import Columns
from streams.runtime.recordings.recording import Recording
from streams.runtime.replay import Replay
from tests.runtime.counting import CountingMonitors, CountingProfilers

ROWS = 700
MODEL_EVENTS = 1  # end_of_stream, in each partition's log of model events


@pytest.fixture
def recording(tmp_path):
    """Predictions 0..699, and a label for each but every tenth, in another order."""
    predictions = tmp_path / "predictions.csv"
    lines = [f"p{i},{i % 7},{'ab'[i % 2]},{i}" for i in range(ROWS)]
    predictions.write_text("\n".join(["id,x,c,prediction", *lines]) + "\n")
    labels = tmp_path / "labels.csv"
    rows = [f"p{i},{i % 2}" for i in range(ROWS) if i % 10]
    random.Random(5).shuffle(rows)
    labels.write_text("\n".join(["id,y", *rows]) + "\n")
    return lambda block_rows=64: Recording(
        predictions, model="m", labels=labels, columns=Columns(every=1000), block_rows=block_rows
    )


def run(recording, **options):
    replay = Replay(CountingProfilers(), CountingMonitors(), **options)
    outputs = list(replay.run(recording.chunks(), ["m"]))
    return replay, outputs


def rows_of(replay):
    return replay.monitor.total()["rows"]


@pytest.mark.parametrize("partitions", [1, 3, 16])
@pytest.mark.parametrize("block_rows", [1, 37, 5000])
@pytest.mark.parametrize("step_rows", [1, 100, 4096])
def test_every_row_is_counted_once(recording, partitions, block_rows, step_rows):
    """Neither block size, step size nor partitions change what is counted."""
    replay, outputs = run(recording(block_rows), partitions=partitions, step_rows=step_rows)
    total = replay.monitor.total()
    assert ROWS == total["rows"]["predictions"]
    assert sum(range(ROWS)) == total["sums"]["predictions"]
    letters = [output for output in outputs if output.topic == "dead-letters"]
    labels = [output for output in letters if b'"label"' in output.value]
    assert ROWS - ROWS // 10 == len(labels)  # the counting machine takes only predictions


@pytest.mark.parametrize("seed", range(8))
def test_crashes_change_nothing(recording, seed):
    """A turn may break off at any of its points: the totals stand as without."""
    expected = run(recording())[0].monitor.total()
    chance = random.Random(seed)
    points = [None, None, "stepped", "appended", "stored"]
    replay, _ = run(recording(), crash=lambda turn: chance.choice(points), partitions=2)
    assert expected == replay.monitor.total()


def test_outputs_repeat_byte_for_byte(recording):
    """Two replays of one recording say the same in the same order."""
    assert run(recording())[1] == run(recording())[1]


def test_logs_do_not_depend_on_the_block_size(recording):
    """Block sizes move the cuts between chunks and nothing else."""

    def written(block_rows):
        logs = {}
        for chunk in recording(block_rows).chunks():
            for log, entries in chunk.entries.items():
                rows = zip(entries.times, entries.keys, entries.values, strict=True)
                logs.setdefault(log, []).extend(rows)
        return logs

    assert written(1) == written(64) == written(5000)


def test_labels_follow_their_predictions(recording):
    """A label without a time takes its prediction's, and comes in the same chunk."""
    for chunk in recording(64).chunks():
        times = (
            dict(
                zip(
                    chunk.entries["predictions"].keys,
                    chunk.entries["predictions"].times,
                    strict=True,
                )
            )
            if "predictions" in chunk.entries
            else {}
        )
        labels = chunk.entries["labels"]
        assert list(labels.times) == [times[key] for key in labels.keys]


def test_labels_no_prediction_asks_for_are_handed_over(tmp_path):
    """With little room for labels ahead, orphans give way; each label comes out exactly once."""
    predictions = tmp_path / "p.csv"
    predictions.write_text("id,prediction\n" + "".join(f"p{i},1\n" for i in range(50)))
    labels = tmp_path / "l.csv"
    ids = [f"q{i}" for i in range(20)] + [f"p{i}" for i in reversed(range(50))]
    labels.write_text("id,label\n" + "".join(f"{text},1\n" for text in ids))
    recording = Recording(predictions, model="m", labels=labels, block_rows=10)
    assert isinstance(recording._labels, MatchedLabels)
    recording._labels._held = 5
    found = [
        orjson.loads(value)["prediction_id"]
        for chunk in recording.chunks()
        for value in chunk.entries["labels"].values
    ]
    assert sorted(ids) == sorted(found)


@pytest.mark.parametrize("held", [3, 20, 1000])
def test_missing_labels_do_not_shift_the_others(tmp_path, held):
    """Where every third label never comes, the others still come with their predictions."""
    predictions = tmp_path / "p.csv"
    predictions.write_text("id,prediction\n" + "".join(f"p{i},1\n" for i in range(300)))
    labels = tmp_path / "l.csv"
    labels.write_text("id,label\n" + "".join(f"p{i},1\n" for i in range(300) if i % 3))
    recording = Recording(predictions, model="m", labels=labels, block_rows=7)
    recording._labels._held = held
    times, found = {}, {}
    for chunk in recording.chunks():
        entries = chunk.entries
        if "predictions" in entries:
            times |= zip(entries["predictions"].keys, entries["predictions"].times, strict=True)
        found |= zip(entries["labels"].keys, entries["labels"].times, strict=True)
    assert {b"p%d" % i: times[b"p%d" % i] for i in range(300) if i % 3} == found


def test_a_delay_moves_labels_and_their_timestamps(tmp_path):
    """A label delayed by two rows comes two rows later and says so itself."""
    path = tmp_path / "p.csv"
    path.write_text("prediction,label\n" + "".join(f"{i},{i}\n" for i in range(6)))
    recording = Recording(
        path, model="m", columns=Columns(every=1000), label_delay=2000, block_rows=1
    )
    chunks = list(recording.chunks())
    assert [0, 0, 1, 1, 1, 1, 2] == [len(chunk.entries["labels"].times) for chunk in chunks]
    first = orjson.loads(chunks[2].entries["labels"].values[0])
    assert {"label": 0, "prediction_id": "0", "model": "m"} == {
        name: first[name] for name in ("label", "prediction_id", "model")
    }
    assert chunks[2].entries["predictions"].times[0] == first["timestamp"]


def test_the_end_is_told_to_every_log(recording):
    """Each log of each partition ends with an end_of_stream event of the model."""
    replay, _ = run(recording(), partitions=2)
    for log in ("predictions", "labels", "metrics", "model-events"):
        for partition in range(2):
            end = replay._log.end(log, partition)
            (record,) = replay._log.read(log, partition, end - 1, 5)
            assert "end_of_stream" == orjson.loads(record.value)["type"]
            assert ("ce_type", b"windage.model-event.v1") in record.headers
