"""Readers: what odd files say, said in JSON."""

import gzip
from datetime import UTC, datetime

import orjson
import pytest

from streams.runtime.recordings.cells import TextColumn, literal, number
from streams.runtime.recordings.files import FileError, open_table
from streams.runtime.recordings.mapping import Columns, assign
from streams.runtime.recordings.recording import Recording

NOON = 1_600_000_000_000


def records(path, columns=None, **options):
    """The predictions and labels in a file, decoded."""
    recording = Recording(path, model="m", columns=columns, **options)
    out = {"predictions": [], "labels": []}
    for chunk in recording.chunks():
        for log, rows in out.items():
            if log in chunk.entries:
                rows.extend(orjson.loads(value) for value in chunk.entries[log].values)
    return out


def csv_file(tmp_path, text, name="f.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", "1"), ("-1.50", "-1.50"), ("007", "7"), ("+3", "3"), (".5", "0.5"), ("1.", "1"),
        (" 2 ", "2"), ("1e5", "1e5"), ("-0", "-0"), ("00", "0"), ("inf", "1e999"),
        ("-Infinity", "-1e999"), ("1_000", None), ("0x1", None), ("", None), ("one", None),
        ("1,5", None), ("٣", None),
    ],
)  # fmt: skip
def test_numbers_as_json(text, expected):
    """A number is written as JSON wants it, and nothing else is a number."""
    assert expected == number(text)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "", "3.5"], ["1", "null", "3.5"]),
        (["", "NA", "nan"], ["null", "null", "null"]),
        (["NA", "DE", ""], ['"NA"', '"DE"', "null"]),
        (["1", "2", "two"], ['"1"', '"2"', '"two"']),
        (["1"] * 199 + ["oops"], ["1"] * 199 + ['"oops"']),
        (['say "hi"\\', "é\n"], ['"say \\"hi\\"\\\\"', '"é\\n"']),
        (["0.1000000000000000055", "1"], ["0.1000000000000000055", "1"]),
        ([], []),
        (["1"] * 199 + ["1,234"], ["1"] * 199 + ['"1,234"']),
    ],
)
def test_a_column_has_one_type(cells, expected):
    """Numbers stay as written, empty is null, a column with words is of words."""
    assert expected == list(TextColumn().literals(cells))


def test_a_type_once_decided_stays():
    """A column of numbers does not become one of texts in its second block, nor the reverse."""
    numbers, words = TextColumn(), TextColumn()
    numbers.literals(["1", "2"])
    words.literals(["a", "b"])
    assert ['"x"', "3"] == list(numbers.literals(["x", "3"]))
    assert ['"1"', '"2"'] == list(words.literals(["1", "2"]))


def test_an_empty_first_block_decides_nothing():
    """A column that begins empty gets its type from the first cells that are not."""
    column = TextColumn()
    assert ["null", "null"] == list(column.literals(["", "NaN"]))
    assert ['"a"'] == list(column.literals(["a"]))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"), (True, "true"), (3, "3"), (0.25, "0.25"), (float("nan"), "null"),
        (float("inf"), "1e999"), ("a\n", '"a\\n"'), ([1, 2], "[1,2]"),
        (datetime(2020, 1, 1, tzinfo=UTC), '"2020-01-01T00:00:00+00:00"'),
    ],
)  # fmt: skip
def test_typed_values_as_json(value, expected):
    """Values that have types keep them."""
    assert expected == literal(value)


def test_a_plain_file(tmp_path):
    """Roles by usual names, the rest are features, timestamps made from row numbers."""
    path = csv_file(tmp_path, "id,age,city,prediction,score,label\n1,20,X,1,.5,0\n2,,Y,0,0.25,\n")
    found = records(path, Columns(every=1000))
    assert [
        {
            "model": "m", "version": "1", "prediction_id": "1", "timestamp": 1577836800000,
            "features": {"age": 20, "city": "X"}, "prediction": 1, "score": 0.5,
        },
        {
            "model": "m", "version": "1", "prediction_id": "2", "timestamp": 1577836801000,
            "features": {"age": None, "city": "Y"}, "prediction": 0, "score": 0.25,
        },
    ] == found["predictions"]  # fmt: skip
    assert [{"model": "m", "prediction_id": "1", "label": 0, "timestamp": 1577836800000}] == found[
        "labels"
    ]


def test_features_only(tmp_path):
    """Without a prediction column the prediction is null; ids are row numbers."""
    found = records(csv_file(tmp_path, "a,b\n1,2\n3,4\n"))
    assert [("0", None), ("1", None)] == [
        (row["prediction_id"], row["prediction"]) for row in found["predictions"]
    ]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffa,b\r\n1,2\r\n",
        "a;b\n1;2\n",
        "a\tb\n1\t2",
        'a,b\n"1","2"\n',
        "a,b\n1,2\n\n",
        "a,b\n1,2,3\n",
    ],
    ids=["bom and crlf", "semicolons", "tabs", "quotes", "blank line", "a cell too many"],
)
def test_one_table_many_spellings(tmp_path, text):
    """The same table comes out of all of them."""
    found = records(csv_file(tmp_path, text))
    assert [{"a": 1, "b": 2}] == [row["features"] for row in found["predictions"]]


def test_a_short_row_is_padded(tmp_path):
    """Missing cells at the end of a row are missing values."""
    table = open_table(csv_file(tmp_path, "a,b\n1\n3,4\n"))
    (block,) = table.blocks()
    assert [["1", "3"], ["null", "4"]] == [list(block.literals(name)) for name in "ab"]
    assert 1 == table.uneven


def test_bytes_that_are_no_text_are_replaced(tmp_path):
    """A stray Latin-1 byte costs its character, not the file."""
    found = records(csv_file(tmp_path, b"city,n\nK\xf6ln,1\n"))
    assert "K\ufffdln" == found["predictions"][0]["features"]["city"]


def test_names_become_names_of_the_contract(tmp_path):
    """Characters the contract does not allow become underscores, none twice."""
    found = records(csv_file(tmp_path, "user age,user-age,user%age,user_age\n1,2,3,4\n"))
    features = found["predictions"][0]["features"]
    assert {"user_age": 1, "user-age": 2, "user_age_2": 3, "user_age_3": 4} == features


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1600000000", NOON), ("1600000000.5", NOON + 500), ("1600000000000", NOON),
        ("1600000000000000", NOON), ("1600000000000000000", NOON),
        ("2020-09-13T12:26:40Z", NOON), ("2020-09-13 12:26:40", NOON),
        ("2020-09-13T14:26:40+02:00", NOON), ("2020-09-13", NOON - 44_800_000),
    ],
)  # fmt: skip
def test_instants(tmp_path, cell, expected):
    """Seconds, milli-, micro-, nanoseconds and ISO texts are one instant."""
    found = records(csv_file(tmp_path, f"timestamp,x\n{cell},1\n"))
    assert [expected] == [row["timestamp"] for row in found["predictions"]]


def test_a_cell_that_is_no_instant_is_left_to_the_profiler(tmp_path):
    """It keeps its text, and the broker time of the row before."""
    path = csv_file(tmp_path, "timestamp,x\n1600000000,1\nyesterday,2\n1600000001,3\n")
    (chunk, _) = Recording(path, model="m").chunks()
    entries = chunk.entries["predictions"]
    assert [NOON, NOON, NOON + 1000] == entries.times
    assert "yesterday" == orjson.loads(entries.values[1])["timestamp"]


def test_row_numbers_are_no_instants(tmp_path):
    """A column of small numbers named as the time is refused with advice."""
    with pytest.raises(FileError, match="--every"):
        records(csv_file(tmp_path, "t,x\n0,1\n"), Columns(timestamp="t"))


def test_gzip(tmp_path):
    """A gzipped file is the file."""
    path = tmp_path / "f.csv.gz"
    path.write_bytes(gzip.compress(b"a\n1\n2\n"))
    assert 2 == len(records(path)["predictions"])
    assert 2 == open_table(path).count()


def test_a_broken_gzip_says_so(tmp_path):
    """A file cut off in the middle is an error with its name, not a short table."""
    whole = gzip.compress(b"a\n" + b"1\n" * 50_000)
    path = tmp_path / "f.csv.gz"
    path.write_bytes(whole[: len(whole) - 10])
    with pytest.raises(FileError, match=r"f\.csv\.gz"):
        records(path)


def test_json_lines(tmp_path):
    """Keys may be absent; a line that is no object is handed on for the profiler to refuse."""
    lines = b'{"id":7,"x":1.5,"tag":"a","v":[1,2]}\n{"id":8,"x":null}\nnot json\n\n[1]\n'
    path = csv_file(tmp_path, lines, "f.jsonl")
    (chunk, _) = Recording(path, model="m").chunks()
    values = chunk.entries["predictions"].values
    assert [b"not json", b"[1]"] == values[2:]
    rows = [orjson.loads(value) for value in values[:2]]
    assert [{"x": 1.5, "tag": "a", "v": [1, 2]}, {"x": None, "tag": None, "v": None}] == [
        row["features"] for row in rows
    ]
    assert [b"7", b"8", None, None] == chunk.entries["predictions"].keys


def test_records_of_the_contract_pass_as_they_are(tmp_path):
    """Lines that are prediction records already keep their bytes."""
    line = (
        b'{"model":"m","version":"9","prediction_id":"a","timestamp":1600000000000,"features":{}}'
    )
    path = csv_file(tmp_path, line + b"\n", "f.jsonl")
    (chunk, _) = Recording(path, model="m").chunks()
    assert [line] == chunk.entries["predictions"].values
    assert [NOON] == chunk.entries["predictions"].times


def test_lines_that_are_nearly_records_are_rows_of_their_features(tmp_path):
    """Events as a service logs them: what the contract says beside the features is none."""
    line = (
        b'{"prediction_id":"a","version":"9","features":{"x":1.5,"v":[1,2]},"tags":{"t":"u"},'
        b'"prediction":1,"label":0}\n'
    )
    (chunk, _) = Recording(csv_file(tmp_path, line, "f.jsonl"), model="m").chunks()
    (row,) = map(orjson.loads, chunk.entries["predictions"].values)
    assert {"x": 1.5, "v": [1, 2]} == row["features"]
    assert ("a", 1) == (row["prediction_id"], row["prediction"])
    assert [0] == [orjson.loads(value)["label"] for value in chunk.entries["labels"].values]


def test_parquet(tmp_path):
    """Types, nulls and instants come through."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    at = datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)
    table = pa.table(
        {
            "id": [1, 2],
            "timestamp": pa.array([at, at], pa.timestamp("ns", "UTC")),
            "x": [1.5, None],
            "c": ["a", "b"],
            "prediction": [True, False],
        }
    )
    parquet.write_table(table, tmp_path / "f.parquet")
    found = records(tmp_path / "f.parquet")["predictions"]
    assert [NOON, NOON] == [row["timestamp"] for row in found]
    assert [{"x": 1.5, "c": "a"}, {"x": None, "c": "b"}] == [row["features"] for row in found]
    assert [True, False] == [row["prediction"] for row in found]
    assert 2 == open_table(tmp_path / "f.parquet").count()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("f.csv", b"", "empty"),
        ("f.csv", b"a,a\n1,2\n", "named twice: a"),
        ("f.xls", b"a", "unknown kind"),
        ("f.jsonl", b"nothing\n", "no JSON object"),
        ("f.parquet", b"nothing", "f.parquet"),
        ("f.csv.gz", b"not gzip", "f.csv.gz"),
    ],
)
def test_files_that_are_no_tables(tmp_path, name, content, says):
    """The error names the file and what is wrong."""
    with pytest.raises(FileError, match=says):
        open_table(csv_file(tmp_path, content, name))


def test_an_absent_file(tmp_path):
    """It is said, with its path."""
    with pytest.raises(FileError, match="no such file"):
        open_table(tmp_path / "none.csv")
    with pytest.raises(FileError, match="is a directory"):
        open_table(tmp_path)


def test_a_wrong_column_name_gets_the_nearest():
    """The error names the column that was meant."""
    with pytest.raises(FileError, match="did you mean 'score'"):
        assign(["id", "score"], Columns(score="scor"))


def test_a_column_has_one_role():
    """A column named for two things is an error."""
    with pytest.raises(FileError, match="two roles"):
        assign(["a", "b"], Columns(prediction="a", label="a"))


def test_a_label_column_beside_a_labels_file_is_no_feature(tmp_path):
    """The truth must not be watched as a feature of its own prediction."""
    path = csv_file(tmp_path, "id,x,label\n1,5,1\n")
    labels = csv_file(tmp_path, "id,label\n1,1\n", "l.csv")
    found = records(path, labels=labels)
    assert {"x": 5} == found["predictions"][0]["features"]
    assert 1 == len(found["labels"])


def test_labels_with_a_time_of_their_own(tmp_path):
    """They come when their time has come, in the order of the file."""
    path = csv_file(tmp_path, "id,timestamp,x\n1,1600000000,1\n2,1600000010,1\n")
    labels = csv_file(tmp_path, "id,timestamp,y\n1,1600000005,1\n2,1600000099,0\n", "l.csv")
    recording = Recording(path, model="m", labels=labels, block_rows=1)
    counts = [len(chunk.entries["labels"].times) for chunk in recording.chunks()]
    assert [0, 1, 1] == counts
