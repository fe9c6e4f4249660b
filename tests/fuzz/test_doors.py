"""Every class of bad input meets its code at every door, and nothing sound meets any."""

import asyncio
import time
from collections import Counter

import pytest

from schemas.grid import Layout
from schemas.journal import Profile, decode
from tests.fuzz.classes import cases
from tests.fuzz.doors import appended, posted, stepped
from tests.laws.world import GRID

NAMES = [case.name for case in cases(1_800_000_000_000)]
KAFKA_ONLY = {"envelope that is no text", "tombstone", "tombstone label", "list", "registry prefix"}
"""What HTTP cannot say, or says otherwise: there a list is a batch."""

KEPT = ("counted", "missing", "duplicate", "tombstone")
DOORS = ("one batch", "one by one", "two models", "embedded", "http")


@pytest.fixture(scope="module")
def table():
    """Every case, as of now."""
    return {case.name: case for case in cases(time.time_ns() // 1_000_000)}


@pytest.fixture(scope="module")
def met(table, tmp_path_factory):
    """What each door made of the whole table."""
    items, now = list(table.values()), time.time_ns() // 1_000_000
    sent = [case for case in items if case.name not in KAFKA_ONLY]
    return {
        "one batch": stepped(items, now),
        "one by one": stepped(items, now, size=1),
        "two models": stepped(items, now, others=True),
        "embedded": appended(items, tmp_path_factory.mktemp("embedded")),
        "http": asyncio.run(posted(sent, tmp_path_factory.mktemp("http"))),
    }


@pytest.mark.parametrize(
    ("door", "name"),
    [(door, name) for door in DOORS for name in NAMES if door != "http" or name not in KAFKA_ONLY],
)
def test_a_bad_record_meets_its_code(met, table, door, name):
    """One dead letter with its bytes, or one answer, and the code of its class."""
    case = table[name]
    expected = [] if case.end in KEPT else [case.end]
    assert expected == met[door].codes.get((case.log, case.value), [])


@pytest.mark.parametrize("door", DOORS)
def test_the_books_show_each_end(met, table, door):
    """What is not refused is counted, a duplicate, or a tombstone."""
    sent = [c for c in table.values() if door != "http" or c.name not in KAFKA_ONLY]
    ends = Counter(case.end for case in sent)
    books = met[door].books
    found = {fate: sum(log[fate] for log in books.values()) for fate in books["labels"]}
    assert ends["counted"] + ends["missing"] == found["counted"]
    assert (ends["duplicate"], ends["tombstone"]) == (found["duplicate"], found["tombstone"])
    assert len(sent) - found["counted"] - found["duplicate"] - found["tombstone"] == sum(
        found[fate] for fate in ("dead_lettered", "conflict", "expired")
    ) + len(met[door].unlogged)


def test_a_bad_value_is_missing(met, table):
    """It is counted in the cell of missing ones, and its row stands."""
    profiles = [decode(value) for value in met["one batch"].journal]
    missing = sum(case.end == "missing" for case in table.values())
    counts = [p for p in profiles if isinstance(p, Profile) and p.key.kind == "predictions"]
    whole = [p for p in counts if p.key.segment == "*"]
    layout = Layout(GRID)
    cells = layout.predictions["feature:x"].span
    assert missing == sum(p.vector.full(layout.width("predictions"))[cells][-1] for p in whole)
