"""Restoring: read a state topic from begin to end, choose a snapshot, compare it with the logs.

Promises: it never guesses. A missing, damaged or newer snapshot, one that is ahead of its topic,
and one that retention has passed are refused with the reason; only the explicit reset of an
operator starts anew.
Leaves to others: making the machine (the role), when to restore (`worker`).
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from streams import snapshot as snapshots
from streams.runtime.kafka.connection import Connection
from streams.runtime.kafka.exits import RefusedError, UnreachableError
from streams.snapshot import Found, Meta, SnapshotError, StateRecord

PATIENCE_SECONDS: Final = 30.0
"""How long a read may bring nothing before the broker counts as not reachable."""

ANSWER_MS: Final = 10_500
"""How long one request waits on a line that may be dead; aiokafka wants more than a session's."""

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
        **connection.aiokafka(),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=ANSWER_MS,
    )


async def read_state(
    consumer: AIOKafkaConsumer,
    topic: str,
    partitions: Iterable[int],
    progress: Callable[[], None] = lambda: None,
) -> dict[int, list[StateRecord]]:
    """Return every record of these partitions of the state topic, in log order.

    `progress` is called whenever some have come.
    """
    found: dict[int, list[StateRecord]] = {partition: [] for partition in partitions}
    tps = [TopicPartition(topic, partition) for partition in found]
    begins = await consumer.beginning_offsets(tps)
    ends = await consumer.end_offsets(tps)
    # All at once: one after the other would cost a long poll each.
    left = {tp for tp in tps if begins[tp] < ends[tp]}
    consumer.assign(left)
    for tp in left:
        consumer.seek(tp, begins[tp])
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left:
        for tp, records in (await consumer.getmany(*left, timeout_ms=500)).items():
            found[tp.partition] += [StateRecord(r.key or b"", r.value) for r in records]
            deadline = time.monotonic() + PATIENCE_SECONDS
            progress()
        left = {tp for tp in left if await consumer.position(tp) < ends[tp]}
        if time.monotonic() > deadline:
            raise UnreachableError(f"{topic} cannot be read to its end")
    for tp in tps:
        if begins[tp] < ends[tp] and not found[tp.partition]:
            raise RefusedError(
                f"{topic}[{tp.partition}] has offsets {begins[tp]}..{ends[tp] - 1}, but none came"
                f"{RESET_HINT}"
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


def choose(records: Iterable[StateRecord], secret: bytes) -> Found | None:
    """Return the snapshot to continue from, None if there never was one; else RefusedError."""
    try:
        return snapshots.assemble(records, secret=secret)
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
