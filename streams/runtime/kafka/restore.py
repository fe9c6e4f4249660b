"""Restoring: read a state topic from begin to end, choose a snapshot, compare it with the logs.

Promises: it never guesses. A missing, damaged or newer snapshot, one that is ahead of its topic,
and one that retention has passed are refused with the reason; only the explicit reset of an
operator starts anew.
Leaves to others: making the machine (the role), when to restore (`worker`).
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition

from streams import snapshot as slots
from streams.runtime.kafka.connection import Connection
from streams.runtime.kafka.exits import RefusedError, UnreachableError
from streams.snapshot import Found, Meta, SlotRecord, SnapshotError

PATIENCE_SECONDS: Final = 30.0
"""How long a read may bring nothing before the broker counts as not reachable."""

RESET_HINT: Final = "; to give the state up and start anew: --reset-from earliest|latest|TIME"


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """First offset still there, and the one after the last, of the logs of one partition."""

    begins: Mapping[str, int]
    ends: Mapping[str, int]


def detached_consumer(connection: Connection) -> AIOKafkaConsumer:
    """Return a consumer of no group that starts at the beginning of what it is assigned.

    `earliest` is essential: with aiokafka's default the reset to the end races with the seek, and
    the state silently comes back empty.
    """
    return AIOKafkaConsumer(
        **connection.aiokafka(), enable_auto_commit=False, auto_offset_reset="earliest"
    )


async def read_slots(
    consumer: AIOKafkaConsumer, topic: str, partitions: Iterable[int]
) -> dict[int, list[SlotRecord]]:
    """Return every record of these partitions of the state topic, in log order."""
    found: dict[int, list[SlotRecord]] = {partition: [] for partition in partitions}
    for partition, records in found.items():
        tp = TopicPartition(topic, partition)
        consumer.assign([tp])
        begin = (await consumer.beginning_offsets([tp]))[tp]
        end = (await consumer.end_offsets([tp]))[tp]
        if begin == end:
            continue
        consumer.seek(tp, begin)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while await consumer.position(tp) < end:
            for record in (await consumer.getmany(tp, timeout_ms=500)).get(tp, []):
                records.append(SlotRecord(record.key or b"", record.value))
                deadline = time.monotonic() + PATIENCE_SECONDS
            if time.monotonic() > deadline:
                raise UnreachableError(f"{topic}[{partition}] cannot be read to its end {end}")
        if not records:
            raise RefusedError(
                f"{topic}[{partition}] has offsets {begin}..{end - 1}, but none came{RESET_HINT}"
            )
    return found


async def read_bounds(
    consumer: AIOKafkaConsumer, names: Mapping[str, str], partitions: Iterable[int]
) -> dict[int, Bounds]:
    """Return begin and end of each log (logical name > topic) of these partitions."""
    wanted = [
        (p, log, TopicPartition(topic, p)) for p in partitions for log, topic in names.items()
    ]
    tps = [tp for _, _, tp in wanted]
    first = await consumer.beginning_offsets(tps) if tps else {}
    last = await consumer.end_offsets(tps) if tps else {}
    begins: dict[int, dict[str, int]] = defaultdict(dict)
    ends: dict[int, dict[str, int]] = defaultdict(dict)
    for partition, log, tp in wanted:
        begins[partition][log] = first[tp]
        ends[partition][log] = last[tp]
    return {p: Bounds(begins=begins[p], ends=ends[p]) for p in begins}


def choose(records: Iterable[SlotRecord], secret: bytes) -> Found | None:
    """Return the snapshot to continue from, None if there never was one; else RefusedError."""
    try:
        return slots.assemble(records, secret=secret)
    except SnapshotError as error:
        raise RefusedError(f"{error}{RESET_HINT}") from None


def check_meta(meta: Meta, bounds: Bounds, topics: Mapping[str, str]) -> None:
    """RefusedError if the snapshot is of another topic than the one that is there now."""
    for log, identity in topics.items():
        known = meta.topics.get(log, identity)
        if known != identity:
            raise RefusedError(f"{log} is not the topic the snapshot was made from{RESET_HINT}")
    for log, position in meta.positions.items():
        end = bounds.ends.get(log)
        if end is not None and position > end:
            raise RefusedError(
                f"the snapshot has read {log} up to {position}, but it ends at {end}: the topic "
                f"was made anew or cut off{RESET_HINT}"
            )


def check_wanted(wanted: Mapping[str, int], bounds: Bounds) -> None:
    """RefusedError if retention has deleted what the restored machine must read."""
    for log, offset in wanted.items():
        begin = bounds.begins[log]
        if offset < begin:
            raise RefusedError(
                f"{log} must be read from {offset}, but retention has deleted everything before "
                f"{begin}{RESET_HINT}"
            )


def check_never_read(committed: Mapping[str, int | None]) -> None:
    """RefusedError if the group has read before and its snapshot is gone."""
    for log, offset in committed.items():
        if offset:
            raise RefusedError(
                f"the group has read {log} up to {offset}, but the state topic holds no snapshot"
                f"{RESET_HINT}"
            )


async def reset(
    connection: Connection, state_topic: str, names: Mapping[str, str], where: str | int
) -> dict[int, Mapping[str, int]]:
    """Give up the states of a role and let it begin at `where`; returns the new start offsets.

    `where`: "earliest", "latest", or epoch milliseconds. Written as an empty snapshot of a higher
    order than any before it, so that a worker that still holds the old state cannot win.
    """
    consumer = detached_consumer(connection)
    producer = AIOKafkaProducer(**connection.aiokafka(), acks="all", enable_idempotence=True)
    await consumer.start()
    await producer.start()
    try:
        topic = next(iter(names.values()))
        # Metadata of topics is only loaded for topics that were asked for.
        partitions = sorted(await _partitions(consumer, topic))
        bounds = await read_bounds(consumer, names, partitions)
        starts: dict[int, Mapping[str, int]] = {}
        for partition, slot_records in (
            await read_slots(consumer, state_topic, partitions)
        ).items():
            starts[partition] = await _begin_at(
                consumer, names, partition, bounds[partition], where
            )
            marker = slots.split(
                b"",
                Meta(
                    order=(int(time.time() * 1000),),
                    positions=starts[partition],
                    start=starts[partition],
                ),
                slot=0,
            ).manifest
            gone = {record.key for record in slot_records}
            for record in [*(SlotRecord(key, None) for key in sorted(gone)), marker]:
                await producer.send_and_wait(
                    state_topic, record.value, key=record.key, partition=partition
                )
        return starts
    finally:
        await producer.stop()
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        await consumer.topics()
        found = consumer.partitions_for_topic(topic)
        if found:
            return set(found)
    raise RefusedError(f"there is no topic {topic}")


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
