"""Reading what an installation has written: its topics, from the SQLite log or from Kafka.

Promises: nothing is changed, held up or acknowledged by a reader; records of a partition come in
the order of their offsets; a topic that is not there is an empty one.
Leaves to others: what the records mean (`schemas`), who asks (commands, notebooks), Kafka
(`streams.runtime.kafka.reading`).
"""

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, Self

import msgspec

from schemas.log import Headers, Millis
from streams.runtime.sqlite_log import FORMAT, TOPICS, LogError

FILE: Final = "windage.sqlite"
POLL_SECONDS: Final = 0.25
_PAGE: Final = 2_000
_PARTITION_BITS: Final = 48
_OFFSETS: Final = (1 << _PARTITION_BITS) - 1
_headers: Final = msgspec.msgpack.Decoder(tuple[tuple[str, bytes], ...]).decode

_Row = tuple[int, Millis, bytes | None, bytes | None, bytes | None]


class Located(msgspec.Struct, frozen=True, kw_only=True):
    """One record and where it stands; `topic` is the logical name."""

    topic: str
    partition: int
    offset: int
    timestamp: Millis
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Which records of a topic: all that meet every condition given.

    `since` and `until` (until is not included) are times of appending; `first` and `last` offsets
    of `partition`, both included; `newest` is how many, counted from the end.
    """

    since: Millis | None = None
    until: Millis | None = None
    partition: int | None = None
    first: int | None = None
    last: int | None = None
    newest: int | None = None


EVERYTHING: Final = Span()


class Reader(Protocol):
    """Topics of one installation."""

    def read(self, topic: str, span: Span = EVERYTHING) -> Iterator[Located]:
        """The records that are there now, partition by partition."""

    def follow(self, topics: Sequence[str], newest: int = 0) -> Iterator[Located | None]:
        """The `newest` of each topic, then what is appended, for ever; None: nothing came now."""

    def lag(self) -> dict[str, int] | None:
        """Records of each input log that were not read yet; None: nobody knows."""

    def close(self) -> None:
        """Let go of files and connections."""


def newest_of(records: Iterator[Located], span: Span) -> list[Located]:
    """Records in the order of their times, the newest `span.newest` of them."""
    told = sorted(records, key=lambda one: (one.timestamp, one.partition, one.offset))
    return told if span.newest is None else told[max(0, len(told) - span.newest) :]


def newest_before(
    reader: Reader, topics: Sequence[str], newest: int, ends: Mapping[tuple[str, int], int]
) -> Iterator[Located]:
    """The newest records of each topic that stand before `ends`, where following begins."""
    span = Span(newest=newest)
    for topic in topics if newest else ():
        told = reader.read(topic, span)
        yield from newest_of((r for r in told if r.offset < ends[topic, r.partition]), span)


class SqliteReader:
    """Reads the log of an embedded installation, also while `windage serve` writes it."""

    def __init__(self, directory: Path, name: str = FILE) -> None:
        """LogError where there is no log, or one of another format."""
        path = directory / name
        if not path.is_file():
            raise LogError(f"{directory}: holds no log ({name}); windage serve --data makes one")
        try:
            self._file = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            states = dict(self._file.execute("SELECT name, value FROM state").fetchall())
        except sqlite3.Error as error:
            raise LogError(f"{path}: {error}") from None
        found = bytes(states.get("format", b"none")).decode(errors="replace")
        if found != str(FORMAT):
            self._file.close()
            raise LogError(f"{path}: has format {found}, this program reads {FORMAT}")
        self.partitions = int(states.get("partitions", b"1"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, topic: str, span: Span = EVERYTHING) -> Iterator[Located]:
        """The records that are there now, partition by partition."""
        if topic not in TOPICS:
            return
        wanted = range(self.partitions) if span.partition is None else (span.partition,)
        for partition in wanted:
            first = max(0, span.first or 0)
            if span.newest is not None:
                first = max(first, self._end(topic, partition) - span.newest)
            last = self._end(topic, partition) - 1 if span.last is None else span.last
            while page := self._page(topic, partition, first, last):
                first = page[-1].offset + 1
                for one in page:
                    early = span.since is not None and one.timestamp < span.since
                    late = span.until is not None and one.timestamp >= span.until
                    if not early and not late:
                        yield one

    def follow(self, topics: Sequence[str], newest: int = 0) -> Iterator[Located | None]:
        """The `newest` of each topic, then what is appended, for ever; None: nothing came now."""
        places = [(topic, number) for topic in topics for number in range(self.partitions)]
        ends = {place: self._end(*place) for place in places}
        yield from newest_before(self, topics, newest, ends)
        while True:
            came: list[Located] = []
            for place in places:
                page = self._page(*place, ends[place], _OFFSETS)
                came += page
                ends[place] = page[-1].offset + 1 if page else ends[place]
            yield from sorted(came, key=lambda one: one.timestamp)
            if not came:
                yield None
                time.sleep(POLL_SECONDS)

    def lag(self) -> dict[str, int] | None:
        """Records of each input log that were not read yet; None: the log does not say."""
        told = self.state("cursors")
        if told is None:
            return None
        cursors = msgspec.json.decode(told, type=dict[str, dict[str, int]])
        return {
            log: sum(max(0, self._end(log, int(number)) - at) for number, at in places.items())
            for log, places in cursors.items()
        }

    def state(self, name: str) -> bytes | None:
        """What is stored under a name."""
        query = "SELECT value FROM state WHERE name = ?"
        row = self._file.execute(query, (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def sound(self) -> bool:
        """Whether the file is intact, as SQLite's own check says."""
        try:
            (told,) = self._file.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError:
            return False
        return bool(told == "ok")

    def copy(self, to: Path) -> None:
        """A whole and consistent copy in the file `to`, also while somebody writes."""
        other = sqlite3.connect(to)
        try:
            self._file.backup(other)
        finally:
            other.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _end(self, topic: str, partition: int) -> int:
        first = partition << _PARTITION_BITS
        query = f'SELECT max(place) FROM "{topic}" WHERE place BETWEEN ? AND ?'  # noqa: S608  # ours
        (place,) = self._file.execute(query, (first, first | _OFFSETS)).fetchone()
        return 0 if place is None else (place & _OFFSETS) + 1

    def _page(self, topic: str, partition: int, first: int, last: int) -> list[Located]:
        base = partition << _PARTITION_BITS
        query = (
            f'SELECT place, timestamp, key, value, headers FROM "{topic}"'  # noqa: S608  # ours
            " WHERE place BETWEEN ? AND ? ORDER BY place LIMIT ?"
        )
        rows: list[_Row] = self._file.execute(query, (base | first, base | last, _PAGE)).fetchall()
        return [
            Located(
                topic=topic,
                partition=partition,
                offset=place & _OFFSETS,
                timestamp=timestamp,
                key=key,
                value=value,
                headers=_headers(headers) if headers else (),
            )
            for place, timestamp, key, value, headers in rows
        ]
