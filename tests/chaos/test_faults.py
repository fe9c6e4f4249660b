"""What only a fault itself can see: the journal takes nothing, and nobody may go on."""

import random

import pytest

from scripts.storm import faults


class Topics:
    """Topics whose marks are told one after the other, the last one for ever."""

    def __init__(self, kept, committed):
        self.told = {"kept": list(kept), "committed": list(committed)}
        self.taking = True

    async def narrow(self):
        self.taking = False

    async def widen(self):
        self.taking = True

    async def kept(self):
        return self._next("kept")

    async def committed(self):
        return self._next("committed")

    def _next(self, what):
        assert not self.taking
        left = self.told[what]
        return {("predictions", 0): left.pop(0) if len(left) > 1 else left[0]}


@pytest.mark.parametrize(
    ("kept", "committed", "violations"),
    [
        ([90, 100], [100], []),  # who broke down behind its snapshot acknowledges it later
        ([100], [90], []),
        ([100], [101], ["offsets advanced by 1 while the journal took nothing"]),
        ([100, 100, 107], [90], ["snapshots advanced by 7 while the journal took nothing"]),
    ],
)
async def test_nobody_passes_a_journal_that_takes_nothing(kept, committed, violations, monkeypatch):
    async def at_once(_):
        pass

    monkeypatch.setattr(faults.asyncio, "sleep", at_once)
    topics = Topics(kept, committed)
    field = faults.Field(broker=None, fleet=None, topics=topics, chance=random.Random(1), found=[])
    await faults.too_large(field)
    assert violations == field.found
    assert topics.taking
