"""The postbag: dead letters of one partition, written as records are refused, sent with a flush.

Promises: raw bytes, key and headers are the record's own; behind them stand the reason and where
the record was. What many letters have in common is made once. Which are left out of a sample is a
function of their places.
Leaves to others: which records are refused, and that each is written down once (`machine`).
"""

from collections.abc import Sequence
from typing import Final, Protocol

from schemas.log import InputLog, LogRecord, Output
from schemas.refused import Refused
from schemas.rows import Refusal
from streams.profiler.letters import letters, reason

_OFFSET: Final = "__connect.errors.offset"

_Header = tuple[str, bytes]

_BESIDE: Final = 400
"""Bytes of a letter besides its value: key, headers, objects; about."""

_REASONS: Final = 1024
"""Reasons whose headers are remembered; where rows of tables are named there are many."""


_ODD: Final = 0x9E3779B97F4A7C15
_WORD: Final = 1 << 64
"""Fibonacci hashing: offsets in a row are spread evenly, and a log read again gives the same."""


class Refuser(Protocol):
    """Who has refused records, and counts them."""

    def leave_out(self, log: InputLog, offset: int) -> None:
        """The letter of the record at `offset` is not written, because a sample is asked for."""

    def unsaid(self, log: InputLog, record: LogRecord, refusal: Refusal) -> bool:
        """Whether a record that was read before is refused only now."""


class Postbag:
    """Dead letters of the records of one source partition; `size` is their bytes."""

    def __init__(self, partition: int, share: float = 1.0) -> None:
        """`share` of the records are written down, chosen by their offsets."""
        self._partition = b"%d" % partition
        self._least = int(share * _WORD)
        self._letters: list[Output] = []
        self.size = 0
        self._whys: dict[tuple[InputLog, str, str], tuple[_Header, ...]] = {}

    def keeps(self, offset: int) -> bool:
        """Whether the letter of the record at an offset is written, if it is refused."""
        return self._least >= _WORD or (offset + 1) * _ODD % _WORD < self._least

    def add(self, log: InputLog, record: LogRecord, code: str, message: str) -> None:
        """Write one."""
        self._write([record], [self._why(log, code, message)])

    def write(
        self,
        model: Refuser,
        log: InputLog,
        records: Sequence[LogRecord],
        refused: Refused,
        spoken: int,
    ) -> None:
        """Write those of a model's records; what is below `spoken` was written before, if refused.

        `refused` are refusals by position in `records`, the rows of a table each by itself.
        """
        told = letters(refused)
        if self._least >= _WORD and records[0].offset >= spoken:
            self._add_all(log, records, told)
            return
        for refusal in told.one_by_one():
            record = records[refusal.position]
            if not self.keeps(record.offset):
                model.leave_out(log, record.offset)
            elif record.offset >= spoken or model.unsaid(log, record, refusal):
                self.add(log, record, refusal.code, refusal.message)

    def _add_all(self, log: InputLog, records: Sequence[LogRecord], refused: Refused) -> None:
        """Write those of all records that are refused."""
        whys = [self._why(log, code, message) for code, message in refused.reasons]
        own = [records[i] for i in refused.positions.tolist()]
        self._write(own, [whys[i] for i in refused.why.tolist()])

    def _write(self, records: Sequence[LogRecord], whys: Sequence[tuple[_Header, ...]]) -> None:
        values = [record.value or b"" for record in records]
        self._letters += [
            Output(
                topic="dead-letters",
                key=record.key,
                value=value,
                headers=(*record.headers, *why, (_OFFSET, b"%d" % record.offset))
                if record.headers
                else (*why, (_OFFSET, b"%d" % record.offset)),
                timestamp=record.timestamp,
            )
            for record, value, why in zip(records, values, whys, strict=True)
        ]
        self.size += sum(map(len, values)) + _BESIDE * len(values)

    def take(self) -> list[Output]:
        """All that were written since the last time."""
        letters, self._letters, self.size = self._letters, [], 0
        return letters

    def _why(self, log: InputLog, code: str, message: str) -> tuple[_Header, ...]:
        """The headers that say why, and which log and partition it was."""
        known = self._whys.get((log, code, message))
        if known is not None:
            return known
        if len(self._whys) >= _REASONS:
            self._whys.clear()
        why = (
            *reason(code, message),
            ("__connect.errors.topic", log.encode()),
            ("__connect.errors.partition", self._partition),
        )
        self._whys[log, code, message] = why
        return why
