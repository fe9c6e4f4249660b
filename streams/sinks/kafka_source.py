"""The messages of a sink from Kafka, as a member of the sink's own consumer group.

Promises: of several processes that carry for a sink, one owns each partition, so two do not send
the same; how far the sink has come is the offset of its group, committed after each message, with
the place where it began beside it; a dead letter is acknowledged by the broker before that.
Leaves to others: what becomes of a message (`courier`). Between losing a partition and noticing it
(the session timeout) a call may be made that its new owner makes, too: with the same id.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from aiokafka import (
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRebalanceListener,
    TopicPartition,
)
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata

from schemas import access
from schemas.config import Config
from schemas.config_sinks import SinkTopic
from streams.runtime.installation.reading import Located
from streams.runtime.kafka.connection import connection_of
from streams.sinks.source import Arrived, Mark, reasons

_PAGE: Final = 200
_POLL_MS: Final = 7 * 86_400_000
"""A call may be insisted on for long; membership follows heartbeats, not polls."""

_BEGAN: Final = "began="


class _Losing(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """Forgets what is taken from us at once, also where it comes back in the same breath."""

    def __init__(self, forget: Callable[[Iterable[TopicPartition]], None]) -> None:
        self._forget = forget

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """What was read and is not sent is for the next owner."""
        self._forget(revoked)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Nothing: `next` sees it."""


class KafkaSource:
    """The topics `topics` for the sink `name`; opened by `start`."""

    def __init__(self, config: Config, name: str, topics: Sequence[SinkTopic]) -> None:
        connection = connection_of(config.kafka)
        self._name = name
        self._group = group_of(config, name)
        self._topics = {config.topics.name(topic): topic for topic in topics}
        self._letters = config.topics.name("dead-letters")
        common = connection.aiokafka()
        self._consumer = AIOKafkaConsumer(
            **common,
            group_id=self._group,
            client_id=f"windage-sink-{name}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=config.kafka.session_timeout,
            max_poll_interval_ms=_POLL_MS,
        )
        self._producer = AIOKafkaProducer(**common, acks="all", enable_idempotence=True)
        self._admin = AIOKafkaAdminClient(**common)
        self._marks: dict[TopicPartition, Mark] = {}
        """Of the partitions that are ours, since they are."""
        self._ends: dict[TopicPartition, int] = {}
        self._ready: deque[Arrived] = deque()

    async def start(self) -> "KafkaSource":
        """Connect; KafkaError if nobody answers."""
        for client in (self._consumer, self._producer, self._admin):
            await client.start()
        self._consumer.subscribe(list(self._topics), listener=_Losing(self._forget))
        return self

    async def next(self, seconds: float) -> Arrived | None:
        """The next record; None: nothing came for so long."""
        if not self._ready:
            fetched = await self._consumer.getmany(
                timeout_ms=int(seconds * 1000), max_records=_PAGE
            )
            await self._keep_up()
            for place, records in fetched.items():
                if place in self._marks:
                    self._take(place, records)
        while self._ready:
            arrived = self._ready.popleft()
            if self.owns(arrived):
                return arrived
        return None

    def owns(self, arrived: Arrived) -> bool:
        """Whether its partition is still ours, and has been since it was read."""
        place = self._place(arrived)
        return place in self._marks and place in self._consumer.assignment()

    async def done(self, arrived: Arrived) -> None:
        """Commit the offset behind it; nothing where the partition went to another process."""
        place = self._place(arrived)
        mark = self._marks.get(place)
        if mark is None or not self.owns(arrived):
            return
        mark = Mark(began=mark.began, done=max(mark.done, arrived.record.offset + 1))
        # Another one's partition now: it comes again there.
        with contextlib.suppress(CommitFailedError, IllegalStateError):
            await self._commit(place, mark)
            self._marks[place] = mark

    async def refused(self, arrived: Arrived, reason: str) -> None:
        """Write its dead letter, then that it is done."""
        record = arrived.record
        await self._producer.send_and_wait(
            self._letters,
            value=record.value,
            key=record.key,
            headers=list(reasons(record, self._name, reason)),
        )
        await self.done(arrived)

    def waiting(self) -> int:
        """Records of our partitions that are not done yet, as of the last look."""
        return sum(mark.waiting(self._ends.get(place, 0)) for place, mark in self._marks.items())

    async def close(self) -> None:
        """Leave the group, and let go of connections."""
        for client in (self._consumer, self._producer):
            with contextlib.suppress(KafkaError):
                await client.stop()
        await self._admin.close()

    def _place(self, arrived: Arrived) -> TopicPartition:
        names = {topic: name for name, topic in self._topics.items()}
        record = arrived.record
        return TopicPartition(names[record.topic], record.partition)  # type: ignore[index]

    def _forget(self, places: Iterable[TopicPartition]) -> None:
        gone = {place for place in places if self._marks.pop(place, None) is not None}
        if gone:
            self._ready = deque(one for one in self._ready if self._place(one) not in gone)

    async def _keep_up(self) -> None:
        """Follow what is assigned to us, and where it ends."""
        ours = self._consumer.assignment()
        self._forget(set(self._marks) - ours)
        fresh = ours - set(self._marks)
        if fresh:
            await self._begin(fresh)
        for place in self._marks:
            highwater = self._consumer.highwater(place)
            self._ends[place] = highwater if highwater is not None else self._ends.get(place, 0)

    async def _begin(self, places: set[TopicPartition]) -> None:
        """Read partitions that have become ours from where memory can be made of them."""
        told = await self._admin.list_consumer_group_offsets(self._group, partitions=list(places))
        begins = await self._consumer.beginning_offsets(list(places))
        ends = await self._consumer.end_offsets(list(places))
        for place in places:
            self._ends[place] = ends[place]
            mark = _mark_of(told.get(place))
            if mark is None:
                # At once: what is written from now on is new, whatever becomes of this process.
                mark = Mark(began=ends[place], done=begins[place])
                with contextlib.suppress(CommitFailedError, IllegalStateError):
                    await self._commit(place, mark)
            with contextlib.suppress(IllegalStateError):  # gone again
                self._consumer.seek(place, max(begins[place], mark.first))
                self._marks[place] = mark

    async def _commit(self, place: TopicPartition, mark: Mark) -> None:
        at = OffsetAndMetadata(mark.done, f"{_BEGAN}{mark.began}")
        await self._consumer.commit({place: at})

    def _take(self, place: TopicPartition, records: Sequence[Any]) -> None:
        mark = self._marks[place]
        for one in records:
            record = Located(
                topic=self._topics[place.topic],
                partition=place.partition,
                offset=one.offset,
                timestamp=one.timestamp,
                key=one.key,
                value=one.value,
                headers=tuple(one.headers),
            )
            self._ready.append(Arrived(record=record, standing=mark.standing(one.offset)))


def group_of(config: Config, name: str) -> str:
    """The consumer group of a sink."""
    return f"{access.group_of(config, 'sinks')}-{name}"


def _mark_of(told: Any) -> Mark | None:  # noqa: ANN401 - aiokafka has no types
    """The mark of a committed offset; None where nothing was committed."""
    if told is None or told.offset < 0:
        return None
    text = told.metadata or ""
    began = text.removeprefix(_BEGAN)
    began = int(began) if text.startswith(_BEGAN) and began.isdigit() else told.offset
    return Mark(began=began, done=told.offset)


async def opened(config: Config, name: str, topics: Sequence[SinkTopic]) -> KafkaSource:
    """The source of a sink, connected; closed again if that fails."""
    source = KafkaSource(config, name, topics)
    try:
        async with asyncio.timeout(config.kafka.session_timeout / 1000 + 10):
            return await source.start()
    except BaseException:
        await source.close()
        raise
