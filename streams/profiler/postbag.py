"""The postbag: dead letters of one partition, written as records are refused, sent with a flush.

Promises: raw bytes, key and headers are the record's own; behind them stand the reason and where
the record was. What many letters have in common is made once. Which are left out of a sample is a
function of their places.
Leaves to others: which records are refused, and that each is written down once (`machine`).
"""

from typing import Final

from schemas.log import Headers, InputLog, LogRecord, Output
from streams.profiler.letters import reason

_Header = tuple[str, bytes]

_BESIDE: Final = 400
"""Bytes of a letter besides its value: key, headers, objects; about."""

_REASONS: Final = 1024
"""Reasons whose headers are remembered; where rows of tables are named there are many."""


_ODD: Final = 0x9E3779B97F4A7C15
_WORD: Final = 1 << 64
"""Fibonacci hashing: offsets in a row are spread evenly, and a log read again gives the same."""


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
        why = self._whys.get((log, code, message)) or self._why(log, code, message)
        at = ("__connect.errors.offset", b"%d" % record.offset)
        own: Headers = record.headers
        self.size += len(record.value or b"") + _BESIDE
        self._letters.append(
            Output(
                topic="dead-letters",
                key=record.key,
                value=record.value or b"",
                headers=(*own, *why, at) if own else (*why, at),
                timestamp=record.timestamp,
            )
        )

    def take(self) -> list[Output]:
        """All that were written since the last time."""
        letters, self._letters, self.size = self._letters, [], 0
        return letters

    def _why(self, log: InputLog, code: str, message: str) -> tuple[_Header, ...]:
        """The headers that say why, and which log and partition it was."""
        if len(self._whys) >= _REASONS:
            self._whys.clear()
        why = (
            *reason(code, message),
            ("__connect.errors.topic", log.encode()),
            ("__connect.errors.partition", self._partition),
        )
        self._whys[log, code, message] = why
        return why
