"""Where events are read from: a topic of Kafka, or the stream of `windage serve`.

Promises: an event comes again until it was said to be `done`: over Kafka through the committed
offsets of the group, over HTTP through the cursor file if there is one (without it a new reader
begins with what is written from now on).
Leaves to others: opening one (`opening`), which events are wanted (`subscribing`, `retraining`).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class Event(dict[str, Any]):
    """The fields of an event; beside them its `id` and the `topic` it was read from."""

    id: str = ""
    topic: str = ""


class Arrived(NamedTuple):
    """An event, and its place: partition and offset, or a cursor."""

    event: Event
    place: Any


class Source(Protocol):
    """Something to read from, used by one thread."""

    def read(self, seconds: float) -> Sequence[Arrived]:
        """Events that have come, after waiting for some no longer than `seconds`."""
        ...

    def owns(self, arrived: Arrived) -> bool:
        """Whether it is still ours to handle, and not another member's of the group."""
        ...

    def done(self, arrived: Arrived) -> None:
        """Say that an event has been handled."""
        ...

    def save(self) -> None:
        """Make what is done known, so that it does not come again."""
        ...

    def close(self) -> None:
        """Save, and let go of connections."""
        ...
