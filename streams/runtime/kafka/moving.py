"""The state of an installation as one archive: taken from one cluster, put into another.

Promises: an archive is sealed (with `state.key`, if there is one) and taken whole or not at all;
it is put only where nothing is yet, and only onto topics that have the offsets its snapshots
speak of; the snapshots are then bound to the new topics.
Leaves to others: copying the topics themselves with their offsets (a mirror that keeps offsets, or
the brokers' disks), files (the command).
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final, Literal

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition

from schemas.config import Config
from schemas.epoch import standing
from schemas.vocabulary import TopicName
from streams import snapshot as snapshots
from streams.runtime.kafka.connection import connection_of
from streams.runtime.kafka.exits import RefusedError
from streams.runtime.kafka.process import ROLES, secret_of, topic_names
from streams.runtime.kafka.restore import Bounds, detached_consumer, read_bounds, read_state
from streams.runtime.kafka.survey import survey
from streams.snapshot import Meta

FORMAT: Final = 1
_MAGIC: Final = b"windage-state\n"
_DIGEST_BYTES: Final = 32

RoleName = Literal["profiler", "monitor"]
_ROLES: Final[tuple[RoleName, ...]] = ("profiler", "monitor")


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshot of one partition of a role."""

    role: RoleName
    partition: int
    meta: Meta
    snapshot: bytes


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is moved. `models`: hash of each model's config."""

    format: int = FORMAT
    app: str
    models: dict[str, str]
    partitions: dict[RoleName, int]
    snapshots: list[Taken]
    references: list[tuple[bytes, bytes]]


def pack(archive: Archive, config: Config) -> bytes:
    """The archive as bytes."""
    body = msgspec.msgpack.encode(archive)
    return _MAGIC + _seal(body, secret_of(config)) + body


def unpack(content: bytes, config: Config) -> Archive:
    """The archive of bytes; RefusedError if they are damaged, of another key or a newer version."""
    if not content.startswith(_MAGIC):
        raise RefusedError("this is no export of windage state")
    seal = content[len(_MAGIC) : len(_MAGIC) + _DIGEST_BYTES]
    body = content[len(_MAGIC) + _DIGEST_BYTES :]
    if seal != _seal(body, secret_of(config)):
        raise RefusedError("the export is damaged, or was sealed with another state.key")
    archive = msgspec.msgpack.decode(body, type=Archive)
    if archive.format > FORMAT:
        raise RefusedError(f"the export has format {archive.format}, this program reads {FORMAT}")
    return archive


async def take(config: Config) -> Archive:
    """The newest snapshots and references on the broker; RefusedError if there are none."""
    secret = secret_of(config)
    taken: list[Taken] = []
    partitions: dict[RoleName, int] = {}
    consumer = detached_consumer(connection_of(config.kafka))
    await consumer.start()
    try:
        for role in _ROLES:
            names, count = _shape(config, role)
            partitions[role] = count
            stored = await read_state(consumer, names[f"{role}-state"], range(count))
            for partition, records in stored.items():
                found = snapshots.assemble(records, secret=secret)
                if found is not None:
                    taken.append(
                        Taken(
                            role=role,
                            partition=partition,
                            meta=found.meta,
                            snapshot=found.snapshot,
                        )
                    )
        references = await _references(consumer, config)
    finally:
        await consumer.stop()
    if not taken:
        raise RefusedError("there is no state to export: no worker has stored one")
    return Archive(
        app=config.app,
        models=config.hashes(),
        partitions=partitions,
        snapshots=taken,
        references=references,
    )


async def put(archive: Archive, config: Config) -> None:
    """Write it to the broker of the config, after every check; RefusedError says what fails."""
    _check_config(archive, config)
    secret = secret_of(config)
    connection = connection_of(config.kafka)
    consumer = detached_consumer(connection)
    await consumer.start()
    try:
        identities: dict[RoleName, dict[str, str]] = {}
        for role in _ROLES:
            names, count = _shape(config, role)
            if count != archive.partitions[role]:
                raise RefusedError(
                    f"the inputs of the {role} have {count} partitions here, "
                    f"{archive.partitions[role]} where the state is from"
                )
            stored = await read_state(consumer, names[f"{role}-state"], range(count))
            if any(stored.values()):
                raise RefusedError(f"{names[f'{role}-state']} holds a state already")
            inputs = {log: names[log] for log in ROLES[role].inputs}
            bounds = await read_bounds(consumer, inputs, range(count))
            there = survey(connection, inputs.values())
            identities[role] = {log: there[name].identity for log, name in inputs.items()}
            for one in archive.snapshots:
                if one.role == role:
                    _check_bounds(one, bounds[one.partition])
    finally:
        await consumer.stop()
    producer = AIOKafkaProducer(**connection.aiokafka(), acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await _write(producer, archive, config, identities, secret)
    finally:
        await producer.stop()


async def _write(
    producer: AIOKafkaProducer,
    archive: Archive,
    config: Config,
    identities: Mapping[RoleName, Mapping[str, str]],
    secret: bytes,
) -> None:
    # 1. What a restored machine must know.
    for key, value in archive.references:
        await producer.send_and_wait(config.topics.name("references"), value, key=key)
    # 2. The snapshots, each manifest last.
    for one in archive.snapshots:
        meta = msgspec.structs.replace(one.meta, topics=identities[one.role])
        state: TopicName = "profiler-state" if one.role == "profiler" else "monitor-state"
        for record in snapshots.split(one.snapshot, meta, secret=secret).records:
            await _send(producer, config.topics.name(state), one.partition, record)
        manifest = snapshots.split(one.snapshot, meta, secret=secret).manifest
        await _send(producer, config.topics.name(state), one.partition, manifest)


async def _send(
    producer: AIOKafkaProducer, topic: str, partition: int, record: snapshots.StateRecord
) -> None:
    await producer.send_and_wait(topic, record.value, key=record.key, partition=partition)


def _shape(config: Config, role: RoleName) -> tuple[dict[str, str], int]:
    """Topics of a role, and how many partitions its inputs have."""
    names = topic_names(config, role)
    there = survey(connection_of(config.kafka), names.values())
    missing = sorted(set(names.values()) - set(there))
    if missing:
        raise RefusedError(f"not on the broker: {', '.join(missing)} (windage topics create)")
    return names, there[names[ROLES[role].inputs[0]]].partitions


def _check_config(archive: Archive, config: Config) -> None:
    """RefusedError where a model counts otherwise here than where the state is from."""
    here = config.hashes()
    for name, told in archive.models.items():
        if here.get(name) != told:
            what = "is not in this config" if name not in here else "counts otherwise here"
            raise RefusedError(f"model {name} {what}: its state cannot be continued")


def _check_bounds(one: Taken, bounds: Bounds) -> None:
    for log, position in one.meta.positions.items():
        end = bounds.ends.get(log)
        if end is not None and position > end:
            raise RefusedError(
                f"{one.role}[{one.partition}] has read {log} up to {position}, but it ends at "
                f"{end} here: copy the topics with their offsets first"
            )
        begin = bounds.begins.get(log, 0)
        if position < begin:
            raise RefusedError(
                f"{one.role}[{one.partition}] goes on at {position} of {log}, but it begins at "
                f"{begin} here: copy the topics with their offsets first"
            )


async def _references(consumer: AIOKafkaConsumer, config: Config) -> list[tuple[bytes, bytes]]:
    """The newest reference under each key; of epochs those that stand, whatever order they get."""
    topic = config.topics.name("references")
    count = survey(connection_of(config.kafka), [topic])[topic].partitions
    found: dict[bytes, bytes | None] = {}
    tps = [TopicPartition(topic, number) for number in range(count)]
    for record in await _all(consumer, tps):
        found[record.key or b""] = record.value
    there = {key: value for key, value in found.items() if value is not None}
    stand = set(standing(there.values()))
    return [(key, value) for key, value in sorted(there.items()) if value in stand]


async def _all(consumer: AIOKafkaConsumer, tps: list[TopicPartition]) -> list[Any]:
    """Every record of these partitions."""
    ends = await consumer.end_offsets(tps)
    begins = await consumer.beginning_offsets(tps)
    left = {tp for tp in tps if begins[tp] < ends[tp]}
    consumer.assign(left)
    records: list[Any] = []
    while left:
        for told in (await consumer.getmany(*left, timeout_ms=500)).values():
            records += told
        left = {tp for tp in left if await consumer.position(tp) < ends[tp]}
    return records


def _seal(body: bytes, secret: bytes) -> bytes:
    return blake2b(body, digest_size=_DIGEST_BYTES, key=secret).digest()
