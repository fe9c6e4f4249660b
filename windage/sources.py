"""Where events are read from: a topic of Kafka, or the stream of `windage serve`.

Promises: an event comes again until it was said to be `done`: over Kafka through the committed
offsets of the group, over HTTP through the cursor file if there is one (without it a new reader
begins with what is written from now on).
Leaves to others: which events are wanted (`subscribing`, `retraining`).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from windage.addresses import Address, KafkaAddress


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


def source(
    address: Address,
    topic: str,
    *,
    group: str,
    start: str,
    cursor: str | None = None,
    longest_s: float = 300.0,
) -> Source:
    """Open a source. ConnectionError if nobody answers.

    `start`: `latest` or `earliest`, where the group has no place yet. `longest_s`: how long a
    reader may take over what it has read before the group gives it to others.
    """
    if isinstance(address, KafkaAddress):
        from windage.from_kafka import FromKafka  # noqa: PLC0415 - only what is used

        return FromKafka(address, topic, group=group, start=start, longest_s=longest_s)
    from windage.from_http import FromHttp  # noqa: PLC0415

    return FromHttp(address, topic, start=start, cursor=cursor)
