"""Tables: many rows in one record count as if each had been sent alone, whatever carries them."""

import random

import orjson
import pyarrow as pa
import pytest

from schemas.envelope import ARROW
from schemas.journal import Profile, decode
from schemas.log import Record
from streams.decode import Limits
from streams.profiler import Profiler
from streams.runtime.partitions import partition_of
from tests.laws.paths import any_json, both_paths_agree
from tests.laws.world import GRID, MODEL, T0, World

COUNTING = World((), 6_000, 30_000).roles()[0]._counting[MODEL]
FAR = T0 + 10 * 86_400_000


def rows_of(seed, log, n=120):
    """Random events, some late, repeated, in conflict, corrected, or of no use."""
    r, out = random.Random(seed), []
    for i in range(n):
        at = T0 + i * 400 + r.choice([0, 0, 0, -9_000, -45_000, 10**9])
        row = {"model": MODEL, "prediction_id": f"p{r.randint(0, n)}", "timestamp": at}
        if log == "predictions":
            features = {"x": r.choice([0.5, 3.0, 9.0, None]), "c": r.choice(["a", "z", None])}
            row |= {"version": r.choice("12"), "prediction": r.randint(0, 1), "features": features}
            row |= {"score": r.choice([0.1, 0.9, None]), "tags": {"region": r.choice("ex")}}
        else:
            row |= {"label": r.randint(0, 1), "revision": r.randint(1, 3)}
        out.append(row)
    return out


def table(rows, form):
    """Rows in the batch form: (headers, value)."""
    fields = [name for name in rows[0] if name not in ("features", "tags")]
    columns = {name: [row[name] for row in rows] for name in fields}
    nested = {
        name: {key: [row[name][key] for row in rows] for key in rows[0][name]}
        for name in ("features", "tags")
        if name in rows[0]
    }
    if form == "json":
        del columns["model"]
        return (), orjson.dumps({"model": MODEL, "columns": columns | nested})
    arrays = {name: pa.array(column) for name, column in columns.items()}
    arrays["timestamp"] = pa.array(columns["timestamp"], pa.timestamp("ms"))
    for name, inside in nested.items():
        parts = [pa.array(column) for column in inside.values()]
        arrays[name] = pa.StructArray.from_arrays(parts, list(inside))
    made, sink = pa.table(arrays), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, made.schema) as writer:
        writer.write_table(made)
    return (("content-type", ARROW.encode()),), sink.getvalue().to_pybytes()


def records(rows, form, cuts):
    """The rows as records: singles, or one table from each cut to the next, all of one moment."""
    out = []
    for begin, stop in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        part, at = rows[begin:stop], T0 + stop * 400
        if form == "single":
            values = [((), orjson.dumps(row)) for row in part]
        else:
            values = [table(part, form)] if part else []
        out += [
            Record(offset=len(out) + i, timestamp=at, value=value, headers=headers)
            for i, (headers, value) in enumerate(values)
        ]
    return out


def result(seed, form, *, crashes=False):
    """Profiles without offsets, and the books, of a random run."""
    r = random.Random(seed)
    logs = {}
    for log in ("predictions", "labels"):
        rows = rows_of(seed if log == "labels" else seed + 1, log)
        cuts = sorted(r.sample(range(1, len(rows)), 6))
        logs[log] = records(rows, form, cuts)
    known = {MODEL: GRID}
    made = {"partition": 0, "partitions": 1, "grids": known}
    profiler, stored, said = Profiler({MODEL: COUNTING}, **made), None, []
    chance = random.Random(seed + 7)
    while True:
        at = profiler.positions()
        todo = [log for log in logs if at[log] < len(logs[log])]
        if not todo:
            break
        log = chance.choice(todo) if crashes else todo[0]
        step = chance.choice([1, 2, 30])
        profiler.step(log, logs[log][at[log] : at[log] + step])
        if crashes and chance.random() < 0.5:
            said += profiler.flush()
            stored = profiler.snapshot() or stored
        if crashes and stored and chance.random() < 0.4:
            profiler = Profiler.restore({MODEL: COUNTING}, stored, **made)
    for log in logs:
        profiler.tick(log, FAR)
    said += profiler.flush()
    entries = [decode(one.value) for one in said if one.topic == "journal"]
    profiles = {e.key: (e.rows, e.vector) for e in entries if isinstance(e, Profile)}
    letters = {one.value for one in said if one.topic == "dead-letters"}
    return profiles, profiler.accounting(), letters, said


@pytest.mark.parametrize("form", ["json", "arrow"])
def test_rows_of_a_table_count_as_single_events(form):
    """The same profiles and the same books, in rows, as if each row were a record."""
    for seed in range(12):
        expected, found = result(seed, "single"), result(seed, form)
        assert expected[:2] == found[:2], f"seed {seed}"
        assert {"predictions", "outcomes", "revisions", "refusals"} >= {
            key.kind for key in found[0]
        }


@pytest.mark.parametrize("form", ["json", "arrow"])
def test_tables_are_counted_once_through_crashes(form):
    """Restored anywhere, rows that share an offset are counted as without a crash."""
    for seed in range(20):
        expected, found = result(seed, form), result(seed, form, crashes=True)
        assert expected[:3] == found[:3], f"seed {seed}"


def test_a_bad_row_is_one_dead_letter_that_names_it():
    """One letter with the record's bytes says which rows; the others count."""
    rows = rows_of(1, "predictions", 8)
    for i, row in enumerate(rows):
        row |= {"timestamp": T0 + 50 if i not in (2, 5) else "never", "prediction_id": f"q{i}"}
    _, value = table(rows, "json")
    profiler = Profiler({MODEL: COUNTING}, partition=0, partitions=1, grids={MODEL: GRID})
    profiler.step("predictions", [Record(offset=0, timestamp=T0 + 90, value=value)])
    letters = [one for one in profiler.flush() if one.topic == "dead-letters"]
    headers = dict(letters[0].headers)
    assert [value] == [one.value for one in letters]
    assert headers["windage.error.message"].startswith(b"rows 2, 5: the timestamp")
    tally = profiler.accounting()["predictions"]
    assert (8, 6, 2) == (tally.read, tally.counted, tally.dead_lettered)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (b"[]", b"columns must be an object"),
        (b'{"prediction_id":["a"],"timestamp":[]}', b"the columns of a batch must have one length"),
        (b'{"prediction_id":"a"}', b"a column must be a list"),
        (b'{"prediction_id":["a"],"features":[1]}', b"columns of features and tags"),
        (b"{}", b"columns must name at least one column"),
    ],
)
def test_no_table_is_one_dead_letter(columns, message):
    """A record that cannot be cut into rows is refused as a whole."""
    value = b'{"model":"m","columns":%s}' % columns
    profiler = Profiler({MODEL: COUNTING}, partition=0, partitions=1, grids={MODEL: GRID})
    profiler.step("predictions", [Record(offset=0, timestamp=T0, value=value)])
    (letter,) = [one for one in profiler.flush() if one.topic == "dead-letters"]
    assert dict(letter.headers)["windage.error.message"].startswith(message)
    assert 1 == profiler.accounting()["predictions"].dead_lettered


def test_without_pyarrow_an_arrow_batch_says_what_is_missing(monkeypatch):
    """The dead letter names the extra to install."""
    import sys

    headers, value = table(rows_of(1, "predictions", 3), "arrow")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    profiler = Profiler({MODEL: COUNTING}, partition=0, partitions=1, grids={MODEL: GRID})
    profiler.step("predictions", [Record(offset=0, timestamp=T0, value=value, headers=headers)])
    (letter,) = [one for one in profiler.flush() if one.topic == "dead-letters"]
    assert b"windage[arrow]" in dict(letter.headers)["windage.error.message"]


@pytest.mark.parametrize("form", ["single", "json", "arrow"])
def test_rows_of_tables_that_belong_elsewhere_are_counted_as_misplaced(form):
    """They are profiled all the same; single records were sent by their key, whatever it was."""
    rows = rows_of(1, "predictions", 200)
    for i, row in enumerate(rows):
        row |= {"timestamp": T0 + i * 400, "prediction_id": "x" * (i % 9) + f"{i}é"}
    profiler = Profiler({MODEL: COUNTING}, partition=1, partitions=3, grids={MODEL: GRID})
    profiler.step("predictions", records(rows, form, [40, 80, 120, 160]))
    tally = profiler.accounting()["predictions"]
    elsewhere = sum(partition_of(row["prediction_id"].encode(), 3) != 1 for row in rows)
    assert (200, 0 if form == "single" else elsewhere) == (tally.counted, tally.misplaced)


WHOLE = {"model": "m", "prediction_id": "q", "timestamp": T0, "prediction": 1, "label": 1}
NUMBERS = [
    0,
    1.5,
    2**53,
    2**53 + 1,
    -(2**53) - 1,
    10**30,
    1e300,
    True,
    None,
    "x",
    "",
    [],
    {},
    [[1]],
]
AWKWARD = {
    "features": [
        *({"x": n} for n in NUMBERS),
        *({"c": n} for n in NUMBERS),
        *({"other": n, "x": 1} for n in NUMBERS),
        *({"bad name": 1}, {"": 1}, {"n" * 129: 1}, {"x": 1, "x\n": 2}, [], None, "x"),
        *({f"k{i}": 1 for i in range(n)} for n in (498, 499, 500, 501)),
    ],
    "tags": [{"region": n} for n in NUMBERS] + [{"else": n} for n in NUMBERS] + [None, 1],
    **dict.fromkeys(("prediction", "label", "score", "latency_ms", "timestamp"), NUMBERS),
    **dict.fromkeys(("version", "model", "error", "specversion", "revision"), NUMBERS),
    "probabilities": [{"0": n} for n in NUMBERS],
    "prediction_id": NUMBERS,
    "columns": [{"prediction_id": ["z"]}, [], 1],
}


@pytest.mark.parametrize("kind", ["counting", "learning", "labels"])
def test_the_fast_path_answers_like_the_slow_one(kind):
    """Every awkward value of every field, alone and among random others: the same on both paths."""
    r, values = random.Random(5), []
    for field, choices in AWKWARD.items():
        values += [any_json({**WHOLE, field: choice}) for choice in choices]
    for _ in range(400):
        some = {field: r.choice(AWKWARD[field]) for field in r.sample(sorted(AWKWARD), 3)}
        values.append(any_json({**WHOLE, **some}))
    both_paths_agree(kind, GRID, Limits(256 * 1024, 500), values)
