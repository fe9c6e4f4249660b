"""Reading topics of an installation from Kafka, without belonging to a consumer group.

Promises: as `installation.reading.Reader`; a broker that does not answer is one UnreachableError
within seconds.
Leaves to others: what the records mean, which topics there should be.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Final, Self, cast

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from schemas import access
from schemas.config import Config
from schemas.log import INPUT_LOGS, Millis
from schemas.vocabulary import TopicName, words
from streams.runtime.installation.reading import EVERYTHING, Located, Span, newest_before
from streams.runtime.kafka.connection import connection_of
from streams.runtime.kafka.exits import RefusedError, UnreachableError
from streams.runtime.kafka.survey import open_admin

POLL_MS: Final = 300
SILENT_POLLS: Final = 50
"""Empty answers in a row after which records that should be there count as not reachable."""


class KafkaReader:
    """Reads the topics of a config."""

    def __init__(self, config: Config) -> None:
        """UnreachableError where nobody answers, RefusedError where the way is not allowed."""
        self._config = config
        self._connection = connection_of(config.kafka)
        open_admin(self._connection).close()  # quick and clear where nobody answers
        self._consumer: Any = KafkaConsumer(
            **self._connection.kafka_python(),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            client_id="windage-reader",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, topic: str, span: Span = EVERYTHING) -> Iterator[Located]:
        """The records that are there now, partition by partition."""
        for place in self._places(topic):
            if span.partition in (None, place.partition):
                yield from self._read(topic, place, span)

    def follow(self, topics: Sequence[str], newest: int = 0) -> Iterator[Located | None]:
        """The `newest` of each topic, then what is appended, for ever; None: nothing came now."""
        names = {self._name(topic): topic for topic in topics}
        places = [place for topic in topics for place in self._places(topic)]
        if not places:
            raise RefusedError(f"not on the broker: {', '.join(names)} (windage topics create)")
        ends = self._consumer.end_offsets(places)
        known = {(names[place.topic], place.partition): ends[place] for place in places}
        yield from newest_before(self, topics, newest, known)
        self._consumer.assign(places)
        for place in places:
            self._consumer.seek(place, ends[place])
        while True:
            came = self._consumer.poll(timeout_ms=POLL_MS)
            for place, records in came.items():
                yield from (_located(names[place.topic], record) for record in records)
            if not came:
                yield None

    def within(self, topic: str, span: Millis) -> int:
        """Records that were appended within the last `span` milliseconds, as far as they are kept.

        By offsets: markers of transactions and what compaction has removed count, too.
        """
        since = Span(since=time.time_ns() // 1_000_000 - span)
        bounds = [self._bounds(place, since) for place in self._places(topic)]
        return sum(max(0, end - begin) for begin, end in bounds)

    def lag(self) -> dict[str, int] | None:
        """Records of each input log that the profilers have not acknowledged; None: no group."""
        group = access.group_of(self._config, "profiler")
        with closing(open_admin(self._connection)) as admin:
            try:
                told = admin.list_group_offsets([group])
            except KafkaError:
                return None
        ours = {self._name(log) for log in INPUT_LOGS}  # others may use a group of this name
        committed = {
            place: at.offset for place, at in (told.get(group) or {}).items() if place.topic in ours
        }
        if not committed:
            return None
        lag: dict[str, int] = {}
        for log in INPUT_LOGS:
            places = self._places(log)
            ends = self._consumer.end_offsets(places)
            begins = self._consumer.beginning_offsets(places)
            lag[log] = sum(max(0, ends[p] - max(begins[p], committed.get(p, 0))) for p in places)
        return lag

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()

    def _name(self, topic: str) -> str:
        assert topic in words(TopicName), topic
        return self._config.topics.name(cast("TopicName", topic))

    def _places(self, topic: str) -> list[TopicPartition]:
        name = self._name(topic)
        try:
            numbers = self._consumer.partitions_for_topic(name) or ()
        except KafkaError as error:
            raise UnreachableError(f"{name} cannot be read ({type(error).__name__})") from None
        return [TopicPartition(name, number) for number in sorted(numbers)]

    def _read(self, topic: str, place: TopicPartition, span: Span) -> Iterator[Located]:
        begin, end = self._bounds(place, span)
        if begin >= end:
            return
        self._consumer.assign([place])
        self._consumer.seek(place, begin)
        silent = 0
        while self._consumer.position(place) < end:
            records = self._consumer.poll(timeout_ms=POLL_MS).get(place, [])
            silent = 0 if records else silent + 1
            if silent > SILENT_POLLS:
                raise UnreachableError(f"{place.topic}[{place.partition}] does not come to its end")
            for record in records:
                if record.offset >= end:
                    return
                late = span.until is not None and record.timestamp >= span.until
                early = span.since is not None and record.timestamp < span.since
                if not late and not early:
                    yield _located(topic, record)

    def _bounds(self, place: TopicPartition, span: Span) -> tuple[int, int]:
        """The first offset to read, and the one after the last."""
        begin: int = self._consumer.beginning_offsets([place])[place]
        end: int = self._consumer.end_offsets([place])[place]
        if span.since is not None:
            found = self._consumer.offsets_for_times({place: span.since})[place]
            begin = end if found is None else max(begin, found.offset)
        if span.newest is not None:
            begin = max(begin, end - span.newest)
        if span.first is not None:
            begin = max(begin, span.first)
        return begin, end if span.last is None else min(end, span.last + 1)


def _located(topic: str, record: Any) -> Located:  # noqa: ANN401 - kafka-python has no types
    return Located(
        topic=topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=record.timestamp,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers or ()),
    )
