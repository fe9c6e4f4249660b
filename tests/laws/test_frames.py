"""Plain tables are framed and never cut into rows; whatever a column holds, both ways agree."""

import base64
import datetime as dt
import decimal
import json
import random
import subprocess
import sys

import msgspec
import pyarrow as pa
import pytest

from schemas.envelope import ARROW
from schemas.frames.arrow import ArrowColumn
from schemas.grid import Grid, SignalGrid
from schemas.journal import Profile, decode
from schemas.log import Record
from schemas.tables import TableError, read_arrow
from streams.profiler import Profiler
from tests.laws.test_tables import COUNTING
from tests.laws.world import GRID, MODEL, T0

BIG = 2**53 + 1
N = 6
IDS = [f"p{i}" for i in range(N)]
UTC = dt.UTC
DAY = dt.datetime(2026, 1, 1, tzinfo=UTC)

LISTS = [
    [1, 0, 1, 0, 1, 0],
    [0.5, 3.0, 9.0, 0.1, 1e300, -0.0],
    [0.5, None, 9.0, 0.1, 1, 2],
    ["a", "z", "", "b", "1", "true"],
    ["a", None, "a", "a", "a", "a"],
    [True, False, True, True, False, False],
    [True, 1, 1.0, 0, False, "1"],
    [None] * N,
    [BIG, 1, 2, 3, 4, 5],
    [2**63, 1, 2, 3, 4, 5],
    [1e17, 1, 2, 3, 4, 5],
    [10**30, 1, 2, 3, 4, 5],
    [T0, T0 + 1, T0 - 10**9, T0 + 10**9, T0, T0],
    [T0 / 1000] * N,
    ["2026-01-01T00:00:00Z", "never", "2026-01-01T00:00:00.5Z", "0", "", "1"],
    [[1.0]] * N,
    [{"x": 1}] * N,
    ["x" * 300] * N,
]
"""Values of JSON and of Arrow."""

ARRAYS = [
    *(pa.array([0, 1, 1, 0, None, 1], kind) for kind in (pa.int8(), pa.uint64(), pa.int64())),
    pa.array([0, 1, 1, 0, 1, 2**64 - 1], pa.uint64()),
    *(pa.array([0.5, 1, 3, 9, None, 1], kind) for kind in (pa.float16(), pa.float32())),
    pa.array([0.5, float("nan"), 3, float("inf"), None, -float("inf")]),
    pa.array([0.5, float("nan"), 3, 1, 2, 3]),
    pa.array([0.5, float("inf"), 3, 1, 2, 3]),
    pa.array(["a", "z", None, "b", "1", "true"], pa.large_string()),
    pa.array(["a", "z", "a", None, "1", "true"]).dictionary_encode(),
    pa.array([1, 0, 1, None, 1, 0]).dictionary_encode(),
    pa.array([b"a"] * N),
    pa.array([decimal.Decimal("1.5")] * N),
    pa.array([DAY.date()] * N),
    pa.array([DAY] * N, pa.timestamp("us", "Europe/Paris")),
    pa.array([T0 * 1_000_000 + 1] * N, pa.timestamp("ns")),
    pa.array([T0 // 1000] * N, pa.timestamp("s")),
    pa.array([2**62] * N, pa.timestamp("s")),
    pa.array([None, T0, T0, T0, T0, T0], pa.timestamp("ms")),
    pa.array([-1, T0, T0, T0 + 10**9, T0, T0], pa.timestamp("ms")),
    pa.array([[1], [2], [], [], [], []]),
    pa.array([[("k", 1)]] * N, pa.map_(pa.string(), pa.int64())),
]
"""Arrays that JSON has no word for."""

FIELDS = {
    "predictions": [
        *("prediction_id", "timestamp", "prediction", "score", "model", "version", "role"),
        *("error", "probe_id", "latency_ms", "specversion", "probabilities", "unknown"),
        *(f"features.{name}" for name in ("x", "c", "other", "bad name")),
        *("tags.region", "tags.other"),
    ],
    "labels": [
        *("prediction_id", "timestamp", "label", "model", "revision", "weight", "source"),
        *("annotator", "specversion", "unknown"),
    ],
}


def plain(log):
    """Columns of good events, nested ones by `parent.name`."""
    columns = {"model": [MODEL] * N, "prediction_id": IDS, "timestamp": [T0 + i for i in range(N)]}
    if log == "labels":
        return columns | {"label": [1, 0, 1, 0, 1, 0], "revision": [1] * N}
    return columns | {
        "version": list("112211"),
        "prediction": [1, 0, 1, 0, 1, 0],
        "score": [0.1, 0.9, None, 0.4, 0.5, 0.6],
        "latency_ms": [1.0, None, 3, 4, 5, 6],
        "features.x": [0.5, 3.0, 9.0, None, 0.1, 0.2],
        "features.c": ["a", "z", None, "a", "a", "a"],
        "tags.region": ["e", "x", "e", "x", "e", None],
    }


def nested(columns):
    """`parent.name` as columns within columns."""
    out = {}
    for name, column in columns.items():
        parent, _, inner = name.partition(".")
        if inner:
            out.setdefault(parent, {})[inner] = column
        else:
            out[name] = column
    return out


def arrow(columns, *, cut=False):
    """An Arrow stream, in two batches where it is cut."""
    arrays = {}
    for name, column in nested(columns).items():
        if isinstance(column, dict):
            parts = [pa.array(one) for one in column.values()]
            mask = pa.array([False] * (N - 1) + [cut])
            arrays[name] = pa.StructArray.from_arrays(parts, list(column), mask=mask)
        else:
            arrays[name] = pa.array(column)
    made, sink = pa.table(arrays), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, made.schema) as writer:
        writer.write_table(made, max_chunksize=4 if cut else None)
    return (("content-type", ARROW.encode()),), sink.getvalue().to_pybytes()


def as_json(columns):
    """The batch form in JSON."""
    return (), json.dumps({"columns": nested(columns)}).encode()


def counted(log, tables, *, framed, counting=COUNTING):
    """What becomes of tables: profiles, books, dead letters, and how many were framed."""
    profiler = Profiler({MODEL: counting}, partition=0, partitions=1, grids={MODEL: GRID})
    found = [0]
    for decoder in profiler._models[MODEL].decoders.values():
        if not framed:
            decoder._framer = None
            continue
        original = decoder._framer.frame

        def counting_frame(records, form, original=original):
            made = original(records, form)
            found[0] += len(records) if made else 0
            return made

        decoder._framer.frame = counting_frame
    if log == "labels":
        others = plain("predictions")
        profiler.step("predictions", [Record(offset=0, timestamp=T0, value=as_json(others)[1])])
        found[0] = 0
    records = [
        Record(offset=i, timestamp=T0 + 90 * i, value=value, headers=headers)
        for i, (headers, value) in enumerate(tables)
    ]
    profiler.step(log, records)
    for one in ("predictions", "labels"):
        profiler.tick(one, T0 + 10**10)
    out = profiler.flush()
    entries = [decode(one.value) for one in out if one.topic == "journal"]
    profiles = [(e.key, e.rows, e.vector) for e in entries if isinstance(e, Profile)]
    letters = [(one.value, one.headers) for one in out if one.topic == "dead-letters"]
    return (profiles, profiler.accounting(), letters), found[0]


def agree(log, tables):
    """Both ways give the same; gives how many records were framed."""
    expected, _ = counted(log, tables, framed=False)
    found, framed = counted(log, tables, framed=True)
    assert expected == found
    return framed


@pytest.mark.parametrize("log", ["predictions", "labels"])
def test_plain_tables_are_framed(log):
    """Every form of a good table is framed, in batches, with null structs, many at a time."""
    columns = plain(log)
    tables = [arrow(columns), arrow(columns, cut=True), as_json(columns)]
    assert 3 == agree(log, tables)
    more = [arrow({**columns, "prediction_id": [f"{i}.{n}" for n in IDS]}) for i in range(5)]
    assert 5 == agree(log, more)


ALONE = """
import base64, json, sys
import msgspec
from schemas.counting import Counting
from schemas.grid import Grid
from schemas.log import Record
from streams.profiler import Profiler
counting, grid = msgspec.convert(json.loads(sys.argv[1]), tuple[Counting, Grid])
name, at = counting.model, int(sys.argv[2])
profiler = Profiler({name: counting}, partition=0, partitions=1, grids={name: grid})
headers = (("content-type", sys.argv[3].encode()),)
for log, told in zip(("predictions", "labels"), sys.argv[4:]):
    value = base64.b64decode(told)
    profiler.step(log, [Record(offset=0, timestamp=at, value=value, headers=headers)])
found = profiler.accounting()
here = [one for one in ("pandas", "pyarrow.compute") if one in sys.modules]
print(found["predictions"].counted, found["labels"].counted, here)
"""


def test_plain_arrow_needs_neither_pandas_nor_pyarrows_functions():
    """They would take a worker tens of megabytes, for columns that lie ready in their buffers."""
    regions = {"tags.region": ["e", "x", "yy", "e", "", "e"]}
    tables = [arrow({**plain("predictions"), **regions}), arrow(plain("labels"))]
    told = [base64.b64encode(value).decode() for _, value in tables]
    known = msgspec.json.encode((COUNTING, GRID)).decode()
    arguments = [known, str(T0), ARROW, *told]
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *arguments], capture_output=True, text=True, check=False
    )
    assert "6 6 []" == done.stdout.strip(), done.stderr


def test_texts_are_told_apart_by_all_their_bytes():
    """Few or many, short or long, nulls and zeros among them, in several arrays or slices."""
    r = random.Random(5)
    for _ in range(200):
        longest = r.choice([1, 2, 9, 17, 64, 70])
        some = [
            "".join(r.choices("ab\0é", k=r.randint(0, longest))) for _ in range(r.randint(1, 40))
        ]
        some += [None] * r.choice([0, 0, 2])
        parts = [r.choices(some, k=r.randint(i == 0, 60)) for i in range(r.randint(1, 4))]
        arrays = [pa.array([*parts[0], "x"], pa.string())[: len(parts[0])]]
        arrays += [pa.array(["y", "z", *one], pa.string())[2:] for one in parts[1:]]
        expected = [text for part in parts for text in part]
        codes, values = ArrowColumn(arrays).coded()
        assert expected == [values[code] for code in codes.tolist()]
        assert sorted(map(str, set(expected))) == sorted(map(str, values))


def one_awkward(log, field, values):
    """One awkward column, in every form, alone and with a neighbour; gives how many are framed."""
    columns = {**plain(log), field: values}
    tables = []
    try:
        tables.append(arrow(columns))
    except (pa.ArrowException, OverflowError, TypeError):
        assert isinstance(values, list), "only lists may mix what no array holds"
    if isinstance(values, list):
        tables.append(as_json(columns))
    neighbour = arrow({**plain(log), "prediction_id": [f"n{i}" for i in range(N)]})
    assert 1 <= agree(log, [neighbour, *tables]), "a plain neighbour stays framed"
    return sum(agree(log, [one]) for one in tables)


CASES = [(log, f, v) for log, fields in FIELDS.items() for f in fields for v in LISTS + ARRAYS]


def test_some_awkward_columns_mean_the_same_framed_or_row_by_row():
    """A sample of the awkward columns; those that are plain enough are framed."""
    framed = sum(one_awkward(*case) for case in random.Random(11).sample(CASES, 60))
    assert framed > 10


@pytest.mark.slow
def test_any_awkward_column_means_the_same_framed_or_row_by_row():
    """Each awkward column in each field; those that are plain enough are framed."""
    assert sum(one_awkward(*case) for case in CASES) > 200


def test_random_columns_mean_the_same_framed_or_row_by_row():
    """Several awkward columns at once, and fields left out."""
    r = random.Random(3)
    for _ in range(150):
        log = r.choice(["predictions", "labels"])
        columns = plain(log)
        for field in r.sample(FIELDS[log], r.randint(1, 4)):
            columns[field] = r.choice(LISTS[:12])
        for field in r.sample(sorted(columns), r.choice([0, 0, 1, 2])):
            del columns[field]
        if columns:
            agree(log, [as_json(columns)])


@pytest.mark.parametrize("unit", ["s", "ms", "rfc3339"])
def test_instants_of_columns_have_the_declared_unit(unit):
    """Typed instants are instants in every unit, others as declared."""
    counting = msgspec.structs.replace(COUNTING, timestamps=unit)
    for values in [*LISTS[12:15], *ARRAYS]:
        tables = [arrow({**plain("predictions"), "timestamp": values})]
        if isinstance(values, list):
            tables.append(as_json({**plain("predictions"), "timestamp": values}))
        one, two = (
            counted("predictions", tables, framed=framed, counting=counting)[0]
            for framed in (True, False)
        )
        assert one == two


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_a_compressed_batch_is_refused_before_it_is_unpacked(compression):
    """A batch of megabytes of zeros in few bytes is too large; the limit is that of its content."""
    rows = 200_000
    made = pa.table({"model": [MODEL] * rows, "prediction_id": ["a"] * rows, "x": [0.0] * rows})
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, made.schema, options=options) as writer:
        writer.write_table(made)
    value, most = sink.getvalue().to_pybytes(), made.nbytes
    assert len(value) < most // 2
    assert made.equals(read_arrow(value, most + 64))
    with pytest.raises(TableError, match="unpacked") as refused:
        read_arrow(value, most - 1024)
    assert "too_large" == refused.value.code


def test_any_headers_of_a_stream_are_a_table_or_refused():
    """Bytes changed anywhere in a compressed stream raise nothing but TableError."""
    sink = pa.BufferOutputStream()
    made = pa.table({"a": [1.0] * 50, "b": pa.array(["x"] * 50).dictionary_encode()})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, made.schema, options=options) as writer:
        writer.write_table(made)
    value, r, refused = sink.getvalue().to_pybytes(), random.Random(2), 0
    for _ in range(3000):
        changed = bytearray(value)
        for _ in range(r.randint(1, 3)):
            changed[r.randrange(len(changed))] = r.choice([0, 255, 1, r.randrange(256)])
        try:
            read_arrow(bytes(changed), 1 << 20)
        except TableError:
            refused += 1
    assert refused > 500


@pytest.mark.parametrize("form", ["single", "table"])
def test_a_label_of_a_regression_that_is_no_number_is_one_dead_letter(form):
    """It harms no neighbour, and nobody has to restart anything."""
    target = SignalGrid(name="target", type="numeric", edges=(0.0, 1.0, 2.0), center=1.0)
    grid = Grid(model=MODEL, task="regression", features=(), target=target)
    counting = msgspec.structs.replace(COUNTING, task="regression")
    profiler = Profiler({MODEL: counting}, partition=0, partitions=1, grids={MODEL: grid})
    labels = ["abc", "1.5", 2.5, "nan", 1]
    rows = [
        {"model": MODEL, "prediction_id": f"p{i}", "timestamp": T0, "label": label}
        for i, label in enumerate(labels)
    ]
    if form == "table":
        rows = [{"columns": {name: [row[name] for row in rows] for name in rows[0]}}]
    values = [json.dumps(row).encode() for row in rows]
    profiler.step("labels", [Record(offset=i, timestamp=T0, value=v) for i, v in enumerate(values)])
    letters = [one for one in profiler.flush() if one.topic == "dead-letters"]
    tally = profiler.accounting()["labels"]
    assert (5, 3, 2) == (tally.read, tally.counted, tally.dead_lettered)
    assert (2 if form == "single" else 1) == len(letters)
    assert b"label must be a number" in dict(letters[0].headers)["windage.error.message"]
