"""Saying something to an installation: into its SQLite log, over HTTP, or into Kafka.

Promises: when `write` returns, the records are durable and in order; either all of them, or an
error says which way was closed.
Leaves to others: what is said (`schemas.inputs`), where to (commands).

One rule for embedded installations: their log has one writer. While `windage serve` runs, say it
over HTTP; while nothing runs, straight into the directory.
"""

import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import msgspec
import orjson

from schemas.config import Config
from schemas.log import INPUT_LOGS, Headers, Output
from streams.runtime.installation.reading import SqliteReader
from streams.runtime.kafka.exits import RefusedError, UnreachableError
from streams.runtime.partitions import partition_of
from streams.runtime.sqlite_log import Entry, Group, LogError, SqliteLog

ANSWER_SECONDS: Final = 15.0


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A record to write; `topic` is the logical name. `partition` None: that of the key."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


class Writer(Protocol):
    """Takes records for an installation."""

    def write(self, letters: Sequence[Letter]) -> None:
        """Append them, durably."""


class DirectoryWriter:
    """Appends to the log of an embedded installation that nothing runs on."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def write(self, letters: Sequence[Letter]) -> None:
        """Append them, durably; LogError while another process has the log."""
        with SqliteReader(self._directory) as reader:
            partitions = reader.partitions
        try:
            log = SqliteLog(self._directory, partitions)
        except LogError as error:
            hint = "; stop windage serve first, or say it over HTTP: --url http://localhost:8080"
            raise LogError(f"{error}{hint}") from None
        try:
            said = [letter for letter in letters if letter.topic in INPUT_LOGS]
            log.append([Group(entries=[_entry(letter) for letter in said])])
            outputs = [_output(letter) for letter in letters if letter.topic not in INPUT_LOGS]
            if outputs:
                log.commit([(output, 0) for output in outputs], {})
        finally:
            log.close()


class HttpWriter:
    """Posts events to a running `windage serve`; only input events can be said there."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """RefusedError where `url` is no HTTP address."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RefusedError(
                f"--url: must be an address such as http://localhost:8080, not {url}"
            )
        self._url = url.rstrip("/")
        self._token = token

    def write(self, letters: Sequence[Letter]) -> None:
        """Post them in one request; UnreachableError, or RefusedError with the server's reason."""
        foreign = sorted({letter.topic for letter in letters} - set(INPUT_LOGS))
        if foreign:
            raise RefusedError(
                f"{', '.join(foreign)}: a server takes input events only; stop it and say --data"
            )
        values = b"[" + b",".join(letter.value or b"null" for letter in letters) + b"]"
        told = self.ask("/v1/events", values)
        if told.get("errors"):
            raise RefusedError(f"{self._url}: {told['errors'][0].get('message')}")

    def ask(self, path: str, body: bytes | None = None) -> Any:  # noqa: ANN401 - JSON
        """The answer to a GET, or to a POST of JSON; errors as in `write`."""
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        asked = urllib.request.Request(f"{self._url}{path}", body, headers)  # noqa: S310 - checked
        try:
            with urllib.request.urlopen(asked, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
                return orjson.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise RefusedError(f"{self._url}: {_reason(error)}") from None
        except (urllib.error.URLError, OSError, orjson.JSONDecodeError) as error:
            reason = getattr(error, "reason", error)
            raise UnreachableError(f"{self._url} does not answer ({reason})") from None


class KafkaWriter:
    """Produces to the topics of a config."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def write(self, letters: Sequence[Letter]) -> None:
        """Send all and wait for the broker's word; UnreachableError if it does not come."""
        from kafka import KafkaProducer  # noqa: PLC0415 - costs 0.1 s, and only this way needs it
        from kafka.errors import KafkaError  # noqa: PLC0415 - as above

        from streams.runtime.kafka.connection import connection_of  # noqa: PLC0415 - as above
        from streams.runtime.kafka.survey import survey  # noqa: PLC0415 - as above

        connection = connection_of(self._config.kafka)
        names: Any = {one.topic: self._config.topics.name(one.topic) for one in letters}  # type: ignore[arg-type]  # refused below if unknown
        there = survey(connection, names.values())
        missing = sorted(set(names.values()) - set(there))
        if missing:
            raise RefusedError(f"not on the broker: {', '.join(missing)} (windage topics create)")
        producer = KafkaProducer(
            **connection.kafka_python(), acks="all", client_id="windage", linger_ms=5
        )
        try:
            pending = []
            for one in letters:
                name = names[one.topic]
                number = one.partition
                if number is None:
                    number = partition_of(one.key, there[name].partitions)
                pending.append(
                    producer.send(
                        name, one.value, key=one.key, headers=list(one.headers), partition=number
                    )
                )
            for future in pending:
                future.get(timeout=ANSWER_SECONDS)
        except KafkaError as error:
            raise UnreachableError(
                f"Kafka at {connection.bootstrap} did not take the records ({type(error).__name__})"
            ) from None
        finally:
            producer.close(timeout=ANSWER_SECONDS)


def _entry(letter: Letter) -> Entry:
    return Entry(
        log=letter.topic,
        key=letter.key,
        value=letter.value,
        headers=tuple(letter.headers),
        partition=letter.partition,
    )


def _output(letter: Letter) -> Output:
    return Output(
        topic=letter.topic,  # type: ignore[arg-type]  # one of the log's topics, or SQLite says so
        key=letter.key,
        value=letter.value or b"",
        headers=tuple(letter.headers),
    )


def _reason(error: urllib.error.HTTPError) -> str:
    """What the server says is wrong, in its own words where it has some."""
    try:
        told = orjson.loads(error.read())
    except (orjson.JSONDecodeError, OSError):
        return f"HTTP {error.code}"
    return str(told.get("error", {}).get("message") or f"HTTP {error.code}")[:300]
