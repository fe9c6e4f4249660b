"""A worker on a real broker: nothing is lost or doubled, whatever ends its processes."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams import snapshot as snapshots

PROGRAM = Path(__file__).with_name("counting.py")
PARTITIONS = 4
EVERY = 1000
INPUTS = ["predictions", "labels"]


class Fleet:
    """Worker processes of one group, and the topics they share."""

    def __init__(self, bootstrap, names, group):
        self.bootstrap = bootstrap
        self.names = names
        self.group = group
        self.processes = []

    def start(self, **settings):
        given = {
            "bootstrap": self.bootstrap,
            "inputs": INPUTS,
            "group": self.group,
            "names": self.names,
            "store_s": 0.5,
            "session_timeout_s": 6.0,
            **settings,
        }
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), json.dumps(given)],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            sys.stdout.write(process.stderr.read())  # shown where a test fails
            process.stderr.close()

    async def read(self, name):
        """Every record of a topic, by partition."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            tps = [TopicPartition(self.names[name], number) for number in range(PARTITIONS)]
            consumer.assign(tps)
            ends = await consumer.end_offsets(tps)
            records = {number: [] for number in range(PARTITIONS)}
            for tp in tps:
                while await consumer.position(tp) < ends[tp]:
                    for record in (await consumer.getmany(tp, timeout_ms=200)).get(tp, []):
                        records[tp.partition].append(record)
            return records
        finally:
            await consumer.stop()

    async def states(self):
        """The newest state of each partition, None where there is none."""
        states = {}
        for number, records in (await self.read("profiler-state")).items():
            found = snapshots.assemble(snapshots.StateRecord(r.key, r.value) for r in records)
            told = found is not None and found.snapshot  # a reset leaves an empty one
            states[number] = msgspec.msgpack.decode(found.snapshot) if told else None
        return states

    async def counted_to(self, ends, seconds=60):
        """The states, once every log was counted to its end."""
        deadline = time.monotonic() + seconds
        while True:
            states = await self.states()
            if all(s and s["positions"] == ends[n] for n, s in states.items()):
                return states
            assert time.monotonic() < deadline, (states, ends, [p.poll() for p in self.processes])
            await asyncio.sleep(0.3)

    async def outputs(self, name="journal"):
        return [r.value.decode() for records in (await self.read(name)).values() for r in records]


class Feed:
    """Writes integers, and remembers what an exact count of them is."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.number = 0
        self.rows = {log: Counter() for log in INPUTS}
        self.totals = {log: Counter() for log in INPUTS}
        self.offsets = {log: Counter() for log in INPUTS}
        self.outputs = set()
        self.bad = []

    async def write(self, count, *, seconds=0.0, bad_every=0):
        """Write `count` numbers over `seconds`; a bad record follows each `bad_every`-th."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.fleet.bootstrap, acks="all", enable_idempotence=True, linger_ms=5
        ) as producer:
            begun = time.monotonic()
            for step in range(count):
                log, at = INPUTS[self.number % 2], (self.number // 2) % PARTITIONS
                await self._send(producer, log, at, b"%d" % self.number)
                self._count(log, at, self.number)
                if bad_every and self.number % bad_every == 0:
                    value = [b"poison", b"", None, b"\xff\xfe", b"{" * 5000][step % 5]
                    self.bad.append((f"{log}/{at}/{self.offsets[log][at]}", value))
                    await self._send(producer, log, at, value)
                self.number += 1
                if seconds and step % 500 == 0:
                    await asyncio.sleep(max(0.0, begun + seconds * step / count - time.monotonic()))

    async def _send(self, producer, log, at, value):
        await producer.send(self.fleet.names[log], value, key=b"k", partition=at)
        self.offsets[log][at] += 1

    def _count(self, log, at, number):
        self.rows[log][at] += 1
        self.totals[log][at] += number
        if self.rows[log][at] % EVERY == 0:
            self.outputs.add(f"{log}:{at}:{self.rows[log][at]}:{self.totals[log][at]}")

    @property
    def ends(self):
        """Log ends by partition."""
        return {at: {log: self.offsets[log][at] for log in INPUTS} for at in range(PARTITIONS)}

    def assert_exact(self, states):
        """Every record was counted once."""
        for at, state in states.items():
            assert {log: self.rows[log][at] for log in INPUTS} == state["rows"]
            assert {log: self.totals[log][at] for log in INPUTS} == state["totals"]


@pytest.fixture
def fleet(broker, make_topic, topic_prefix):
    names = {
        log: make_topic(log, PARTITIONS, message_timestamp_type="LogAppendTime") for log in INPUTS
    }
    names |= {
        name: make_topic(name, PARTITIONS) for name in ("journal", "readings", "dead-letters")
    }
    names |= {
        name: make_topic(
            name, PARTITIONS, cleanup_policy="compact", message_timestamp_type="LogAppendTime"
        )
        for name in ("profiler-state", "references")
    }
    fleet = Fleet(broker.bootstrap, names, f"{topic_prefix}group")
    yield fleet
    fleet.end()


async def test_kill_9_loses_and_doubles_nothing(fleet):
    """A worker killed twice half-way leaves the same counts and outputs as one that ran through."""
    feed = Feed(fleet)
    worker = fleet.start()
    writing = asyncio.create_task(feed.write(50_000, seconds=7))
    for _ in range(2):
        await asyncio.sleep(3.2)
        worker.kill()
        assert -signal.SIGKILL == worker.wait()
        worker = fleet.start()
    await writing
    feed.assert_exact(await fleet.counted_to(feed.ends))
    outputs = await fleet.outputs()
    assert feed.outputs == set(outputs)
    worker.terminate()
    assert 0 == await asyncio.to_thread(worker.wait, 30)


async def test_poison_is_a_dead_letter_each_and_stops_nothing(fleet):
    """Bad records, tombstones among them, become one dead letter each, bytes unchanged."""
    feed = Feed(fleet)
    await feed.write(20_000, bad_every=7)
    worker = fleet.start()
    states = await fleet.counted_to(feed.ends)
    feed.assert_exact(states)
    letters = Counter(
        (dict(r.headers)["at"].decode(), r.value)
        for records in (await fleet.read("dead-letters")).values()
        for r in records
    )
    assert Counter((at, value or b"") for at, value in feed.bad) == letters
    assert worker.poll() is None


async def test_workers_joining_and_leaving_change_nothing(fleet):
    """A second worker joins half-way, then the first is stopped in order: counts stay exact."""
    feed = Feed(fleet)
    first = fleet.start()
    writing = asyncio.create_task(feed.write(50_000, seconds=9))
    await asyncio.sleep(3)
    second = fleet.start()
    await asyncio.sleep(4)
    first.send_signal(signal.SIGTERM)
    assert 0 == await asyncio.to_thread(first.wait, 30)
    await writing
    feed.assert_exact(await fleet.counted_to(feed.ends))
    assert feed.outputs == set(await fleet.outputs())
    assert second.poll() is None


async def test_a_worker_stopped_for_three_session_timeouts_changes_nothing_when_it_wakes(fleet):
    """Meanwhile another has taken over; what the stale one does then sets nothing back."""
    session = 3.0
    feed = Feed(fleet)
    sleeper = fleet.start(session_timeout_s=session)
    await feed.write(10_000, seconds=2)
    before = await fleet.counted_to(feed.ends)
    writing = asyncio.create_task(feed.write(30_000, seconds=14))
    await asyncio.sleep(1.0)
    sleeper.send_signal(signal.SIGSTOP)
    fleet.start(session_timeout_s=session)
    await asyncio.sleep(3 * session)
    taken_over = await fleet.states()
    assert all(
        sum(taken_over[at]["positions"].values()) > sum(before[at]["positions"].values())
        for at in before
    ), "the other one owns and counts everything while the first is stopped"
    sleeper.send_signal(signal.SIGCONT)
    await writing
    feed.assert_exact(await fleet.counted_to(feed.ends))
    outputs = await fleet.outputs()
    assert feed.outputs == set(outputs)
    assert sleeper.poll() is None


@pytest.mark.slow
async def test_three_minutes_of_joins_and_leaves_every_3_s_leave_no_lag(fleet):
    """Two guests come and go beside one that stays; a minute later everything is counted."""
    feed = Feed(fleet)
    fleet.start()
    await feed.write(4_000, seconds=2)
    await fleet.counted_to(feed.ends)
    writing = asyncio.create_task(feed.write(180_000, seconds=180))
    guests = []
    for turn in range(60):
        if turn % 4 < 2:
            guests.append(fleet.start())
        else:
            guest = guests.pop(0)
            (guest.terminate if turn % 8 < 4 else guest.kill)()
            await asyncio.to_thread(guest.wait, 30)
        await asyncio.sleep(3)
    await writing
    feed.assert_exact(await fleet.counted_to(feed.ends, seconds=60))
    assert feed.outputs == set(await fleet.outputs())


async def test_a_reference_makes_the_machines_read_their_logs_again(fleet):
    """What is adopted while running is counted from the first offsets, once."""
    feed = Feed(fleet)
    fleet.start()
    await feed.write(20_000, seconds=3)
    await fleet.counted_to(feed.ends)
    async with AIOKafkaProducer(bootstrap_servers=fleet.bootstrap) as producer:
        await producer.send_and_wait(fleet.names["references"], b"grid-1", key=b"m", partition=1)
    deadline = time.monotonic() + 30
    states = await fleet.counted_to(feed.ends)
    while any(state["adopted"] != ["grid-1"] for state in states.values()):
        assert time.monotonic() < deadline
        states = await fleet.counted_to(feed.ends)
    feed.assert_exact(states)
    await feed.write(10_000)
    feed.assert_exact(await fleet.counted_to(feed.ends))


async def test_ticks_come_only_at_the_real_end_of_a_log(fleet):
    """Each log read to its end is told so, at an instant that the broker has passed."""
    feed = Feed(fleet)
    await feed.write(800)
    before = time.time() * 1000
    fleet.start(tick_ms=1000, allowance_ms=500)
    await fleet.counted_to(feed.ends)
    await asyncio.sleep(4)
    told = [tick.split(":") for tick in await fleet.outputs("readings")]
    assert {(str(at), log) for at in range(PARTITIONS) for log in INPUTS} == {
        (at, log) for _, at, log, _ in told
    }
    instants = [int(now) for *_, now in told]
    assert before - 2000 < min(instants)
    assert max(instants) < time.time() * 1000 - 400


async def test_an_output_that_is_not_taken_ends_the_worker_before_anything_is_stored(
    fleet, make_topic
):
    """The broker refuses the outputs: exit code 3, no snapshot, no committed offset."""
    fleet.names["journal"] = make_topic("narrow", PARTITIONS, max_message_bytes="60")
    feed = Feed(fleet)
    await feed.write(16_000)
    worker = fleet.start()
    assert 3 == await asyncio.to_thread(worker.wait, 30)
    assert dict.fromkeys(range(PARTITIONS)) == await fleet.states()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=fleet.bootstrap, group_id=fleet.group, enable_auto_commit=False
    )
    await consumer.start()
    try:
        tps = [TopicPartition(fleet.names[log], at) for log in INPUTS for at in range(PARTITIONS)]
        assert dict.fromkeys(tps) == {tp: await consumer.committed(tp) for tp in tps}
    finally:
        await consumer.stop()
