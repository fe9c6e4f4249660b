# ruff: noqa: ANN401 - aiokafka publishes no types
"""Records leave aiokafka's fetcher as its parser has made them, a stretch of the log at a time.

The parser's records have what machines read: offset, timestamp, key, value, headers. The fetcher
would copy each into a data class of eleven fields and ask after each whether there is another,
which cost more than the parsing.

Promises: the records of a log in their order, none twice and none passed over, as the fetcher's
own loop gives them: what lies below the position, control batches and aborted transactions are
left out, and a batch whose checksum is wrong is fetched again.
Leaves to others: fetching (`faust_app`); which topic partition it is, whoever asked knows.
The classes replaced are those of aiokafka 0.14.
"""

from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException

_NOWHERE: Final = -1
"""A position that no log has: what is at hand is given up, and fetched again."""


class Stretches(fetcher.PartitionRecords):
    """What one fetch brought of one topic partition."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._opened: list[Any] = []
        """Records of batches taken apart that are not handed out yet."""
        self._opened_to: int = self.next_fetch_offset
        self._records_iterator = None  # it would hold this, and who holds itself waits for a sweep

    @property
    def over(self) -> bool:
        """Whether everything was handed out."""
        return not self._opened and not self._records.has_next()

    def take(self, limit: int | None) -> list[Any]:
        """The next records, `limit` at most; the position moves behind them."""
        taken, self._opened = self._opened, []
        while (limit is None or len(taken) < limit) and self._records.has_next():
            batch = self._records.next_batch()
            taken += self._wanted(batch)
            # The last record of a batch may have been compacted away.
            self._opened_to = batch.next_offset
        if limit is not None and len(taken) > limit:
            self._opened = taken[limit:]
            del taken[limit:]
            self.next_fetch_offset = taken[-1].offset + 1
        else:
            self.next_fetch_offset = self._opened_to
        return taken

    def _wanted(self, batch: Any) -> list[Any]:
        """The records of a batch that are for a reader at this position."""
        if self._check_crcs and not batch.validate_crc():
            self.next_fetch_offset = _NOWHERE
            raise CorruptRecordException(f"Invalid CRC - {self._tp}")
        committed = self._isolation_level == fetcher.READ_COMMITTED
        if committed and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return []
        if batch.is_control_batch:
            return []
        records = list(batch)
        if records and records[0].offset < self._opened_to:  # a batch is sent whole
            return [record for record in records if record.offset >= self._opened_to]
        return records

    def __next__(self) -> Any:
        """One at a time, for who asks so."""
        for one in self.take(1):
            return one
        raise StopIteration


class _Fetched(fetcher.FetchResult):
    """What one fetch brought, handed out in stretches."""

    _partition_records: Any

    def getall(self, max_records: int | None = None) -> list[Any]:
        """The next records, `max_records` at most; none if the position is another one by now."""
        if not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        records: list[Any] = self._partition_records.take(max_records)
        self._update_position()
        if self._partition_records.over:
            self._partition_records = None
        return records


def install() -> None:
    """Let every consumer of this process read so."""
    fetcher.PartitionRecords = Stretches
    fetcher.FetchResult = _Fetched
