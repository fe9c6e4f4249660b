"""The oracles see what they are for: each kind of damage, made by hand, is a violation."""

from collections import Counter

import msgspec
import numpy as np
import pytest

from schemas.journal import Profile, ProfileKey, Sparse, encode
from schemas.log import Output
from scripts.storm import oracles
from scripts.storm.oracles import Verdict
from scripts.storm.recount import Undisturbed, cells_of
from scripts.storm.topics import Read
from scripts.storm.world import Truth, World

SAID = (("ce_id", b"e1"), ("ce_type", b"windage.drift.v1"))


def read(value, *, headers=SAID, key=b"alpha", offset=0, timestamp=0):
    return Read(
        partition=0, offset=offset, timestamp=timestamp, key=key, value=value, headers=headers
    )


def output(value, headers=SAID):
    return Output(topic="drift-events", key=b"alpha", value=value, headers=headers)


def profile(rows, offset, *, pane=7):
    key = ProfileKey(
        epoch=0,
        grid="g",
        kind="predictions",
        version="1",
        segment="*",
        pane=pane,
        arrived=7,
        partition=0,
    )
    vector = Sparse.pack(np.array([0, rows], np.int64))
    whole = Profile(
        model="alpha", key=key, rows=rows, vector=vector, offsets=(offset, -1), first=(0, -1)
    )
    return encode(whole)


def test_the_newest_profile_of_a_key_counts_and_a_stale_one_does_not():
    """Repeated and stale profiles change nothing; added up they would double."""
    cells = cells_of([profile(5, 10), profile(9, 20), profile(9, 20), profile(6, 12), None])
    assert {("alpha", "predictions", "1", "*", 7): Counter({-1: 9, 1: 9})} == cells


@pytest.mark.parametrize(
    ("found", "lost", "double"),
    [([profile(9, 20)], 0, 0), ([profile(8, 19)], 1, 0), ([profile(12, 21)], 0, 3), ([], 9, 0)],
)
def test_rows_too_few_are_lost_and_too_many_double(found, lost, double):
    verdict = Verdict()
    oracles._cells(verdict, cells_of([profile(9, 20)]), cells_of(found))
    assert (lost, double) == (verdict.lost, verdict.double_counted)
    assert bool(lost or double) == bool(verdict.violations)


def test_a_cell_that_differs_is_seen_where_the_rows_agree():
    expected = cells_of([profile(9, 20)])
    got = {place: counts + Counter({2: 1}) for place, counts in expected.items()}
    verdict = Verdict()
    oracles._cells(verdict, expected, got)
    assert 1 == len(verdict.violations)


def outputs(records, again):
    verdict = Verdict()
    oracles._outputs(verdict, {"drift-events": records}, again)
    return verdict


def test_equal_outputs_are_well_and_repeated_ones_are_only_counted():
    verdict = outputs([read(b"{}"), read(b"{}", offset=1)], [output(b"{}")])
    assert ([], 1) == (verdict.violations, verdict.raw_duplicates)


def test_missing_unexpected_and_conflicting_outputs_are_told_apart():
    missing = outputs([], [output(b"{}")])
    assert (1, 0, 0) == told(missing)
    unexpected = outputs([read(b"{}")], [])
    assert (0, 1, 0) == told(unexpected)
    conflict = outputs([read(b"{}"), read(b'{"a":1}', offset=1)], [output(b"{}")])
    assert (0, 1, 1) == told(conflict)
    header = outputs([read(b"{}", headers=(*SAID, ("x", b"1")))], [output(b"{}")])
    assert (1, 1, 0) == told(header)


def told(verdict):
    assert verdict.violations
    return verdict.outputs_missing, verdict.outputs_unexpected, verdict.conflicting_ids


def letter(offset, value, key=b"bad-1"):
    headers = (
        ("__connect.errors.topic", b"predictions"),
        ("__connect.errors.partition", b"0"),
        ("__connect.errors.offset", b"%d" % offset),
    )
    return read(value, headers=headers, key=key)


@pytest.mark.parametrize(
    ("letters", "well"),
    [
        ([letter(3, b"x")], True),
        ([letter(3, b"x"), letter(3, b"x")], True),  # at least once
        ([], False),
        ([letter(3, b"y")], False),
        ([letter(4, b"x")], False),
        ([letter(3, b"x", b"other")], False),
        ([letter(3, b"x"), letter(4, b"z")], False),
    ],
)
def test_dead_letters_are_exactly_the_bad_records(letters, well):
    truth = Truth()
    truth.refused[b"bad-1", b"x"] += 1
    wanted = Undisturbed(
        cells={}, accounts={}, outputs=[], letters=Counter({("predictions", 0, 3, b"x"): 1})
    )
    verdict = Verdict()
    oracles._letters(verdict, letters, wanted, truth)
    assert well == (not verdict.violations)


def test_the_busiest_interval_is_found():
    verdict = Verdict()
    records = [read(b"", timestamp=at) for at in (0, 100, 200, 5_000, 5_050, 9_000)]
    oracles._repeats(verdict, records, 1.0)
    assert 3 == verdict.busiest


def test_a_world_is_a_function_of_its_seed_and_has_everything_in_it():
    """Bad, late, repeated, conflicting records and labels; all but gamma's times are the same."""

    def made(seed):
        world = World(seed, 20_000)
        return list(world.records()), world.truth

    first, truth = made(3)
    again, _ = made(3)
    assert [r for r in first if b'"gamma"' not in (r.value or b"")] == [
        r for r in again if b'"gamma"' not in (r.value or b"")
    ]
    assert first != made(4)[0]
    assert 20_000 == truth.sent.total() == len(first)
    assert {"predictions", "labels", "metrics"} == set(truth.sent)
    conflicts = [key for key, _ in truth.refused if not key.startswith(b"bad-")]
    assert conflicts
    assert len(conflicts) < len(truth.refused)
    assert {"alpha", "gamma"} == set(truth.labelled)
    predictions = [r for r in first if r.topic == "predictions" and r.key[:3] != b"bad"]
    repeated = len(predictions) - truth.rows.total() - len(conflicts)
    assert repeated > 0


def test_a_read_survives_being_kept():
    one = read(b"x", offset=4)
    assert one == msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Read)
