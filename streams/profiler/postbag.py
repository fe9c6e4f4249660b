"""The postbag: dead letters of one partition, written as records are refused, sent with a flush.

Promises: raw bytes, key and headers are the record's own; behind them stand the reason and where
the record was. What many letters have in common is made once.
Leaves to others: which records are refused, and that each is written down once (`machine`).
"""

from typing import Final

from schemas.log import Headers, InputLog, LogRecord, Output
from streams.profiler.letters import reason

_Header = tuple[str, bytes]

_REASONS: Final = 1024
"""Reasons whose headers are remembered; where rows of tables are named there are many."""


class Postbag:
    """Dead letters of the records of one source partition."""

    def __init__(self, partition: int) -> None:
        self._partition = b"%d" % partition
        self._letters: list[Output] = []
        self._whys: dict[tuple[InputLog, str, str], tuple[_Header, ...]] = {}

    def add(self, log: InputLog, record: LogRecord, code: str, message: str) -> None:
        """Write one."""
        why = self._whys.get((log, code, message)) or self._why(log, code, message)
        at = ("__connect.errors.offset", b"%d" % record.offset)
        own: Headers = record.headers
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
        letters, self._letters = self._letters, []
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
