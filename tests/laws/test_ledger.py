"""The pending store finds an id by its bytes: whatever the hashes, lengths, drops and repeats."""

import random
from functools import cached_property

import numpy as np
import pytest

from schemas.frames import Ids
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
