"""Rankings: lists and relevances count by their definition, in whatever form and order."""

import math
import random
from collections import defaultdict

import msgspec
import numpy as np
import orjson
import pyarrow as pa
import pytest

from detectors.rankings import STEPS, average_precision, ndcg
from schemas.envelope import ARROW
from schemas.grid import Grid, Layout, SegmentGrid, SignalGrid
from schemas.journal import Profile, decode
from schemas.log import Record
from streams.decode import Limits
from streams.profiler import Profiler
from streams.runtime.partitions import partition_of
from tests.laws.paths import any_json, both_paths_agree
from tests.laws.test_tables import COUNTING
from tests.laws.world import MODEL, PANE, T0

GRID = Grid(
    model=MODEL,
    task="ranking",
    features=(SignalGrid(name="x", type="numeric", edges=(0.0, 1.0, 2.0), center=1.0),),
    target=SignalGrid(name="target", type="numeric", edges=(0.0, 5.0, 10.0, 20.0), center=9.0),
    segments=(SegmentGrid(name="region", source="tag", values=("eu",)),),
)
LAYOUT = Layout(GRID)
RANKED = msgspec.structs.replace(COUNTING, task="ranking")
LOGS = ("predictions", "labels")
FAR = T0 + 10 * 86_400_000


def relevance(r):
    """What a list was worth; a tenth of them nothing, some of one item."""
    found = [r.choice([0, 0, 1, 2.5]) for _ in range(r.choice([1, 3, 12, 30]))]
    return [0] * len(found) if r.random() < 0.1 else found


def stream(seed, n=60):
    """Predictions and labels, some of them corrected once or twice, in the order of the log."""
    r = random.Random(seed)
    asked, told = [], []
    for i in range(n):
        head = {"model": MODEL, "prediction_id": f"q{i}"}
        shown = r.choice([[0.5] * r.randint(0, 25), ["d"] * 3, r.randint(0, 25), None])
        more = {
            "features": {"x": r.choice([0.5, 1.5])},
            "tags": {"region": r.choice(["eu", "us"])},
        }
        asked.append(head | {"timestamp": T0 + i * 700, "version": "1", "prediction": shown} | more)
        for revision in range(1, 1 + r.choice([0, 1, 1, 2, 3])):
            at = T0 + i * 700 + r.randint(0, 3_000) + 500 * revision
            told.append(head | {"timestamp": at, "label": relevance(r), "revision": revision})
    told.sort(key=lambda one: (one["timestamp"], one["revision"]))
    return {"predictions": asked, "labels": told}


def expected(rows):
    """By pane and segment, from the definition: lists, those with anything relevant, and sums."""
    asked = {one["prediction_id"]: one for one in rows["predictions"]}
    last = {}
    for one in rows["labels"]:
        before = last.get(one["prediction_id"])
        if before is None or one["revision"] > before["revision"]:
            last[one["prediction_id"]] = one
    sums = defaultdict(lambda: np.zeros(6, np.int64))
    for name, one in last.items():
        gain, precision = ndcg(one["label"]), average_precision(one["label"])
        row = [1, 0, 0, 0, 0, 0]
        if gain is not None:
            a, b = round(gain * STEPS), round(precision * STEPS)
            row = [1, 1, a, a * a, b, b * b]
        region = asked[name]["tags"]["region"]
        for segment in ("*", f"region={region if region == 'eu' else 'other'}"):
            sums[asked[name]["timestamp"] // PANE, segment] += np.array(row)
    return {place: one.tolist() for place, one in sums.items()}


def table(rows, form):
    """Rows as one record: (headers, value)."""
    nested = ("features", "tags")
    columns = {key: [row[key] for row in rows] for key in rows[0] if key not in nested}
    inside = {
        k: {n: [row[k][n] for row in rows] for n in rows[0][k]} for k in nested if k in rows[0]
    }
    if form == "json":
        return (), orjson.dumps({"columns": columns | inside})
    arrays = {key: pa.array(column) for key, column in columns.items()}
    for name, fields in inside.items():
        parts = [pa.array(column) for column in fields.values()]
        arrays[name] = pa.StructArray.from_arrays(parts, list(fields))
    made, sink = pa.table(arrays), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, made.schema) as writer:
        writer.write_table(made)
    return (("content-type", ARROW.encode()),), sink.getvalue().to_pybytes()


def records(rows, form):
    """Single records, or tables of up to nine rows."""
    step = 1 if form == "single" else 9
    out = []
    for begin in range(0, len(rows), step):
        part = rows[begin : begin + step]
        headers, value = ((), orjson.dumps(part[0])) if step == 1 else table(part, form)
        at = max(row["timestamp"] for row in part)
        out.append(Record(offset=len(out), timestamp=at, value=value, headers=headers))
    return out


def alike(rows, form):
    """The rows as every form can say them: in Arrow a column has one type."""
    if form != "arrow":
        return rows
    lists = [
        one | {"prediction": None if one["prediction"] is None else shown(one["prediction"])}
        for one in rows["predictions"]
    ]
    return rows | {"predictions": lists}


def shown(prediction):
    """As many items as were shown, by their scores."""
    return [0.25] * (prediction if isinstance(prediction, int) else len(prediction))


def counted(rows, form, *, partitions=1, crashes=None):
    """Merged profiles by (kind, pane, segment), whatever arrived when; letters; the books."""
    sums, letters, books = defaultdict(int), [], []
    for p in range(partitions):
        own = {
            log: [
                r for r in rows[log] if partition_of(r["prediction_id"].encode(), partitions) == p
            ]
            for log in LOGS
        }
        logs = {log: records(own[log], form) for log in LOGS}
        made = {"partition": p, "partitions": partitions, "grids": {MODEL: GRID}}
        machine, stored, said = Profiler({MODEL: RANKED}, **made), None, []
        r = random.Random(crashes)
        while todo := [log for log in LOGS if machine.positions()[log] < len(logs[log])]:
            log = r.choice(todo)
            at = machine.positions()[log]
            machine.step(log, logs[log][at : at + r.choice([1, 3, 20])])
            if crashes is not None and r.random() < 0.4:
                said += machine.flush()
                stored = machine.snapshot() or stored
                if r.random() < 0.5:
                    machine = Profiler.restore({MODEL: RANKED}, stored, **made)
        for log in LOGS:
            machine.tick(log, FAR)
        said += machine.flush()
        entries = [decode(one.value) for one in said if one.topic == "journal"]
        last = {entry.key: entry for entry in entries if isinstance(entry, Profile)}
        for key, entry in last.items():
            vector = entry.vector.full(LAYOUT.width(key.kind))
            sums[key.kind, key.pane, key.segment] = vector + sums[key.kind, key.pane, key.segment]
        letters += [one for one in said if one.topic == "dead-letters"]
        books.append(machine.accounting())
    return sums, letters, books


def read(sums):
    """The sums of lists by pane and segment, corrections taken in; all 0 are left out."""
    found = defaultdict(lambda: np.zeros(LAYOUT.width("outcomes"), np.int64))
    for (kind, pane, segment), vector in sums.items():
        if kind in ("outcomes", "revisions"):
            found[pane, segment] = found[pane, segment] + vector
    for vector in found.values():  # each list has one cell of the error, also where it has none
        lists, cells = (vector[LAYOUT.outcomes[name].span] for name in ("ranking", "error"))
        assert [lists[0], lists[1]] == [cells.sum(), cells[:-1].sum()]
    told = {place: one[LAYOUT.outcomes["ranking"].span].tolist() for place, one in found.items()}
    return {place: one for place, one in told.items() if one[0]}


@pytest.mark.parametrize("form", ["single", "json", "arrow"])
def test_lists_count_by_their_definition_in_every_form(form):
    """Corrections too: what they take back is what was counted."""
    for seed in range(3):
        rows = stream(seed)
        sums, letters, books = counted(alike(rows, form), form)
        assert [] == letters
        assert expected(rows) == read(sums), f"seed {seed}"
        labelled = {one["prediction_id"] for one in rows["labels"]}
        assert (60, len(labelled)) == (books[0]["predictions"].counted, books[0]["labels"].outcomes)


@pytest.mark.parametrize("partitions", [1, 4])
def test_lists_count_once_through_crashes_in_any_partitions(partitions):
    """Restored anywhere and read in any order, the sums are those of the definition."""
    for seed in range(2):
        rows = stream(seed)
        sums, letters, _ = counted(rows, "single", partitions=partitions, crashes=seed)
        assert [] == letters
        assert expected(rows) == read(sums), f"seed {seed}"


def test_of_a_list_that_was_shown_its_length_is_counted():
    """As items, as their number, or not said at all: then it is missing, and counts."""
    rows = {"predictions": [], "labels": []}
    for i, shown_ in enumerate([[0.5, 0.1], ["a"] * 7, 7, 7.0, [], None]):
        head = {"model": MODEL, "prediction_id": f"q{i}", "timestamp": T0, "version": "1"}
        rows["predictions"].append(head | {"prediction": shown_, "features": {}, "tags": {}})
    sums, letters, _ = counted(rows, "single")
    cells = sums["predictions", T0 // PANE, "*"][LAYOUT.predictions["prediction"].span]
    assert ([], [0, 2, 3, 0, 0, 1]) == (letters, cells.tolist())


def test_a_shadow_is_counted_and_not_compared():
    """Its list was not shown, and the label is of the one that was: they do not agree or differ."""
    rows = stream(1, 20)
    shadows = [one | {"version": "2", "role": "shadow"} for one in rows["predictions"]]
    asked = [row for pair in zip(rows["predictions"], shadows, strict=True) for row in pair]
    sums, letters, books = counted(rows | {"predictions": asked}, "single")
    assert ([], 40) == (letters, books[0]["predictions"].counted)
    assert {"predictions", "outcomes", "revisions"} == {kind for kind, _, _ in sums} - {"refusals"}


BAD = [
    (1, b"schema"),
    ("a", b"schema"),
    ([1, -0.5], b"schema"),
    ([1, True], b"schema"),
    ([1, None], b"schema"),
    ([1, "2"], b"schema"),
    ([[1]], b"schema"),
    ([1, 2**53], b"schema"),
    ([0] * 10_001, b"schema"),
    ({"0": 1}, b"schema"),
    ([1, math.nan], b"non_finite"),
    ([1, math.inf], b"non_finite"),
]


@pytest.mark.parametrize(("label", "code"), BAD, ids=[str(one)[:20] for one, _ in BAD])
@pytest.mark.parametrize("form", ["single", "table"])
def test_a_label_that_is_no_relevance_is_one_dead_letter(label, code, form):
    """With a code, and what a label of a ranking is; the neighbours count."""
    import json

    rows = [
        {"model": MODEL, "prediction_id": f"q{i}", "timestamp": T0, "label": one}
        for i, one in enumerate([[0, 1], label, []])
    ]
    if form == "table":
        rows = [{"columns": {name: [row[name] for row in rows] for name in rows[0]}}]
    values = [json.dumps(row).encode() for row in rows]
    machine = Profiler({MODEL: RANKED}, partition=0, partitions=1, grids={MODEL: GRID})
    machine.step("labels", [Record(offset=i, timestamp=T0, value=v) for i, v in enumerate(values)])
    (letter,) = [one for one in machine.flush() if one.topic == "dead-letters"]
    headers = dict(letter.headers)
    assert code == headers["windage.error.code"]
    said = (
        b"not finite" if code == b"non_finite" else b"label must be a list, as the model is a rank"
    )
    assert said in headers["windage.error.message"]
    assert 2 == machine.accounting()["labels"].counted


@pytest.mark.parametrize("prediction", [-1, 0.5, "a", True, {}, [0] * 10_001])
def test_a_prediction_that_is_neither_list_nor_number_is_refused(prediction):
    """Learning or counting, with the same words."""
    event = {"model": MODEL, "prediction_id": "q", "timestamp": T0, "version": "1", "features": {}}
    value = orjson.dumps(event | {"prediction": prediction})
    for grids in ({MODEL: GRID}, {}):
        machine = Profiler({MODEL: RANKED}, partition=0, partitions=1, grids=grids)
        machine.step("predictions", [Record(offset=0, timestamp=T0, value=value)])
        (letter,) = [one for one in machine.flush() if one.topic == "dead-letters"]
        headers = dict(letter.headers)
        assert b"schema" == headers["windage.error.code"]
        assert b"prediction must be a list" in headers["windage.error.message"]


def test_lists_are_refused_where_the_model_is_no_ranking():
    """A class is one value, and so is the value of a regression."""
    event = {"model": MODEL, "prediction_id": "q", "timestamp": T0, "label": [1, 0]}
    for task in ("binary", "regression"):
        counting = msgspec.structs.replace(COUNTING, task=task)
        grid = msgspec.structs.replace(GRID, task=task)
        machine = Profiler({MODEL: counting}, partition=0, partitions=1, grids={MODEL: grid})
        machine.step("labels", [Record(offset=0, timestamp=T0, value=orjson.dumps(event))])
        (letter,) = [one for one in machine.flush() if one.topic == "dead-letters"]
        assert b"wrong type at $.label" in dict(letter.headers)["windage.error.message"]


@pytest.mark.parametrize("kind", ["labels", "counting", "learning"])
def test_the_fast_path_of_lists_answers_like_the_slow_one(kind):
    """Every awkward list among other awkward fields: the same on both paths."""
    whole = {"model": "m", "prediction_id": "q", "timestamp": T0, "features": {"x": 1}}
    lists = [one for one, _ in BAD] + [[], [0], [1.5, 0, 2], 0, 3, 2.0, None, ["a", "b"], "absent"]
    values = []
    for one in lists:
        for more in ({}, {"timestamp": None}, {"weight": -1}, {"specversion": 1}, {"model": 3}):
            event = whole | {"label": one, "prediction": one} | more
            if one == "absent":
                del event["label"], event["prediction"]
            values += [msgspec.json.encode(event), any_json(event)]
    both_paths_agree(kind, GRID, Limits(256 * 1024, 500, task="ranking"), values)
