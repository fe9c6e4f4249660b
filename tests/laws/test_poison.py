"""Law 6: any bytes in, no exception out, one dead letter a bad record, good rows as if alone."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.snapshot import SnapshotError
from tests.laws.mill import Mill
from tests.laws.oracle import truth
from tests.laws.world import END_HEADERS, PANE, T0, Item, World

VALUES = [
    *(b"1e308", b"-1e308", b"1e-320", b"1e999", b"NaN", b"Infinity", b"-Infinity", b"-0.0", b"1.5"),
    *(b"%d" % 10**30, b"1" + b"0" * 400, b"9" * 5000, b"%d" % (2**53 + 1), b"-1", b"0"),
    *(b'"x"', b'""', b'"\\ud800"', b'"\\u0000"', b'"\xff"', b'"' + b"9" * 300 + b'"', b'"NaN"'),
    *(b"true", b"null", b"[]", b"[[[[]]]]", b"{}", b"[1]", b'{"0":NaN}', b'{"0":Infinity}'),
    *(
        b'{"x":NaN}',
        b'{"x":1e308}',
        b'{"x":-1e308}',
        b'{"x":1%s}' % (b"0" * 400),
        b'{"bad name":1}',
    ),
    *(b'{"c":1e308}', b'{"c":[1]}', b'{"region":1}', b'{"x":"1","c":true}', b"[" * 9000),
]
FIELDS = {
    "predictions": {
        "model": b'"m"',
        "version": b'"bad"',
        "prediction_id": b'"q%d"',
        "timestamp": b"%d" % (T0 + 5_000),
        "features": b'{"x":1,"c":"a"}',
        "prediction": b"1",
        "score": b"0.5",
        "tags": b'{"region":"eu"}',
        "probabilities": b"null",
        "latency_ms": b"1",
        "error": b"null",
    },
    "labels": {
        "model": b'"m"',
        "prediction_id": b'"q%d"',
        "timestamp": b"%d" % (T0 + 5_000),
        "label": b"1",
        "revision": b"1",
        "weight": b"1",
    },
    "metrics": {
        "model": b'"m"',
        "name": b'"k"',
        "value": b"1",
        "timestamp": b"%d" % (T0 + 5_000),
    },
    "model-events": {
        "model": b'"m"',
        "type": b'"external"',
        "id": b'"e%d"',
        "timestamp": b"%d" % (T0 + 5_000),
        "from": b"1",
        "until": b"1",
        "traffic_share": b"0.5",
        "deployment": b"null",
    },
}
HEADERS = [
    (),
    END_HEADERS,
    (("ce_specversion", b"1.0"), ("ce_type", b"\xff")),
    (("content-type", b"application/cloudevents+json"),),
    (("content-type", b"application/vnd.apache.arrow.stream"),),
]


def sound(learning):
    """Good rows, labelled; enough of them to learn from."""
    panes = 40 if learning else 6
    rows = []
    for i in range(panes * 2):
        at = T0 + i * PANE // 2
        rows.append(
            Item(
                "predictions", "prediction", at, i, at, "1", float(i % 5), "abc"[i % 3], 0.3, i % 2
            )
        )
        rows.append(Item("labels", "label", at + 1_000, i, at, answer=i % 3 % 2))
    return rows


def run(items, learning=0, clock="broker"):
    """The world with poison in it, to its end; the books must add up."""
    mill = Mill(World(tuple(items), 3_000, 15_000, clock, learning)).finish()
    machine = mill.owners[0].machine
    assert not [p for p in mill.problems if p[0] != "wrong books (expected, found)"]
    for log, tally in machine.accounting().items():
        refused = tally.dead_lettered + tally.conflict + tally.expired
        assert refused == sum(place[0] == log for place in mill.letters)
        assert tally.read == len(mill.records[log, 0])
        parts = refused + tally.counted + tally.duplicate + tally.tombstone + tally.control
        assert tally.read == parts
    assert {1} >= set(mill.letters.values())
    return mill


def _of_version(cells, version):
    return {place: count for place, count in cells.items() if place[1] == version}


def unharmed(mill, items):
    """The counts of version 1 are those of the good rows alone."""
    good = [[x for x in items if x.log == log] for log in ("predictions", "labels")]
    expected = truth(mill.world, *good).cells
    found = mill.cells()
    assert _of_version(expected, "1") == _of_version(found, "1")


def as_producers_write(tree):
    """JSON with NaN, Infinity and lone surrogates."""
    return json.dumps(tree).encode()


def poison(log, value, n, headers=()):
    return Item(log, "bad", T0 + 5_000, n, value=value, headers=headers)


@pytest.mark.parametrize("learning", [0, 60], ids=["counting", "learning"])
@pytest.mark.parametrize("log", FIELDS)
def test_every_field_may_hold_anything(log, learning):
    """Each field of each event takes each awkward value in turn; the rest stands."""
    items, good = [], sound(learning)
    for field in FIELDS[log]:
        for value in VALUES:
            members = {**FIELDS[log], field: value}
            text = b",".join(b'"%s":%s' % (k.encode(), v) for k, v in members.items())
            items.append(poison(log, b"{%s}" % text.replace(b"%d", b"%d" % len(items)), 0))
    mill = run([*good, *items], learning)
    assert len(mill.letters) > len(items) // 10
    if learning:
        assert mill.references
    else:
        unharmed(mill, good)


@settings(derandomize=True, max_examples=60)
@given(
    records=st.lists(
        st.tuples(
            st.sampled_from(sorted(FIELDS)),
            st.binary(max_size=60)
            | st.recursive(
                st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
                lambda x: (
                    st.lists(x, max_size=3)
                    | st.dictionaries(
                        st.sampled_from([*FIELDS["predictions"], "label", "type", "data"]), x
                    )
                ),
                max_leaves=8,
            ).map(as_producers_write),
            st.sampled_from(HEADERS),
        ),
        max_size=30,
    ),
)
def test_any_bytes_harm_nobody(records):
    """Random bytes and random JSON under random headers, in every log."""
    good = sound(0)
    items = [poison(log, value, 0, headers) for log, value, headers in records]
    unharmed(run([*good, *items]), good)


@settings(derandomize=True, max_examples=30)
@given(value=st.binary(max_size=40))
def test_no_snapshot_is_believed_that_is_none(value):
    """Random bytes are no snapshot of either machine: a reason, not a crash."""
    profiler, monitor = World((), 3_000, 15_000).roles()
    for role in (profiler, monitor):
        with pytest.raises(SnapshotError):
            role.restored(0, 1, value)


def test_msgpack_is_strict():
    """A snapshot cut short is refused as well."""
    world = World(tuple(sound(0)), 3_000, 15_000)
    mill = Mill(world).finish()
    for role, state in zip(
        world.roles(), (mill.owners[0].machine.snapshot(), mill.stored), strict=True
    ):
        for cut in (0, 1, len(state) // 2, len(state) - 1):
            with pytest.raises(SnapshotError):
                role.restored(0, 1, state[:cut])
    assert msgspec.msgpack.decode(mill.stored)
