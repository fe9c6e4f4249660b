"""The steps of durability, one by one, with a broker that does as it is told."""

import asyncio
import weakref
from types import SimpleNamespace

import pytest

from schemas.log import Output
from streams import snapshot as snapshots
from streams.runtime.kafka.batch import Batch
from streams.runtime.kafka.tenure import CutOffError, Ledger, Stored, Tenure
from streams.runtime.partitions import partition_of

LEDGER = Ledger(state_topic="state", names={"journal": "journal"}, topics={}, chunk_bytes=4)


class Machine:
    """Counts records; every record is an output."""

    def __init__(self):
        self.rows = 0
        self.outputs = []
        self.rereading = False

    def positions(self):
        return {"predictions": self.rows}

    def step(self, _log, records):
        self.rows += len(records)
        self.outputs += [Output(topic="journal", key=b"k", value=bytes(r)) for r in records]

    def flush(self):
        outputs, self.outputs = self.outputs, []
        return outputs

    def snapshot(self):
        return None if self.rereading else b"rows %6d" % self.rows

    def order(self):
        return (self.rows,)


class Producer:
    """Notes what is sent, and acknowledges it when `during` has run."""

    def __init__(self, happened, during=None):
        self.happened = happened
        self.during = during or (lambda topic, key: None)

    async def send(self, topic, value, *, key=None, **_):
        self.happened.append(("sent", topic, key, value))
        return asyncio.ensure_future(self._acknowledge(topic, key))

    async def _acknowledge(self, topic, key):
        await asyncio.sleep(0)
        self.during(topic, key)
        self.happened.append(("acknowledged", topic, key))
        return SimpleNamespace(timestamp=1234, timestamp_type=1)


class Event:
    def __init__(self, happened, name):
        self.happened = happened
        self.name = name

    def ack(self):
        self.happened.append(("ack", self.name))
        return True


def batch(*values):
    return SimpleNamespace(log_records=lambda: list(values), let_go=lambda: None)


@pytest.fixture
def happened():
    return []


@pytest.fixture
def tenure():
    return Tenure(0, Machine(), LEDGER, start={}, resets=0, stored=Stored())


def stored(happened):
    """The snapshot in what was sent to the state topic."""
    sent = [entry for entry in happened if entry[:2] == ("sent", "state")]
    found = snapshots.assemble(snapshots.StateRecord(key, value) for _, _, key, value in sent)
    return None if found is None else found.snapshot


async def test_outputs_then_chunks_then_the_manifest_then_the_ack(tenure, happened):
    """Each step begins when the one before is acknowledged by the broker."""
    tenure.take("predictions", batch(b"a"), Event(happened, "a"))
    assert 1234 == await tenure.cycle(Producer(happened), store=True)
    steps = [(what, *rest[:2]) for what, *rest in happened]
    name = steps[2][2].partition(b"/")[0]
    assert [
        ("sent", "journal", b"k"),
        ("acknowledged", "journal", b"k"),
        *[("sent", "state", b"%s/%d" % (name, chunk)) for chunk in range(3)],
        *[("acknowledged", "state", b"%s/%d" % (name, chunk)) for chunk in range(3)],
        ("sent", "state", name + b"/manifest"),
        ("acknowledged", "state", name + b"/manifest"),
        ("ack", "a"),
    ] == steps


async def test_whoever_listens_is_told_of_outputs_that_are_durable(tenure, happened):
    """After the broker has taken them, and before the snapshot."""
    tenure.take("predictions", batch(b"a"), Event(happened, "a"))
    told = lambda outputs: happened.append(("told", [one.topic for one in outputs]))
    await tenure.cycle(Producer(happened), store=True, told=told)
    at = happened.index(("told", ["journal"]))
    assert [("acknowledged", "journal")] == [one[:2] for one in happened[at - 1 : at]]
    assert ("sent", "state") == happened[at + 1][:2]


async def test_what_was_counted_is_not_held_until_the_snapshot(tenure, happened):
    """Its event waits to be acknowledged; all that is read meanwhile would stay in memory."""

    class Kept(SimpleNamespace):
        pass

    records = [Kept(offset=7, timestamp=1_000), Kept(offset=8, timestamp=1_001)]
    last = weakref.ref(records[-1])
    read = Batch(("predictions", 0), records, begins=5)
    event = Event(happened, "a")
    event.value = read  # as Faust's have it
    tenure.machine.step = lambda _log, _records: None
    tenure.take("predictions", read, event)
    del records
    assert last() is None
    assert (5, 8, 1_001, 2) == (read.begins, read.offset, read.timestamp, read.count)


async def test_two_snapshots_are_kept(tenure, happened):
    """Each takes the place of the one before the last, with all its records."""
    sizes = []
    for number in range(4):
        tenure.take("predictions", batch(b"%d" % number), Event(happened, number))
        await tenure.cycle(Producer(happened), store=True)
        written = (one[2:] for one in happened if one[:2] == ("sent", "state"))
        there = dict(written)
        sizes.append(sum(value is not None for value in there.values()))
    assert [4, 8, 8, 8] == sizes  # three chunks and a manifest each


async def test_what_is_read_while_waiting_belongs_to_the_next_cycle(tenure, happened):
    """Its output is not sent yet, so it is neither in the snapshot nor acknowledged."""

    def read_on(topic, _key):
        if topic == "journal" and tenure.machine.rows == 1:
            tenure.take("predictions", batch(b"b"), Event(happened, "b"))

    await tenure.cycle(Producer(happened), store=True)
    tenure.take("predictions", batch(b"a"), Event(happened, "a"))
    await tenure.cycle(Producer(happened, read_on), store=True)
    assert b"rows      1" == stored(happened)
    assert [("ack", "a")] == [entry for entry in happened if entry[0] == "ack"]
    await tenure.cycle(Producer(happened), store=True)
    assert b"rows      2" == stored(happened)
    assert [("ack", "a"), ("ack", "b")] == [entry for entry in happened if entry[0] == "ack"]


@pytest.mark.parametrize("lost_at", ["journal", "state"])
async def test_who_lost_the_partition_acknowledges_nothing(tenure, happened, lost_at):
    """Lost while outputs or the snapshot are under way."""

    def lose(topic, _key):
        if topic == lost_at:
            tenure.end()

    tenure.take("predictions", batch(b"a"), Event(happened, "a"))
    await tenure.cycle(Producer(happened, lose), store=True)
    assert [] == [entry for entry in happened if entry[0] == "ack"]
    assert (lost_at == "state") == any(entry[1] == "state" for entry in happened)


@pytest.mark.parametrize("fails_at", ["journal", "state"])
async def test_a_failed_send_is_raised_and_the_state_is_never_used_again(
    tenure, happened, fails_at
):
    """The caller must end the process; nothing is acknowledged."""

    def fail(topic, _key):
        if topic == fails_at:
            raise OSError("broken")

    tenure.take("predictions", batch(b"a"), Event(happened, "a"))
    with pytest.raises(OSError, match="broken"):
        await tenure.cycle(Producer(happened, fail), store=True)
    assert tenure.owes
    assert [] == [entry for entry in happened if entry[0] == "ack"]
    await asyncio.sleep(0.01)  # lets what was under way end


@pytest.mark.parametrize("cut_at", ["journal", "state"])
async def test_after_a_cancelled_cycle_there_is_no_snapshot(tenure, happened, cut_at):
    """The last cycle of a shutdown would otherwise store a state whose outputs were never sent."""
    tenure.take("predictions", batch(b"a"), Event(happened, "a"))
    cycle = None

    def cut(topic, _key):
        if topic == cut_at:
            cycle.cancel()

    cycle = asyncio.create_task(tenure.cycle(Producer(happened, cut), store=True))
    with pytest.raises(asyncio.CancelledError):
        await cycle
    before = list(happened)
    tenure.take("predictions", batch(b"b"), Event(happened, "b"))
    with pytest.raises(CutOffError, match="partition 0"):
        await tenure.cycle(Producer(happened), store=True)
    assert before == [entry for entry in happened if entry[0] != "acknowledged" or entry in before]
    assert [] == [entry for entry in happened if entry[0] == "ack"]


async def test_what_a_snapshot_has_read_is_known_once_it_is_durable(tenure, happened):
    """The marks of the group are these positions."""
    seen = []
    tenure.take("predictions", batch(b"a"), Event(happened, "a"))
    await tenure.cycle(Producer(happened, lambda *_: seen.append(tenure.durable)), store=True)
    assert {"predictions": 1} == tenure.durable
    assert all(one == {} for one in seen)


async def test_without_storing_outputs_go_and_acknowledgement_waits(tenure, happened):
    """A later cycle stores and acknowledges all of it."""
    tenure.take("predictions", batch(b"a"), Event(happened, "a"))
    await tenure.cycle(Producer(happened), store=False)
    assert ["journal", "journal"] == [entry[1] for entry in happened]
    await tenure.cycle(Producer(happened), store=True)
    assert b"rows      1" == stored(happened)
    assert ("ack", "a") == happened[-1]


async def test_while_re_reading_nothing_is_stored_or_acknowledged(tenure, happened):
    """The events wait for the first snapshot after it."""
    tenure.machine.rereading = True
    tenure.take("predictions", batch(b"a"), Event(happened, "a"))
    await tenure.cycle(Producer(happened), store=True)
    assert {"journal"} == {entry[1] for entry in happened}
    tenure.machine.rereading = False
    await tenure.cycle(Producer(happened), store=True)
    assert ("ack", "a") == happened[-1]


class Batches(Producer):
    """Takes batches of a few bytes, too."""

    async def partitions_for(self, _topic):
        return {0, 1, 2}

    def create_batch(self):
        taken, size = [], 0

        def append(*, key, value, timestamp, headers):
            nonlocal size
            size += len(value)
            if taken and size > 40:
                return None
            assert isinstance(headers, list)  # aiokafka's own takes nothing else
            taken.append((key, value, timestamp, tuple(headers)))
            return len(taken)

        return SimpleNamespace(append=append, taken=taken)

    async def send_batch(self, batch, topic, *, partition):
        self.happened.append(("batch", topic, partition, list(batch.taken)))
        return asyncio.ensure_future(self._acknowledge(topic, partition))


async def test_many_dead_letters_go_in_batches_each_once_and_in_order(happened):
    """Letters stay whole and in order at the partition of their key; all are awaited, then told."""
    letters = [
        Output(
            topic="dead-letters",
            key=None if i % 7 == 0 else b"key %d" % (i % 5),
            value=b"%d" % i if i != 50 else b"x" * 100,
            headers=(("h", b"%d" % i),),
            timestamp=1_000 + i,
        )
        for i in range(120)
    ]
    ledger = Ledger(state_topic="state", names={"journal": "j", "dead-letters": "dead"}, topics={})
    machine, told = Machine(), []
    tenure = Tenure(0, machine, ledger, start={}, resets=0, stored=Stored())
    tenure.take("predictions", batch(b"a"), Event(happened, "a"))
    machine.outputs += letters
    await tenure.cycle(Batches(happened), store=False, told=told.extend)
    batches = [entry for entry in happened if entry[0] == "batch"]
    found = {}
    for _, topic, partition, taken in batches:
        assert topic == "dead"
        found.setdefault(partition, []).extend(taken)
    expected = {}
    for one in letters:
        home = partition_of(one.key, 3)
        expected.setdefault(home, []).append((one.key, one.value, one.timestamp, one.headers))
    assert expected == found
    assert len(batches) > len(found)
    assert len(batches) + 1 == sum(entry[0] == "acknowledged" for entry in happened)
    assert 121 == len(told)
