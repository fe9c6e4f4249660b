"""Many events in one call: frames of many kinds, and the records they become."""

import io
import json

import numpy as np
import pyarrow as pa
import pytest

import windage
from windage.batches import ARROW, JSON, RECORD_BYTES
from windage.composing import Composer, Message
from windage.composing_many import labels, predictions
from windage.counts import Counts
from windage.identity import partition_of
from windage.privacy import Privacy

IDS = ["a", "b", "c"]


class Frame:
    """As pandas.DataFrame, as far as it is asked: `columns` and columns by name."""

    def __init__(self, columns):
        self._columns = {name: np.array(column) for name, column in columns.items()}
        self.columns = list(columns)

    def __getitem__(self, name):
        return self._columns[name]


COLUMNS = {"x": [1.0, 2.0, 3.0], "city": ["rome", "oslo", "rome"]}
FRAMES = {
    "mapping": COLUMNS,
    "arrays": {name: np.array(column) for name, column in COLUMNS.items()},
    "frame": Frame(COLUMNS),
    "arrow": pa.table(COLUMNS),
    "rows": [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)],
}


@pytest.fixture
def pub():
    """A publisher into memory."""
    with windage.InMemoryPublisher(model="m", version="1") as made:
        yield made


@pytest.fixture
def composer():
    """What publishers compose with."""
    return Composer("m", "1", Privacy(), Counts())


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_frames_of_many_kinds_say_the_same(pub, frame):
    """As one call for each row would."""
    assert IDS == pub.predictions(frame, [1, 0, 1], [0.9, 0.1, 0.8], ids=IDS)
    many = [dict(event, timestamp=0) for event in pub.events["predictions"]]
    pub.events["predictions"].clear()
    for i, pid in enumerate(IDS):
        row = {name: column[i] for name, column in COLUMNS.items()}
        pub.prediction(row, [1, 0, 1][i], [0.9, 0.1, 0.8][i], id=pid)
    assert many == [dict(event, timestamp=0) for event in pub.events["predictions"]]


def test_an_array_needs_names(pub):
    """Two dimensions, one name a column."""
    array = np.array([[1.0, 2.0], [3.0, np.nan]])
    pub.predictions(array, [0, 1], names=["u", "v"])
    assert [{"u": 1.0, "v": 2.0}, {"u": 3.0, "v": None}] == [
        event["features"] for event in pub.events["predictions"]
    ]
    with pytest.raises(windage.ArgumentError, match="names= must name the 2 columns"):
        pub.predictions(array, [0, 1])


def test_columns_named_are_taken_out_of_the_features(pub):
    """Prediction, score, ids, instants and tags by their names in the frame."""
    frame = {
        "x": [1, 2],
        "p": [0, 1],
        "s": [0.2, 0.7],
        "key": ["k1", "k2"],
        "at": ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"],
        "region": ["eu", "us"],
    }
    ids = pub.predictions(
        frame, "p", "s", ids="key", timestamp="at", tags={"where": "region"}, role="shadow"
    )
    assert ["k1", "k2"] == ids
    expected = {
        "model": "m",
        "version": "1",
        "prediction_id": "k2",
        "timestamp": "2026-01-01T00:00:01Z",
        "prediction": 1,
        "score": 0.7,
        "role": "shadow",
        "features": {"x": 2},
        "tags": {"where": "us"},
    }
    assert expected == pub.events["predictions"][1]
    assert "key" in frame


def test_a_bad_row_is_left_out_and_counted():
    """The others stand; all ids come back in order."""
    with windage.InMemoryPublisher(model="m", version="1", strict=False) as pub:
        ids = pub.predictions({"x": [1, 2, 3]}, [1, float("nan"), 0], ids=IDS)
        pub.labels(ids, [1, 0, None])
    assert IDS == ids
    assert ["a", "c"] == [event["prediction_id"] for event in pub.events["predictions"]]
    assert ["a", "b"] == [event["prediction_id"] for event in pub.events["labels"]]
    assert {"bad_argument": 2} == pub.counts.reasons


def made(composer, form, rows=20_000):
    ids = [f"p{n}" for n in range(rows)]
    rng = np.random.default_rng(1)
    frame = {"x": rng.random(rows), "city": np.array(["rome", "oslo"])[rng.integers(0, 2, rows)]}
    given = {"prediction": [n % 2 for n in range(rows)], "score": rng.random(rows)}
    return predictions(composer, form, frame, given, ids=ids, tags=None, names=None).items


def read(kind, value):
    """The rows of one record."""
    if kind == ARROW:
        return pa.ipc.open_stream(io.BytesIO(value)).read_all().to_pylist()
    batch = json.loads(value)
    columns = batch["columns"]
    features = columns.pop("features")
    return [
        {
            "model": batch["model"],
            "version": batch["version"],
            **{name: column[i] for name, column in columns.items()},
            "features": {name: column[i] for name, column in features.items()},
        }
        for i in range(len(columns["prediction_id"]))
    ]


@pytest.mark.parametrize(("form", "kind"), [("arrow", ARROW), ("columns", JSON)])
def test_records_hold_the_ids_of_one_partition(composer, form, kind):
    """Each row once, where its id belongs, in records that are not too large."""
    seen = []
    for item in made(composer, form):
        assert kind == item.kind
        for partition, value in item.parts(4):
            assert len(value) <= RECORD_BYTES
            rows = read(kind, value)
            assert {partition} == {partition_of(r["prediction_id"].encode(), 4) for r in rows}
            seen += [r["prediction_id"] for r in rows]
    assert sorted(f"p{n}" for n in range(20_000)) == sorted(seen)


@pytest.mark.parametrize("form", ["arrow", "columns"])
def test_records_say_what_single_events_say(composer, form):
    """Field by field; instants are typed in Arrow."""
    single = [json.loads(item.value) for item in made(composer, "rows", 50)]
    (item,) = made(composer, form, 50)
    ((_, value),) = item.parts()
    for expected, row in zip(single, read(item.kind, value), strict=True):
        del expected["timestamp"], row["timestamp"]
        assert expected == row


def test_columns_in_json_are_the_batch_form_of_the_contract(composer):
    """As checked by whoever receives them."""
    for item in made(composer, "columns", 10):
        for _, value in item.parts():
            windage.assert_valid_event(value)
    (item,) = labels(composer, "columns", IDS, [1, 0, 1], {"source": "feedback"}).items
    ((_, value),) = item.parts()
    windage.assert_valid_event(value, topic="labels")
    assert ["feedback"] * 3 == json.loads(value)["columns"]["source"]


def test_columns_of_mixed_types_are_sent_as_json(composer):
    """Arrow has one type a column."""
    given = {"prediction": [1, 0]}
    (item,) = predictions(
        composer, "arrow", {"x": [1, "one"]}, given, ids=None, tags=None, names=None
    ).items
    assert JSON == item.kind


def test_rows_are_single_records_with_their_key(composer):
    """The form that every reader of the topic understands."""
    items = made(composer, "rows", 3)
    assert all(isinstance(item, Message) for item in items)
    assert [b"p0", b"p1", b"p2"] == [item.key for item in items]


@pytest.mark.parametrize("form", ["arrow", "columns", "rows"])
@pytest.mark.parametrize(
    "lists",
    [
        [[0, 2, 1], [1.5], []],
        [np.array([0.0, 1.0]), np.array([2, 0, 0]), [0.0]],
        [["d1", "d2"], ["d3"], []],
        [["d1", 2], ["d3"], []],
        [[], [], []],
    ],
    ids=["numbers", "arrays", "texts", "mixed", "empty"],
)
def test_lists_of_rankings_are_what_single_events_say(composer, form, lists):
    """Of relevances, scores and ids; what Arrow has no type for goes as JSON."""
    from schemas.tables import of_arrow, of_columns

    given = {"prediction": lists, "timestamp": [1, 2, 3]}
    frame = {"x": [1.0, 2.0, 3.0]}
    made = predictions(composer, form, frame, given, ids=IDS, tags=None, names=None).items
    expected = [np.asarray(one).tolist() if hasattr(one, "tolist") else one for one in lists]
    if form == "rows":
        found = [json.loads(one.value)["prediction"] for one in made]
    else:
        (item,) = made
        ((_, value),) = item.parts()
        table = (
            of_arrow(value, "ms", 1 << 20) if item.kind == ARROW else of_columns(json.loads(value))
        )
        found = list(table.fields["prediction"])
    assert expected == found


def test_labels_of_rankings_go_as_lists_of_arrow(composer):
    """A mapping from id to relevances; a row whose list has a hole is left out."""
    told = {"a": [0, 2], "b": [1.5], "c": [float("nan")]}
    (item,) = labels(composer, "arrow", told, None, {}).items
    ((_, value),) = item.parts()
    assert ARROW == item.kind
    rows = pa.ipc.open_stream(io.BytesIO(value)).read_all().to_pylist()
    assert [[0, 2], [1.5]] == [row["label"] for row in rows]
    assert {"bad_argument": 1} == composer.counts.reasons
