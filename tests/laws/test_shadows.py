"""Rows of a shadow never enter the statistics of the version that serves, however they come."""

import json

import pytest

from schemas.journal import Profile, decode
from schemas.log import Record
from schemas.shadow import counted_as
from streams.profiler import Profiler
from tests.laws.mill import Mill
from tests.laws.test_frames import arrow, as_json, counted, plain
from tests.laws.test_tables import COUNTING
from tests.laws.world import GRID, MODEL, T0, Ways, world
from tests.stores.cupboard import Apart, Cupboard

SHADOW = counted_as("1", "shadow")


def events(roles, label=True):
    """The same six requests once a role, with their labels: predictions and labels as records."""
    said, answers = [], []
    for role in roles:
        for i in range(6):
            event = {
                "model": MODEL,
                "version": "1",
                "prediction_id": f"p{i}",
                "timestamp": T0 + i,
                "features": {"x": 0.5, "c": "a"},
                "prediction": int(role == "shadow"),
                "role": role,
            }
            said.append(event)
    if label:
        answers = [
            {"model": MODEL, "prediction_id": f"p{i}", "timestamp": T0 + i, "label": 0}
            for i in range(6)
        ]
    return [_records(said), _records(answers)]


def _records(events):
    return [
        Record(offset=i, timestamp=T0 + i, value=json.dumps(event).encode())
        for i, event in enumerate(events)
    ]


def profiles(logs):
    """Profiles by version and kind, and the accounting of predictions."""
    profiler = Profiler({MODEL: COUNTING}, partition=0, partitions=1, grids={MODEL: GRID})
    for log, records in zip(("predictions", "labels"), logs, strict=True):
        profiler.step(log, records)
    for log in ("predictions", "labels"):
        profiler.tick(log, T0 + 10**10)
    entries = [decode(one.value) for one in profiler.flush() if one.topic == "journal"]
    found = {
        (e.key.version, e.key.kind, e.key.segment): (e.rows, e.vector)
        for e in entries
        if isinstance(e, Profile)
    }
    return found, profiler.accounting()


def test_a_shadow_with_the_version_and_ids_of_the_champion_changes_nothing_of_it():
    """Its profiles stand beside, its labels join both, and no row counts as a duplicate."""
    alone, _ = profiles(events(["champion"]))
    both, books = profiles(events(["champion", "shadow"]))
    alone = {key: one for key, one in alone.items() if key[1] != "refusals"}
    assert alone == {key: one for key, one in both.items() if key[0] == "1"}
    assert {"1", SHADOW} == {key[0] for key in both if key[1] != "refusals"}
    kinds = {"predictions", "outcomes", "agreements"}
    assert kinds == {kind for v, kind, _ in both if v == SHADOW}
    assert "duplicate=0" in repr(books) or "'duplicate': 0" in repr(books)


@pytest.mark.parametrize("form", [arrow, as_json])
def test_shadows_in_a_table_are_told_apart_too(form):
    """Half the rows of a table are a shadow's, framed or not."""
    roles = ["champion", "shadow", "shadow", "champion", "champion", "shadow"]
    table = form(plain("predictions") | {"version": ["1"] * 6, "role": roles})
    for framed in (True, False):
        (found, _, _), _ = counted("predictions", [table], framed=framed)
        rows = {}
        for key, count, _ in found:
            if key.segment == "*" and key.kind != "refusals":
                rows[key.version] = rows.get(key.version, 0) + count
        assert {"1": 3, SHADOW: 3} == rows


SHADOWS = Ways(shadow=0.7, corrected=0)


@pytest.mark.parametrize("clock", ["broker", "event"])
@pytest.mark.parametrize("seed", range(2))
def test_answers_to_one_request_are_counted_once_through_crashes_and_stale_owners(seed, clock):
    """As their definition has it, in every partition, whichever of both came first or late."""
    made = world(seed, SHADOWS, clock=clock)
    for mill in (Mill(made, 2, seed=seed).finish(), Mill(made, 2, seed=seed).run(seed, 150)):
        assert [] == mill.problems
        kinds = set()
        for p, truth in mill.truths().items():
            assert truth.cells == mill.cells(p)
            kinds |= {place[0] for place in truth.cells}
        assert "agreements" in kinds


@pytest.mark.parametrize("seed", range(2))
def test_however_many_partitions_there_are_the_answers_agree_alike(seed):
    """All answers to one request are in one partition."""
    made = world(seed, SHADOWS)
    found = []
    for partitions in (1, 4):
        mill = Mill(made, partitions, seed=seed).finish()
        found.append({place: n for place, n in mill.cells(None).items() if "agreements" in place})
    assert found[0]
    assert found[0] == found[1]


@pytest.mark.parametrize("seed", range(2))
def test_rows_that_wait_elsewhere_are_paired_too(seed):
    """Memory is emptied at every flush; a request's answers come back together."""
    made, store = world(seed, SHADOWS), Cupboard()
    plain = Mill(made, 2, seed=seed).finish()
    mill = Mill(Apart.of(made, store), 2, seed=seed).run(seed, 150)
    assert [] == mill.problems
    assert store.taken
    assert plain.profiles() == mill.profiles()
