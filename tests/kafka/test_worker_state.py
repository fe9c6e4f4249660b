"""A state is found again whole, or the worker refuses to start and says why; it never guesses."""

import asyncio
from contextlib import closing
from random import Random

import pytest
from aiokafka import AIOKafkaProducer
from hypothesis import given
from hypothesis import strategies as st
from kafka.admin import KafkaAdminClient, NewTopic

from schemas.config import Config
from streams import snapshot as snapshots
from streams.runtime.kafka import restore
from streams.runtime.kafka.agreement import hashes_of
from streams.runtime.kafka.connection import Connection
from streams.runtime.kafka.exits import RefusedError
from streams.runtime.kafka.process import settings_of
from streams.runtime.kafka.reset import reset
from streams.runtime.roles import ProfilerRole
from streams.snapshot import Meta, SnapshotError, StateRecord
from tests.kafka.test_worker import Feed, fleet  # noqa: F401 - a fixture


def meta(*order, sequence=0, **positions):
    return Meta(order=order, positions=positions, sequence=sequence)


def cut(state, about, **more):
    """The records of a snapshot, in the order of appending."""
    made = snapshots.split(state, about, **more)
    return [*made.records, made.manifest]


def compacted(records):
    """What compaction leaves: the last record of each key, in place; tombstones stay a while."""
    last = {record.key: at for at, record in enumerate(records)}
    return [record for at, record in enumerate(records) if last[record.key] == at]


@given(st.binary(max_size=300), st.integers(1, 70), st.binary(max_size=64))
def test_a_snapshot_comes_back_whole(state, limit, secret):
    """Any bytes, any record limit, with and without a key."""
    records = cut(state, meta(0, 7, predictions=9), limit=limit, secret=secret)
    assert all(len(r.value) <= limit or r.key.endswith(b"manifest") for r in records)
    found = snapshots.assemble(records, secret=secret)
    assert (state, {"predictions": 9}, ()) == (
        found.snapshot,
        found.meta.positions,
        found.litter,
    )
    assert {record.key for record in records} == set(found.keys)


@given(
    st.lists(st.tuples(st.binary(max_size=90), st.integers(0, 5)), min_size=1, max_size=6),
    st.integers(0, 10_000),
)
def test_a_crash_while_writing_leaves_the_snapshot_before(states, cutoff):
    """Cut the log anywhere, compact it or not: the best sealed snapshot in it is found."""
    log, sealed = [], []
    for number, (state, rank) in enumerate(states):
        log += cut(state, meta(number, rank), limit=20)
        sealed.append((len(log), state))
    cutoff %= len(log) + 1
    best = [state for end, state in sealed if end <= cutoff]
    for view in (log[:cutoff], compacted(log[:cutoff])):
        found = snapshots.assemble(view)
        assert (best[-1] if best else None) == (None if found is None else found.snapshot)


def test_the_largest_order_wins_not_the_last_written():
    """A stale worker that writes late cannot set the state back."""
    log = [*cut(b"new", meta(0, 900)), *cut(b"stale", meta(0, 500))]
    assert b"new" == snapshots.assemble(log).snapshot
    log += cut(b"reset", meta(1))
    assert b"reset" == snapshots.assemble(log).snapshot


@given(st.integers(0, 2**32), st.booleans())
def test_two_writers_spoil_nothing_of_each_other(seed, compact):
    """However the records of two writers follow each other, the better snapshot is whole."""
    new, stale = cut(b"n" * 30, meta(0, 9), limit=10), cut(b"s" * 30, meta(0, 5), limit=10)
    mixed, chance = [], Random(seed)
    while new or stale:
        source = chance.choice([one for one in (new, stale) if one])
        mixed.append(source.pop(0))
    view = compacted(mixed) if compact else mixed
    assert b"n" * 30 == snapshots.assemble(view).snapshot


def test_what_others_have_left_is_litter():
    """Keys of older snapshots and of unfinished ones, to be deleted by who goes on."""
    older, torn, newer = cut(b"o", meta(0, 1)), cut(b"t", meta(0, 2))[:1], cut(b"n", meta(0, 3))
    found = snapshots.assemble([*older, *torn, *newer])
    assert {record.key for record in (*older, *torn)} == set(found.litter)


def test_a_damaged_newest_snapshot_has_a_predecessor():
    """One flipped bit, in a chunk or in the manifest, costs one interval and not the state."""
    older, newer = cut(b"older", meta(0, 1)), cut(b"newer", meta(0, 2))
    for at, record in enumerate(newer):
        broken = StateRecord(record.key, bytes([record.value[0] ^ 1]) + record.value[1:])
        log = [*older, *newer[:at], broken, *newer[at + 1 :]]
        found = snapshots.assemble(log)
        assert (b"older", 1) == (found.snapshot, found.damaged)


def test_nothing_intact_is_an_error_and_nothing_at_all_is_not():
    chunk, manifest = cut(b"state", meta(0, 1))
    assert snapshots.assemble([]) is None
    assert snapshots.assemble([chunk]) is None
    with pytest.raises(SnapshotError, match="intact"):
        snapshots.assemble([manifest])


def test_a_wrong_key_opens_nothing():
    with pytest.raises(SnapshotError, match="intact"):
        snapshots.assemble(cut(b"state", meta(0, 1), secret=b"right"), secret=b"wrong")


def test_a_newer_format_is_refused_even_beside_an_older_snapshot(monkeypatch):
    """Going on from the older one would undo what the newer program did."""
    older = cut(b"older", meta(0, 1))
    monkeypatch.setattr(snapshots, "FORMAT", snapshots.FORMAT + 1)
    newer = cut(b"newer", meta(0, 2))
    monkeypatch.undo()
    with pytest.raises(SnapshotError, match="newer version"):
        snapshots.assemble([*older, *newer])


BOUNDS = restore.Bounds(begins={"predictions": 100}, ends={"predictions": 200})


def test_a_snapshot_ahead_of_its_log_is_refused():
    restore.check_meta(meta(0, predictions=200), BOUNDS, {})
    with pytest.raises(RefusedError, match="made anew or cut off"):
        restore.check_meta(meta(0, predictions=201), BOUNDS, {})


def test_a_snapshot_of_a_topic_that_was_made_anew_is_refused():
    """Also when the new topic is longer already than the old one was."""
    about = Meta(order=(0,), positions={"predictions": 150}, topics={"predictions": "a"})
    restore.check_meta(about, BOUNDS, {"predictions": "a"})
    with pytest.raises(RefusedError, match="not the topic"):
        restore.check_meta(about, BOUNDS, {"predictions": "b"})


def test_retention_that_passed_the_state_is_refused():
    restore.check_wanted({"predictions": 100}, BOUNDS)
    with pytest.raises(RefusedError, match="retention"):
        restore.check_wanted({"predictions": 99}, BOUNDS)


def test_a_group_that_has_read_needs_its_snapshot():
    restore.check_never_read({"predictions": None, "labels": 0})
    with pytest.raises(RefusedError, match="holds no snapshot"):
        restore.check_never_read({"predictions": 5})


def test_the_hash_of_a_config_changes_with_what_is_counted_only():
    """What a worker stores beside its state tells a longer pane, and not a stricter tolerance."""

    def told(**model):
        wanted = {"task": "binary", "reference": {"from": "first"}, **model}
        config = Config.model_validate({"models": {"m": wanted, "n": {"task": "none"}}})
        return settings_of(config, "profiler")["config"]

    assert told() == told(tolerance=0.5)
    was, now = hashes_of(told()), hashes_of(told(pane="7m"))
    assert ["m"] == [name for name in was if was[name] != now[name]]


def test_a_state_of_other_partition_counts_is_refused():
    """Keys go elsewhere when partitions are added: labels would miss their predictions."""
    config = Config.model_validate({"models": {"m": {"task": "binary"}}})
    role = ProfilerRole(config, {})
    state = role.fresh(1, 4).snapshot()
    assert role.restored(1, 4, state).positions() == role.fresh(1, 4).positions()
    with pytest.raises(SnapshotError, match="partition 1 of 4, not 1 of 5"):
        role.restored(1, 5, state)


@pytest.mark.slow
async def test_a_damaged_and_a_missing_state_on_the_broker(fleet):  # noqa: F811
    """The newest snapshot is damaged: the one before is taken, exactly. All deleted: refused."""
    feed = Feed(fleet)
    worker = fleet.start()
    await feed.write(20_000, seconds=3)
    await fleet.counted_to(feed.ends)
    worker.kill()
    worker.wait()
    state = await fleet.read("profiler-state")
    async with AIOKafkaProducer(bootstrap_servers=fleet.bootstrap) as producer:
        for number, records in state.items():
            manifest = max(
                (r for r in records if r.key.endswith(b"manifest")), key=lambda r: r.offset
            )
            spoiled = manifest.value[:-1] + bytes([manifest.value[-1] ^ 1])
            await producer.send_and_wait(
                fleet.names["profiler-state"], spoiled, key=manifest.key, partition=number
            )
    worker = fleet.start()
    await feed.write(5_000, seconds=1)
    feed.assert_exact(await fleet.counted_to(feed.ends))
    worker.terminate()
    assert 0 == await asyncio.to_thread(worker.wait, 30)
    recreate(fleet.bootstrap, fleet.names["profiler-state"], **{"cleanup.policy": "compact"})
    refused = fleet.start()
    assert 2 == await asyncio.to_thread(refused.wait, 30)


@pytest.mark.slow
async def test_an_input_made_anew_is_refused_until_the_state_is_reset(fleet):  # noqa: F811
    """The reset starts at the new beginning, and nothing of the old state comes back."""
    feed = Feed(fleet)
    worker = fleet.start()
    await feed.write(8_000)
    await fleet.counted_to(feed.ends)
    worker.terminate()
    assert 0 == await asyncio.to_thread(worker.wait, 30)
    for log in ("predictions", "labels"):
        recreate(fleet.bootstrap, fleet.names[log])
    anew = Feed(fleet)
    await anew.write(12_000)
    refused = fleet.start()
    assert 2 == await asyncio.to_thread(refused.wait, 30)
    starts = await reset(
        Connection(bootstrap=fleet.bootstrap),
        fleet.names["profiler-state"],
        {log: fleet.names[log] for log in ("predictions", "labels")},
        4,
        where="earliest",
    )
    assert {number: {"predictions": 0, "labels": 0} for number in range(4)} == starts
    fleet.start()
    anew.assert_exact(await fleet.counted_to(anew.ends))


def recreate(bootstrap, topic, **settings):
    """Delete a topic and make it again under its name."""
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        admin.delete_topics([topic])
        for _ in range(100):
            if topic not in admin.list_topics():
                break
        admin.create_topics([NewTopic(topic, 4, 1, topic_configs=settings)])
        admin.wait_for_topics([topic])
