"""An operator's reset: the state of a role is given up, and reading begins at a place they name.

Promises: after it nothing of the old state can come back, also not from a worker that still runs:
models are counted anew, in an epoch of their own, so that what was learned of them and what stands
in the journal counts no more.
Leaves to others: making sure that none does, and asking the operator.
"""

import time
from collections.abc import Mapping, Sequence

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition

from schemas.epoch import Epoch, epochs_of
from streams import snapshot as snapshots
from streams.runtime.epochs import following
from streams.runtime.kafka.agreement import announce
from streams.runtime.kafka.connection import Connection
from streams.runtime.kafka.restore import Bounds, detached_consumer, read_bounds, read_state
from streams.snapshot import Meta, StateRecord


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """Which models begin an epoch (their configs' hashes), and the topic where it is announced."""

    models: Mapping[str, str]
    topic: str
    partitions: int


async def reset(
    connection: Connection,
    state_topic: str,
    names: Mapping[str, str],
    partitions: int,
    *,
    where: str | int,
    secret: bytes = b"",
    renewal: Renewal | None = None,
) -> dict[int, Mapping[str, int]]:
    """Give up the states of a role and let it begin at `where`; returns the new start offsets.

    `names`: logical name > topic of the inputs, each with so many `partitions`; `where`:
    "earliest", "latest", or epoch milliseconds. Written as an empty snapshot of a higher
    order than any before it, so that a worker that still holds the old state cannot win. The
    epochs of `renewal` are announced first: with them alone nothing is counted twice.
    """
    consumer = detached_consumer(connection)
    producer = AIOKafkaProducer(**connection.aiokafka(), acks="all", enable_idempotence=True)
    await consumer.start()
    await producer.start()
    try:
        bounds = await read_bounds(consumer, names, range(partitions))
        stored = await read_state(consumer, state_topic, range(partitions))
        starts = {
            partition: await _begin_at(consumer, names, partition, bounds[partition], where)
            for partition in stored
        }
        if renewal is not None:
            told = await read_state(consumer, renewal.topic, range(renewal.partitions))
            for epoch in _epochs(renewal, told, starts):
                await announce(producer, renewal.topic, epoch)
        for partition, held in stored.items():
            marker = snapshots.split(
                b"",
                Meta(
                    order=(int(time.time() * 1000),),
                    positions=starts[partition],
                    start=starts[partition],
                ),
                secret=secret,
            ).manifest
            gone = {record.key for record in held}
            for record in [*(StateRecord(key, None) for key in sorted(gone)), marker]:
                await producer.send_and_wait(
                    state_topic, record.value, key=record.key, partition=partition
                )
        return starts
    finally:
        await producer.stop()
        await consumer.stop()


def _epochs(
    renewal: Renewal,
    told: Mapping[int, Sequence[StateRecord]],
    starts: Mapping[int, Mapping[str, int]],
) -> list[Epoch]:
    """The next epoch of each model, after what the topic says."""
    values = [one.value for records in told.values() for one in records if one.value is not None]
    lines, since = epochs_of(values), int(time.time() * 1000)
    places = {
        log: tuple(starts[partition][log] for partition in sorted(starts))
        for log in next(iter(starts.values()))
    }
    found = []
    for model, counted in sorted(renewal.models.items()):
        last = lines[model][-1] if model in lines else None
        before = counted if last is None else last.counted
        found.append(following(last, model, counted, before, since, places))
    return found


async def _begin_at(
    consumer: AIOKafkaConsumer,
    names: Mapping[str, str],
    partition: int,
    bounds: Bounds,
    where: str | int,
) -> Mapping[str, int]:
    """Return the offset of each log at `where`."""
    if where == "earliest":
        return bounds.begins
    if where == "latest":
        return bounds.ends
    tps = {TopicPartition(topic, partition): log for log, topic in names.items()}
    found = await consumer.offsets_for_times(dict.fromkeys(tps, int(where)))
    return {
        log: found[tp].offset if found[tp] is not None else bounds.ends[log]
        for tp, log in tps.items()
    }
