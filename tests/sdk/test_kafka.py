"""Publishing to and reading from a real broker, with a real `windage worker` in between."""

import asyncio
import json
import subprocess
import sys
import time

import pytest
from kafka import KafkaConsumer, TopicPartition

import windage
import windage.aio
from streams.runtime.partitions import partition_of
from tests.kafka.command import PARTITIONS, command  # noqa: F401 - a fixture
from tests.refused import good, now

ROWS = 300
COUNT_SECONDS = 60


def records(bootstrap, topic):
    """Every record of a topic."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        tps = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)]
        consumer.assign(tps)
        ends = consumer.end_offsets(tps)
        found = []
        while any(consumer.position(tp) < ends[tp] for tp in tps):
            for some in consumer.poll(timeout_ms=500).values():
                found += some
        return found
    finally:
        consumer.close()


def address(broker):
    return f"kafka://{broker.bootstrap}"


async def test_three_producers_give_the_same_counts(broker, command, topic_prefix):  # noqa: F811
    """kafka-python, aiokafka, and plain lines of a console producer; each repeats some of its ids.

    Ids that come twice count once: the product joins what each of them has sent.
    """
    command.start()
    given = {"model": "m", "version": "1", "topic_prefix": topic_prefix, "batches": "rows"}
    rows = [{"x": n % 7 / 2, "city": ("rome", "oslo")[n % 2]} for n in range(ROWS)]
    at = now()
    with windage.Publisher(address(broker), **given) as pub:
        for n in [*range(ROWS), *range(10)]:
            pub.prediction(rows[n], n % 2, id=f"s{n}", timestamp=at)
        pub.labels({f"s{n}": n % 2 for n in range(ROWS)}, timestamp=at)
        assert await asyncio.to_thread(pub.flush, 30)
    assert (2 * ROWS + 10, 0) == (pub.counts.sent, pub.dropped)
    async with windage.aio.Publisher(address(broker), **given) as apub:
        for n in [*range(ROWS), *range(10)]:
            await apub.prediction(rows[n], n % 2, id=f"a{n}", timestamp=at)
        await apub.labels({f"a{n}": n % 2 for n in range(ROWS)}, timestamp=at)
        assert await apub.flush(30)
    assert (2 * ROWS + 10, 0) == (apub.counts.sent, apub.dropped)
    plain = [good(n, at) for n in [*range(ROWS), *range(10)]]
    await command.write([(key, value, ()) for key, value in plain])
    counted = {"read": 3 * (ROWS + 10), "counted": 3 * ROWS, "duplicate": 3 * 10}
    found = {}
    deadline = time.monotonic() + COUNT_SECONDS
    while not counted.items() <= found.items():
        assert time.monotonic() < deadline, (found, command.said())
        await asyncio.sleep(0.3)
        found = await command.accounts()
    placed = await asyncio.to_thread(records, broker.bootstrap, topic_prefix + "predictions")
    assert all(partition_of(r.key, PARTITIONS) == r.partition for r in placed)


def test_a_missing_topic_holds_nothing_else_up(broker, make_topic, topic_prefix):
    """Its events are dropped as `no_topic`, soon; the topic is not made by accident."""
    make_topic("predictions", 2)
    pub = windage.Publisher(address(broker), model="m", version="1", topic_prefix=topic_prefix)
    pub.metric("ctr", 0.1)
    pub.prediction({}, 1)
    assert pub.flush(40)
    assert {"no_topic": 1} == pub.counts.reasons
    assert 1 == pub.counts.sent
    assert pub.close()


@pytest.mark.slow
async def test_a_missing_topic_holds_nothing_up_when_awaited(broker, make_topic, topic_prefix):
    """The same with aiokafka."""
    make_topic("predictions", 2)
    async with windage.aio.Publisher(
        address(broker), model="m", version="1", topic_prefix=topic_prefix
    ) as pub:
        await pub.metric("ctr", 0.1)
        await pub.prediction({}, 1)
        assert await pub.flush(40)
    assert ({"no_topic": 1}, 1) == (pub.counts.reasons, pub.counts.sent)


def test_a_process_that_ends_sends_to_kafka_first(broker, make_topic, topic_prefix):
    """Although the client closes itself at exit, too."""
    topic = make_topic("predictions", 2)
    program = f"""
import windage
pub = windage.Publisher({address(broker)!r}, model="m", version="1", topic_prefix={topic_prefix!r},
                        close_timeout_s=30)
for n in range(300):
    pub.prediction({{"x": n}}, 1)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=90)
    assert 300 == len(records(broker.bootstrap, topic))


@pytest.mark.slow
def test_a_broker_that_dies_in_between_loses_nothing(broker, make_topic, topic_prefix):
    """Calls go on without waiting; what was published meanwhile arrives when it is back."""
    topic = make_topic("predictions", 2)
    pub = windage.Publisher(address(broker), model="m", version="1", topic_prefix=topic_prefix)
    for n in range(100):
        pub.prediction({"x": n}, 1, id=f"p{n}")
    assert pub.flush(30)
    broker.kill()
    begun = time.perf_counter()
    for n in range(100, 200):
        pub.prediction({"x": n}, 1, id=f"p{n}")
    assert time.perf_counter() - begun < 2
    assert not pub.flush(1)
    broker.start()
    assert pub.flush(90)
    assert pub.close(30)
    assert {f"p{n}" for n in range(200)} == {
        json.loads(r.value)["prediction_id"] for r in records(broker.bootstrap, topic)
    }
    assert 0 == pub.dropped


def batch_of(pub, n):
    ids = [f"p{i}" for i in range(n)]
    return pub.predictions({"x": list(range(n))}, [1] * n, ids=ids)


@pytest.mark.parametrize("form", ["arrow", "columns"])
async def test_batches_go_to_the_partition_of_their_ids(broker, make_topic, topic_prefix, form):
    """Without a key; all ids of a record belong to its partition; from either client."""
    topic = make_topic("predictions", 3)
    given = {"model": "m", "version": "1", "topic_prefix": topic_prefix, "batches": form}
    with windage.Publisher(address(broker), **given) as pub:
        batch_of(pub, 1000)
        assert await asyncio.to_thread(pub.flush, 30)
    async with windage.aio.Publisher(address(broker), **given) as apub:
        await batch_of(apub, 1000)
        assert await apub.flush(30)
    assert (1000, 1000) == (pub.counts.sent, apub.counts.sent)
    found = await asyncio.to_thread(records, broker.bootstrap, topic)
    ids = [(record.partition, pid) for record in found for pid in ids_of(record)]
    assert 2000 == len(ids)
    assert all(partition_of(pid.encode(), 3) == partition for partition, pid in ids)
    assert {None} == {record.key for record in found}


def ids_of(record):
    if dict(record.headers).get("content-type") == b"application/vnd.apache.arrow.stream":
        import pyarrow as pa

        return pa.ipc.open_stream(record.value).read_all()["prediction_id"].to_pylist()
    return json.loads(record.value)["columns"]["prediction_id"]
