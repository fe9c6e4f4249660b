"""A log in memory: what replay and tests use as their broker.

Promises: offsets of a partition grow by one from 0; a read gives records in offset order; records
before a trimmed offset are gone, and asking for them is an error of ours.
Leaves to others: durability (there is none), who may forget what.
"""

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Final

from schemas.log import Headers, Millis, Record
from streams.runtime.partitions import partition_of
from streams.runtime.recordings.rows import Entries

_TRIM_ROWS: Final = 10_000
"""Trimming moves all that is kept; so it waits until this many records can go."""


class MemoryLog:
    """Topics with `partitions` partitions each, and a journal with one."""

    def __init__(self, partitions: int = 1) -> None:
        self.partitions = partitions
        self._records: dict[tuple[str, int], list[Record]] = {}
        self._starts: dict[tuple[str, int], int] = {}

    def end(self, topic: str, partition: int) -> int:
        """The offset the next record gets."""
        place = (topic, partition)
        return self._starts.get(place, 0) + len(self._records.get(place, ()))

    def read(self, topic: str, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """At most `limit` records from `offset` on."""
        place = (topic, partition)
        first = offset - self._starts.get(place, 0)
        assert first >= 0, f"{topic}-{partition}: offset {offset} was trimmed"
        return self._records.get(place, [])[first : first + limit]

    def append(
        self,
        topic: str,
        partition: int,
        *,
        timestamp: Millis,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
    ) -> Record:
        """Append one record; gives it with its offset."""
        record = Record(
            offset=self.end(topic, partition),
            timestamp=timestamp,
            key=key,
            value=value,
            headers=tuple(headers),
        )
        self._records.setdefault((topic, partition), []).append(record)
        return record

    def extend(self, topic: str, entries: Entries) -> None:
        """Append entries in order, each to the partition of its key."""
        rows = zip(entries.times, entries.keys, entries.values, strict=True)
        if self.partitions == 1:
            self._extend(topic, 0, rows)
            return
        parts: list[list[tuple[Millis, bytes | None, bytes]]] = [[] for _ in range(self.partitions)]
        for row in rows:
            parts[partition_of(row[1], self.partitions)].append(row)
        for partition, part in enumerate(parts):
            self._extend(topic, partition, part)

    def _extend(
        self, topic: str, partition: int, rows: Iterable[tuple[Millis, bytes | None, bytes]]
    ) -> None:
        records = self._records.setdefault((topic, partition), [])
        first = self.end(topic, partition)
        records.extend(
            Record(offset=offset, timestamp=time, key=key, value=value)
            for offset, (time, key, value) in zip(count(first), rows, strict=False)
        )

    def trim(self, topic: str, partition: int, offset: int) -> None:
        """Forget records before `offset` (some may stay, for cheapness)."""
        place = (topic, partition)
        start = self._starts.get(place, 0)
        if offset - start >= _TRIM_ROWS:
            del self._records[place][: offset - start]
            self._starts[place] = offset
