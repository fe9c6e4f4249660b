"""Events that wait to be sent: bounded in number and bytes.

Promises: `put` takes an item or says that there is no room, at once; an item is handed out in
order, and once.
Leaves to others: locking (`outbox`, `aio`), waiting for room, sending.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from windage.batches import Batch
from windage.composing import Message

Item = Message | Batch

CHUNK_EVENTS: Final = 1000
CHUNK_BYTES: Final = 1024 * 1024
"""What is sent at once, unless a single item is larger."""


class Limits(NamedTuple):
    """What may wait at most, and how long a call may wait for room (seconds)."""

    events: int = 50_000
    size: int = 64 * 1024 * 1024
    block_s: float = 0.01


class Buffer:
    """A queue of items, and those that were taken from it and are under way."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._items: deque[Item] = deque()
        self._size = 0
        self.events = 0
        """Events that wait or are under way."""
        self.underway: list[Item] = []

    def has_room(self, item: Item) -> bool:
        """Whether the item may be put; an empty buffer takes any."""
        if not self.events:
            return True
        more = self.events + item.rows <= self._limits.events
        return more and self._size + item.size <= self._limits.size

    def put(self, item: Item) -> None:
        """Append an item; the caller has asked for room."""
        self._items.append(item)
        self.events += item.rows
        self._size += item.size

    def waits(self) -> bool:
        """Whether there is something to take."""
        return bool(self._items)

    def take(self) -> None:
        """Put about one chunk of items under way, none if there are none."""
        events = size = 0
        while self._items:
            item = self._items[0]
            events += item.rows
            size += item.size
            if self.underway and (events > CHUNK_EVENTS or size > CHUNK_BYTES):
                break
            self.underway.append(self._items.popleft())

    def keep(self, items: Sequence[Item]) -> None:
        """Of what is under way, only these are still to be sent."""
        for item in self.underway:
            self.events -= item.rows
            self._size -= item.size
        self.underway = list(items)
        for item in items:
            self.events += item.rows
            self._size += item.size

    def is_full_chunk(self) -> bool:
        """Whether there is enough to be sent without waiting for more."""
        return self.events >= CHUNK_EVENTS or self._size >= CHUNK_BYTES
