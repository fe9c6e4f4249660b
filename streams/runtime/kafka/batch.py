"""A batch on its way from the broker to a machine, with proof of where it began.

Promises: between `begins` and the last record nothing of the log is missing, so a machine that
needs `begins` or anything later may take it, and nobody else may. Once it was counted it holds no
record any more, though it waits for its acknowledgement until a snapshot covers it.
Leaves to others: fetching and seeking (`faust_app`), refusing a batch (`intake`).
"""

from collections.abc import Sequence
from typing import Any

from schemas.log import LogRecord


class Batch:
    """What one fetch brought of one topic partition, in the shape of a single Kafka record.

    A message per batch is 28 times cheaper than one per record. The offset is that of the last
    record, so that acknowledging the message acknowledges them all.

    `begins` is where the fetch position stood: a seek, or the end of the batch before. The first
    record may lie further on (transaction markers, compaction), so offsets alone prove nothing.
    """

    __slots__ = ("begins", "count", "offset", "partition", "records", "timestamp", "topic")

    timestamp_type = 1
    headers = ()
    key = None
    checksum = None
    serialized_key_size = 0
    serialized_value_size = 0

    def __init__(self, place: tuple[str, int], records: Sequence[Any], begins: int) -> None:
        """`place`: topic and partition."""
        self.topic, self.partition = place
        self.records: Sequence[Any] = records
        self.begins = begins
        self.count = len(records)
        self.offset = int(records[-1].offset)
        """The last offset in it."""
        self.timestamp = int(records[-1].timestamp)
        """The broker time of the last record, in milliseconds."""

    @property
    def value(self) -> "Batch":
        """The batch itself: what Faust takes for the payload and passes on."""
        return self

    def log_records(self) -> Sequence[LogRecord]:
        """Return the records, which have the shape that machines read; none once let go."""
        return self.records

    def let_go(self) -> None:
        """Hold the records no longer: between two snapshots all that is read would stay here."""
        self.records = ()
