"""A tenure that owes nothing is left out of a cycle; whatever is on its way is waited for."""

import asyncio
from types import SimpleNamespace

import pytest

from schemas.log import Output
from streams.runtime.kafka.tenure import Ledger, Stored, Tenure

LEDGER = Ledger(state_topic="state", names={"journal": "journal"}, topics={})


class Machine:
    """Has one output after each step, and a state."""

    def __init__(self):
        self.outputs = []

    def positions(self):
        return {"predictions": 1}

    def order(self):
        return (1,)

    def step(self, _log, _records):
        self.outputs = [Output(topic="journal", key=b"k", value=b"v")]

    def flush(self):
        outputs, self.outputs = self.outputs, []
        return outputs

    def snapshot(self):
        return b"state"


class Producer:
    """Calls `during` before it acknowledges."""

    def __init__(self, during):
        self.during = during

    async def send(self, *_, **__):
        return asyncio.ensure_future(self._acknowledge())

    async def _acknowledge(self):
        self.during()
        return SimpleNamespace(timestamp=1, timestamp_type=1)


@pytest.fixture
def tenure():
    return Tenure(0, Machine(), LEDGER, start={}, resets=0, stored=Stored())


def take(tenure):
    batch = SimpleNamespace(log_records=list, let_go=lambda: None)
    tenure.take("predictions", batch, SimpleNamespace(ack=lambda: True))


async def test_it_is_idle_until_something_is_read_and_once_all_is_durable(tenure):
    """Outputs alone leave a state to be stored."""
    assert tenure.idle(store=True)
    take(tenure)
    assert not tenure.idle(store=False)
    await tenure.cycle(Producer(lambda: None), store=False)
    assert tenure.idle(store=False)
    assert not tenure.idle(store=True)
    await tenure.cycle(Producer(lambda: None), store=True)
    assert tenure.idle(store=True)


async def test_it_is_not_idle_while_an_output_is_on_its_way(tenure):
    """Nothing has changed since, but whoever gives the partition up must wait for it."""
    seen = []
    take(tenure)
    await tenure.cycle(Producer(lambda: seen.append(tenure.idle(store=False))), store=False)
    assert [False] == seen


async def test_it_is_not_idle_after_a_cycle_that_was_cut_off(tenure):
    """The next one must say so."""

    def cut_off():
        cycle.cancel()

    take(tenure)
    cycle = asyncio.ensure_future(tenure.cycle(Producer(cut_off), store=False))
    with pytest.raises(asyncio.CancelledError):
        await cycle
    assert not tenure.idle(store=False)
