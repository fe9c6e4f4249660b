"""What a worker has said lately, kept for its metrics page.

Promises: taking costs the event loop next to nothing, because readings are decoded when somebody
asks; memory is bounded by `READINGS`, and of a dead letter only its code is kept.
Leaves to others: what was said by processes before this one (the topics), families (`families`).
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from threading import Lock
from typing import Final

import msgspec

from schemas.log import Millis, Output
from schemas.outputs import Reading

READINGS: Final = 20_000
"""Monitors whose latest reading is remembered, and readings that wait to be decoded."""

_reading: Final = msgspec.json.Decoder(Reading).decode


class Heard:
    """Takes outputs in one thread, and tells of them in another."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        """Dead letters by code, of this process."""
        self._waiting: deque[tuple[bytes, Millis]] = deque(maxlen=READINGS)
        self._latest: OrderedDict[tuple[str, ...], tuple[Reading, Millis]] = OrderedDict()
        self._lock = Lock()

    def take(self, outputs: Sequence[Output]) -> None:
        """Note what has become durable."""
        for one in outputs:
            if one.topic == "readings":
                self._waiting.append((one.value, one.timestamp or 0))
            elif one.topic == "dead-letters":
                self.refused[_code(one)] += 1

    def latest(self) -> list[tuple[Reading, Millis]]:
        """The latest reading of each monitor, and when it was said."""
        with self._lock:
            while self._waiting:
                value, at = self._waiting.popleft()
                one = _reading(value)
                key = (one.model, one.version, one.segment, one.monitor, one.signal)
                self._latest[key] = one, at
                self._latest.move_to_end(key)
                if len(self._latest) > READINGS:
                    self._latest.popitem(last=False)
            return list(self._latest.values())


def _code(letter: Output) -> str:
    """Why a dead letter was written: the last header of that name, as whoever reads it finds it."""
    for name, value in reversed(letter.headers):
        if name == "windage.error.code":
            return value.decode(errors="replace")
    return "unknown"
