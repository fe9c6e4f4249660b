"""Dead letters sent again after a fix: what they were, where they came from, which were sent.

Promises: key, bytes, headers and partition are those of the original record, the reasons are
taken off; a letter is sent once, however often it is asked for, because what was sent is
remembered where the letters are (a row of the SQLite log, offsets of a consumer group in Kafka).
A crash between sending and remembering sends again; the profiler knows such a record as a
duplicate.
Leaves to others: choosing letters, printing (commands).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from schemas.config import Config
from schemas.log import INPUT_LOGS, Headers
from streams.runtime.installation import offsets
from streams.runtime.installation.reading import Located, SqliteReader
from streams.runtime.installation.writing import DirectoryWriter, KafkaWriter, Letter
from streams.runtime.kafka.connection import connection_of
from streams.runtime.kafka.exits import RefusedError, UnreachableError
from streams.runtime.sqlite_log import SqliteLog

STATE: Final = "replayed"
_REASON_NAMES: Final = frozenset(
    {
        *(f"windage.error.{name}" for name in ("code", "message", "stage", "version")),
        *(f"__connect.errors.{name}" for name in ("topic", "partition", "offset")),
        "__connect.errors.exception.class.name",
        "__connect.errors.exception.message",
    }
)
_METADATA_BYTES: Final = 4_000
"""Kafka's brokers take 4,096 bytes beside an offset."""

Place = tuple[int, int]
"""Partition and offset of a dead letter."""


class Post(Protocol):
    """Sends letters again, and remembers."""

    def sent(self) -> set[Place]:
        """Dead letters that were sent again before."""

    def send(self, letters: Mapping[Place, Letter]) -> None:
        """Send these, durably, and remember them."""


def original(letter: Located) -> Letter | None:
    """The record as it came; None if the letter does not say where from."""
    headers = list(letter.headers)
    last = {name: number for number, (name, _) in enumerate(headers) if name in _REASON_NAMES}
    reasons = {name: headers[number][1] or b"" for name, number in last.items()}
    topic = reasons.get("__connect.errors.topic", b"").decode(errors="replace")
    partition = reasons.get("__connect.errors.partition", b"")
    if topic not in INPUT_LOGS or not partition.isdigit():
        return None
    kept: Headers = [pair for number, pair in enumerate(headers) if number not in last.values()]
    return Letter(
        topic=topic,
        key=letter.key,
        value=letter.value,
        headers=tuple(kept),
        partition=int(partition),
    )


class SqlitePost:
    """For the log of an embedded installation that nothing runs on."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def sent(self) -> set[Place]:
        """Dead letters that were sent again before."""
        with SqliteReader(self._directory) as reader:
            return _places(msgspec.json.decode(reader.state(STATE) or b"{}"))

    def send(self, letters: Mapping[Place, Letter]) -> None:
        """Send these, durably, and remember them; LogError while another process has the log."""
        known = self.sent()
        DirectoryWriter(self._directory).write(list(letters.values()))
        with SqliteReader(self._directory) as reader:
            partitions = reader.partitions
        log = SqliteLog(self._directory, partitions)
        try:
            log.commit([], {STATE: msgspec.json.encode(_texts(known | set(letters)))})
        finally:
            log.close()


class KafkaPost:
    """For the topics of a config."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._topic = config.topics.name("dead-letters")

    def sent(self) -> set[Place]:
        """Dead letters that were sent again before."""
        consumer = self._consumer()
        try:
            texts = {}
            for place in self._partitions(consumer):
                at = consumer.committed(place, metadata=True)
                if at is not None:
                    texts[str(place.partition)] = at.metadata
            return _places(texts)
        finally:
            consumer.close()

    def send(self, letters: Mapping[Place, Letter]) -> None:
        """Send these, durably, and remember them; RefusedError where that is too much to say."""
        from kafka import TopicPartition  # noqa: PLC0415 - only this way needs it
        from kafka.structs import OffsetAndMetadata  # noqa: PLC0415 - as above

        texts = _texts(self.sent() | set(letters))
        if any(len(text) > _METADATA_BYTES for text in texts.values()):
            raise RefusedError("too many single letters to remember; replay without a choice")
        KafkaWriter(self._config).write(list(letters.values()))
        marks = {
            TopicPartition(self._topic, int(number)): OffsetAndMetadata(
                max(offsets.read(text)) + 1, text, -1
            )
            for number, text in texts.items()
        }
        consumer = self._consumer()
        try:
            consumer.assign(list(marks))
            consumer.commit(marks)
        finally:
            consumer.close()

    def _consumer(self) -> Any:  # noqa: ANN401 - kafka-python has no types
        from kafka import KafkaConsumer  # noqa: PLC0415 - as above
        from kafka.errors import KafkaError  # noqa: PLC0415 - as above

        connection = connection_of(self._config.kafka)
        try:
            return KafkaConsumer(
                **connection.kafka_python(),
                group_id=f"{self._config.kafka.group}-replayed",
                enable_auto_commit=False,
            )
        except KafkaError as error:
            raise UnreachableError(
                f"Kafka does not answer at {connection.bootstrap} ({type(error).__name__})"
            ) from None

    def _partitions(self, consumer: Any) -> Iterable[Any]:  # noqa: ANN401 - as above
        from kafka import TopicPartition  # noqa: PLC0415 - as above

        numbers = consumer.partitions_for_topic(self._topic) or ()
        return [TopicPartition(self._topic, number) for number in sorted(numbers)]


def _places(texts: Mapping[str, str]) -> set[Place]:
    return {(int(number), at) for number, text in texts.items() for at in offsets.read(text)}


def _texts(places: Iterable[Place]) -> dict[str, str]:
    by_number: dict[int, list[int]] = {}
    for number, offset in places:
        by_number.setdefault(number, []).append(offset)
    return {str(number): offsets.write(own) for number, own in sorted(by_number.items())}
