"""The pending store finds an id by its bytes: whatever the hashes, lengths, drops and repeats."""

import random
from functools import cached_property

import numpy as np
import pytest

from schemas.frames import Ids
from streams.join.couples import once
from streams.join.ledger import NONE, Ledger

NAMES = [
    "",
    "a",
    "b",
    "ab",
    "ä",
    "\x00",
    "a\x00",
    *(f"p{i}" for i in range(60)),
    "x" * 40,
    "y" * 40,
]


def weak(values):
    """Hashes of which many are the same."""
    return cached_property(
        lambda self: np.array([len(self.key(i)) % values for i in range(len(self))], np.uint64)
    )


@pytest.mark.parametrize("values", [0, 1, 3], ids=["as it is", "one hash", "three hashes"])
def test_ids_are_told_apart(values, monkeypatch):
    """Newest rows and chains are those of a list that is searched."""
    if values:
        fake = weak(values)
        fake.__set_name__(Ids, "hashes")
        monkeypatch.setattr(Ids, "hashes", fake)
    for seed in range(6):
        r, ledger = random.Random(seed), Ledger({"number": "<i8"})
        kept, start = [], 0
        for _ in range(25):
            names = r.choices(NAMES, k=r.choice([1, 3, 40] if values else [1, 3, 40, 400]))
            asked = Ids.of(names)
            expected = [newest(kept, start, name) for name in names]
            assert expected == ledger.newest(asked).tolist(), seed
            numbers = ledger.append(asked, {"number": np.arange(len(names))})
            assert [start + len(kept) + i for i in range(len(names))] == numbers.tolist()
            kept += names
            name = r.choice(NAMES)
            rows = [start + i for i, one in enumerate(kept) if one == name][::-1]
            last = int(ledger.newest(Ids.of([name]))[0])
            assert rows == (list(ledger.chain(last)) if last != NONE else [])
            gone = r.choice([0, 0, 1, len(kept) // 2, len(kept)])
            ledger.drop(gone)
            kept, start = kept[gone:], start + gone
            assert (len(kept), start) == (len(ledger), ledger.start)


def newest(kept, start, name):
    """The last row of a name in a list."""
    rows = [start + i for i, one in enumerate(kept) if one == name]
    return rows[-1] if rows else NONE


def test_columns_grow_and_the_index_is_made_anew_without_losing_a_row(monkeypatch):
    """Contents, chains and newest rows of 30,000 rows, with steps that are met many times."""
    monkeypatch.setattr("streams.join.ledger._STRETCH", 700)
    monkeypatch.setattr("streams.join.ledger._LARGE", 1_500)
    r, ledger = random.Random(4), Ledger({"number": "<i8", "pair": "(2,)u1"})
    kept, start, capacities = [], 0, set()
    for _ in range(60):
        names = [f"id{r.randrange(9_000)}" for _ in range(500)]
        pairs = np.array([[len(name), 7] for name in names], np.uint8)
        first = start + len(kept)
        ledger.append(Ids.of(names), {"number": np.arange(first, first + 500), "pair": pairs})
        kept += names
        capacities.add(ledger._capacity)
        if r.random() < 0.2:
            ledger.drop(600)
            kept, start = kept[600:], start + 600
    assert list(range(start, start + len(kept))) == ledger.column("number").tolist()
    assert [[len(name), 7] for name in kept] == ledger.column("pair").tolist()
    newest_of = {name: start + i for i, name in enumerate(kept)}
    assert list(newest_of.values()) == ledger.newest(Ids.of(list(newest_of))).tolist()
    name = kept[-1]
    rows = [start + i for i, one in enumerate(kept) if one == name][::-1]
    assert rows == list(ledger.chain(newest_of[name]))
    assert len(capacities) > 10


def test_ids_are_equal_only_byte_by_byte():
    """Of any length, also where all but one of the bytes agree."""
    r = random.Random(4)
    for _ in range(200):
        own = ["".join(r.choices("ab", k=r.choice([0, 1, 7, 8, 9, 16, 17, 36]))) for _ in range(30)]
        others = [one if r.random() < 0.5 else _changed(one, r) for one in own]
        ids, theirs = Ids.of(own), Ids.of(["c", *others])
        found = ids.equal(np.arange(30), theirs.content, theirs.begins[1:], theirs.ends[1:])
        assert [a == b for a, b in zip(own, others, strict=True)] == found.tolist()


def _changed(text, r):
    if not text or r.random() < 0.2:
        return text + "a"
    at = r.randrange(len(text))
    return text[:at] + "c" + text[at + 1 :]


@pytest.mark.parametrize("seed", range(20))
def test_numbers_that_come_once_are_told(seed):
    """Whatever their order, and of none there are none."""
    r = random.Random(seed)
    rows = [r.randrange(8) for _ in range(r.choice([0, 1, 2, 5, 9]))]
    assert [rows.count(row) == 1 for row in rows] == once(np.array(rows, np.int64)).tolist()
