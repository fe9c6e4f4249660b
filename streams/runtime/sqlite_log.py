"""Logs in one SQLite file: topics as tables, appended with offset and append time.

Promises: what `append` gave back survives a crash of process and machine; what `commit` writes
(outputs, snapshots) is one transaction, so a reader sees all of it or nothing; append times never
go back, and none is before an instant that `fence` gave out.
Leaves to others: grouping appends (`intake`), driving machines (`embedded`).

Durability: the file is in WAL mode. Appends wait for the disk (synchronous=FULL), because someone
is told that they are safe. Commits do not (NORMAL): losing the last of them in a power cut sets
derived state back to an earlier one, from which the machines repeat the same outputs; the order
of the WAL forbids that an append is lost and a commit made from it is not.
"""

import fcntl
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final
from uuid import uuid4

import msgspec

from schemas.log import INPUT_LOGS, Millis, Output, Record
from streams.runtime.partitions import partition_of

TOPICS: Final = (
    *INPUT_LOGS,
    "journal",
    "references",
    "readings",
    "drift-events",
    "alerts",
    "retrain-requests",
    "rollback-requests",
    "dead-letters",
)

FORMAT: Final = 1
"""Version of the tables; another one is refused."""

_PARTITION_BITS: Final = 48
"""A row's number is partition << 48 | offset, so that a partition is one range of the table."""

_OFFSETS: Final = (1 << _PARTITION_BITS) - 1
_FULL: Final = frozenset(
    (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_WRITE)
)
"""What SQLite says where there is no room; the last also where a quota or a file's limit is met."""

_TRIM_ROWS: Final = 20_000
"""Deleted at most in one transaction, so that appends do not wait for it."""

Ends = dict[tuple[str, int], int]
"""The offset the next record gets, by topic and partition."""

Row = tuple[int, Millis, bytes | None, bytes | None, bytes | None]
"""Place, timestamp, key, value, headers."""

_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(tuple[tuple[str, bytes], ...]).decode


class LogError(Exception):
    """The log cannot be used: by whom it is held, or what is wrong with it."""


class DiskFullError(LogError):
    """There is no room for what was to be written; nothing of it was."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A record to append. `timestamp` None: the time of appending; `partition` None: by its key.

    An entry with a `name` is appended once, however often it comes.
    """

    log: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: Millis | None = None
    partition: int | None = None
    name: str | None = None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Entries appended together; with a `name`, `digest` tells a repetition from another body."""

    entries: Sequence[Entry]
    name: str | None = None
    digest: bytes = b""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Where a group's entries are: an offset each, None for one that was there already.

    `repeated`: the whole group was accepted before, these are the offsets it got then.
    `conflict`: its name was used before for another body, and nothing was appended.
    """

    offsets: list[int | None]
    digest: bytes = b""
    repeated: bool = False
    conflict: bool = False


class SqliteLog:
    """All logs of one machine, in `directory`; one process at a time."""

    def __init__(self, directory: Path, partitions: int = 1) -> None:
        """LogError if another process holds the directory, or the file is not of this kind."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise LogError(f"{directory}: is no directory") from None
        self.partitions, self.directory = partitions, directory
        self._path = directory / "windage.sqlite"
        self._holder = (directory / "lock").open("a")
        try:
            fcntl.flock(self._holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._holder.close()
            raise LogError(f"{directory}: another windage process uses it") from error
        self._write = Lock()
        self._locks = {"read": Lock(), "view": Lock()}
        names = ("append", "commit", *self._locks)
        self._connections = {name: self._connect(name) for name in names}
        self._create()
        self._ends = self._find_ends()
        stored = self.state("clock")
        self._clock: Millis = int(stored) if stored else 0

    @property
    def identity(self) -> str:
        """What no other log is called."""
        return (self.state("identity") or b"").decode()

    def _connect(self, name: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={'FULL' if name == 'append' else 'NORMAL'}")
        return connection

    def _create(self) -> None:
        writer = self._connections["append"]
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value BLOB)")
        writer.execute(
            "CREATE TABLE IF NOT EXISTS accepted"
            " (name TEXT PRIMARY KEY, at INTEGER NOT NULL, receipt BLOB) WITHOUT ROWID"
        )
        for topic in TOPICS:
            writer.execute(
                f'CREATE TABLE IF NOT EXISTS "{topic}" (place INTEGER PRIMARY KEY,'
                " timestamp INTEGER NOT NULL, key BLOB, value BLOB, headers BLOB)"
            )
        expected = {"format": FORMAT, "partitions": self.partitions}
        for name, value in expected.items():
            writer.execute("INSERT OR IGNORE INTO state VALUES (?, ?)", (name, str(value).encode()))
        # Tells logs of different directories apart, whose offsets all begin at 0.
        writer.execute(
            "INSERT OR IGNORE INTO state VALUES ('identity', ?)", (uuid4().hex.encode(),)
        )
        writer.execute("COMMIT")
        for name, value in expected.items():
            found = self.state(name)
            if found != str(value).encode():
                self.close()
                told = (found or b"nothing").decode(errors="replace")
                raise LogError(f"{self._path}: has {name} {told}, this process wants {value}")

    def _find_ends(self) -> Ends:
        ends = {}
        for topic in TOPICS:
            for partition in range(self.partitions):
                first = partition << _PARTITION_BITS
                row = self._connections["view"].execute(
                    f'SELECT max(place) FROM "{topic}" WHERE place BETWEEN ? AND ?',  # noqa: S608  # ours
                    (first, first | _OFFSETS),
                )
                (place,) = row.fetchone()
                ends[topic, partition] = 0 if place is None else (place & _OFFSETS) + 1
        return ends

    def close(self) -> None:
        """Close the file and let others have it."""
        for connection in self._connections.values():
            connection.close()
        self._holder.close()

    # Reading

    def end(self, topic: str, partition: int = 0) -> int:
        """The offset the next record gets."""
        return self._ends[topic, partition]

    def offset_at(self, topic: str, partition: int, since: Millis) -> int:
        """The offset of the first record there of the instant `since` or later, or the end."""
        first = partition << _PARTITION_BITS
        with self._locks["view"]:
            row = self._connections["view"].execute(
                f'SELECT min(place) FROM "{topic}" WHERE place BETWEEN ? AND ? AND timestamp >= ?',  # noqa: S608  # ours
                (first, first | _OFFSETS, since),
            )
            (place,) = row.fetchone()
        return self.end(topic, partition) if place is None else place & _OFFSETS

    def read(
        self, topic: str, partition: int, offset: int, limit: int, *, connection: str = "read"
    ) -> list[Record]:
        """At most `limit` records from `offset` on; trimmed ones are left out."""
        first = partition << _PARTITION_BITS
        with self._locks[connection]:
            rows = (
                self._connections[connection]
                .execute(
                    f'SELECT place, timestamp, key, value, headers FROM "{topic}"'  # noqa: S608  # ours
                    " WHERE place BETWEEN ? AND ? ORDER BY place LIMIT ?",
                    (first | offset, first | _OFFSETS, limit),
                )
                .fetchall()
            )
        return [
            Record(
                offset=place & _OFFSETS,
                timestamp=timestamp,
                key=key,
                value=value,
                headers=_unpack(headers) if headers else (),
            )
            for place, timestamp, key, value, headers in rows
        ]

    def state(self, name: str) -> bytes | None:
        """What was stored under `name`."""
        with self._locks["view"]:
            cursor = self._connections["view"].execute(
                "SELECT value FROM state WHERE name = ?", (name,)
            )
            row = cursor.fetchone()
        return None if row is None else bytes(row[0])

    def states(self) -> dict[str, bytes]:
        """Everything stored by name."""
        with self._locks["view"]:
            rows = self._connections["view"].execute("SELECT name, value FROM state").fetchall()
        return {name: bytes(value) for name, value in rows}

    # Time

    def fence(self) -> Millis:
        """An instant: whatever is appended after this call is not older than it."""
        with self._write:
            return self._now()

    def _now(self) -> Millis:
        self._clock = max(self._clock, time.time_ns() // 1_000_000)
        return self._clock

    # Writing

    def append(self, groups: Sequence[Group]) -> list[Receipt]:
        """Append groups of entries in one durable transaction; gives a receipt for each.

        What was accepted under its name before is not appended again.
        """
        with self._transaction("append") as (writer, ends):
            now = self._now()
            rows: dict[str, list[Row]] = {}
            receipts = [self._accept(writer, ends, group, now, rows) for group in groups]
            _insert(writer, rows)
            _store(writer, {"clock": str(now).encode()})
        return receipts

    def _accept(
        self,
        writer: sqlite3.Connection,
        ends: Ends,
        group: Group,
        now: Millis,
        rows: dict[str, list[Row]],
    ) -> Receipt:
        """Give the group's entries their offsets, unless their names are known."""
        if group.name is not None:
            known = _accepted(writer, group.name)
            if known is not None:
                before = msgspec.msgpack.decode(known, type=Receipt)
                if before.digest != group.digest:
                    return Receipt(offsets=[], digest=before.digest, conflict=True)
                return msgspec.structs.replace(before, repeated=True)
        offsets: list[int | None] = []
        for entry in group.entries:
            if entry.name is not None:
                if _accepted(writer, entry.name) is not None:
                    offsets.append(None)
                    continue
                writer.execute("INSERT INTO accepted VALUES (?, ?, ?)", (entry.name, now, b""))
            number = entry.partition
            if number is None:
                number = partition_of(entry.key, self.partitions)
            place = _next_place(ends, entry.log, number)
            at = now if entry.timestamp is None else entry.timestamp
            row = (place, at, entry.key, entry.value, _packed(entry.headers))
            rows.setdefault(entry.log, []).append(row)
            offsets.append(place & _OFFSETS)
        receipt = Receipt(offsets=offsets, digest=group.digest)
        if group.name is not None:
            values = (group.name, now, msgspec.msgpack.encode(receipt))
            writer.execute("INSERT INTO accepted VALUES (?, ?, ?)", values)
        return receipt

    def commit(self, outputs: Sequence[tuple[Output, int]], states: Mapping[str, bytes]) -> None:
        """Append outputs (each with its partition) and store states in one transaction."""
        with self._transaction("commit") as (writer, ends):
            now = self._now()
            rows: dict[str, list[Row]] = {}
            for output, partition in outputs:
                at = now if output.timestamp is None else output.timestamp
                place = _next_place(ends, output.topic, partition)
                row = (place, at, output.key, output.value, _packed(output.headers))
                rows.setdefault(output.topic, []).append(row)
            _insert(writer, rows)
            _store(writer, {**states, "clock": str(now).encode()})

    @contextmanager
    def _transaction(self, name: str) -> Iterator[tuple[sqlite3.Connection, Ends]]:
        """A write transaction and the log ends as they will be after it; all or nothing."""
        with self._write:
            writer = self._connections[name]
            ends = dict(self._ends)
            try:
                writer.execute("BEGIN IMMEDIATE")
                yield writer, ends
                writer.execute("COMMIT")
            except BaseException as error:
                if writer.in_transaction:
                    writer.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error) and error.sqlite_errorcode in _FULL:
                    raise DiskFullError(f"{self._path}: the disk is full") from error
                raise
            self._ends = ends

    def trim(self, topic: str, partition: int, offset: int, before: Millis | None = None) -> int:
        """Delete some of the records below `offset` (and appended before `before`).

        Gives how many; call again while it is not 0. The last record always stays, so that
        offsets go on from it.
        """
        first = partition << _PARTITION_BITS
        end = first | min(offset, self.end(topic, partition) - 1)
        condition = "" if before is None else " AND timestamp < ?"
        values = (first, end) if before is None else (first, end, before)
        with self._write:
            cursor = self._connections["commit"].execute(
                f'DELETE FROM "{topic}" WHERE place IN (SELECT place FROM "{topic}"'  # noqa: S608  # ours
                f" WHERE place >= ? AND place < ?{condition} ORDER BY place LIMIT {_TRIM_ROWS})",
                values,
            )
        return cursor.rowcount

    def forget_accepted(self, before: Millis) -> None:
        """Names accepted before that instant may be accepted again."""
        with self._write:
            self._connections["commit"].execute("DELETE FROM accepted WHERE at < ?", (before,))


def _accepted(writer: sqlite3.Connection, name: str) -> bytes | None:
    row = writer.execute("SELECT receipt FROM accepted WHERE name = ?", (name,)).fetchone()
    return None if row is None else bytes(row[0])


def _next_place(ends: Ends, topic: str, partition: int) -> int:
    offset = ends[topic, partition]
    ends[topic, partition] = offset + 1
    return partition << _PARTITION_BITS | offset


def _insert(writer: sqlite3.Connection, rows: Mapping[str, Sequence[Row]]) -> None:
    for topic, values in rows.items():
        writer.executemany(f'INSERT INTO "{topic}" VALUES (?, ?, ?, ?, ?)', values)  # noqa: S608  # ours


def _store(writer: sqlite3.Connection, states: Mapping[str, bytes]) -> None:
    writer.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", states.items())


def _packed(headers: Sequence[tuple[str, bytes]]) -> bytes | None:
    return _pack(headers) if headers else None
