"""`windage annotators`: who differs is told by pairs, from the labels in the topic alone."""

import json

import pyarrow as pa
import pytest

from schemas.envelope import ARROW
from schemas.load import load_text
from streams.cli.annotators import compare, labels
from streams.cli.serve import open_runtime
from tests.cli.installation import CONFIG, START


def said(name, who, what, **more):
    row = {"model": "shop", "prediction_id": name, "annotator": who, "label": what}
    return row | {"timestamp": START} | more


def arrow(rows):
    """The rows as an Arrow stream."""
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist(rows)
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


@pytest.fixture
def told(tmp_path):
    """Return a function that writes records of labels to a log; gives its directory."""

    def write(*records):
        directory = tmp_path / "windage-data"
        config = load_text(CONFIG, {}, lambda name: name)
        runtime = open_runtime(config, {}, directory)
        runtime.append_many(
            [runtime.entry("labels", b"k", value, headers, START) for value, headers in records]
        )
        runtime.stop()
        return directory

    return write


def test_who_differs_comes_first(command, told):
    """Single events, JSON columns and Arrow are read alike; others' models are not."""
    single = [said(f"p{n}", who, n % 2) for n in range(10) for who in ("ann", "bob")]
    eve = {"prediction_id": [f"p{n}" for n in range(10)], "label": ["0"] * 10}
    batch = {
        "model": "shop",
        "columns": eve | {"annotator": ["eve"] * 10, "timestamp": [START] * 10},
    }
    fay = [said(f"p{n}", "fay", float(n % 2)) for n in range(10)]
    other = said("p1", "ann", 0, model="other")
    records = [(json.dumps(one).encode(), ()) for one in (*single, batch, other)]
    records += [(arrow(fay), (("content-type", ARROW.encode()),)), (b"{no json", ())]
    directory = told(*records)
    ended = command("annotators", "shop", "--data", directory, "--json")
    first, *rest = [json.loads(line) for line in ended.out.splitlines()]
    assert ("shop", "eve", 30) == (first["model"], first["annotator"], first["pairs"])
    assert (0.5, 1.0) == (first["agreement"], first["among_others"])
    assert 0 < first["low"] < 0.5 < first["high"] < 1
    assert [("ann", 30, 25 / 30), ("bob", 30, 25 / 30), ("fay", 30, 25 / 30)] == [
        (one["annotator"], one["pairs"], one["agreement"]) for one in rest
    ]
    ended = command("annotators", "shop", "--data", directory)
    assert "eve" in ended.out
    assert "50.0%" in ended.out


def test_without_a_second_annotator_there_is_nothing_to_tell(command, told):
    """Whoever has no name is nobody else; the exit code is that of an answer."""
    rows = [said("p1", "ann", 1), said("p1", None, 0), said("p2", "bob", 0)]
    directory = told(*[(json.dumps(one).encode(), ()) for one in rows])
    ended = command("annotators", "shop", "--data", directory, "--json")
    assert (0, "") == (ended.code, ended.out)
    assert "none of the newest" in ended.err


def test_the_first_of_a_revision_counts_and_revisions_are_apart():
    """A repeated label changes nothing, and a correction is no disagreement."""
    rows = [
        said("p", "ann", 1), said("p", "bob", 1), said("p", "bob", 0),
        said("p", "ann", 0, revision=2),
    ]  # fmt: skip
    assert {("ann", 1, 1.0), ("bob", 1, 1.0)} == {
        (one.annotator, one.pairs, one.agreement) for one in compare(labels(rows))
    }


def test_numbers_have_a_distance():
    """The median over the pairs of each, beside that of the pairs without him."""
    rows = [
        said(f"p{n}", who, n + shift)
        for n in range(5)
        for who, shift in (("ann", 0.0), ("bob", 0.5), ("eve", 4.0))
    ]
    eve, ann, bob = compare(labels(rows))
    assert ("eve", 10, 3.75, 0.5) == (eve.annotator, eve.pairs, eve.difference, eve.among_others)
    assert (2.25, 3.5) == (ann.difference, ann.among_others)
    assert (2.0, 4.0) == (bob.difference, bob.among_others)


def test_lists_differ_by_what_they_say_of_the_order():
    """Ann and Bob find the first item relevant, Eve the second; what is no list of hers is none."""
    of = {"ann": [1, 0], "bob": [2, 0], "eve": [0, 1]}
    rows = [said(f"p{n}", who, what) for n in range(4) for who, what in of.items()]
    eve, *others = compare(labels([*rows, said("p1", "eve", [-1]), said("p9", "eve", [None])]))
    assert ("eve", 8, pytest.approx(0.369, abs=0.001)) == (eve.annotator, eve.pairs, eve.difference)
    assert {"ann", "bob"} == {one.annotator for one in others}
