"""A publisher that keeps what it is given, for the tests of programs that publish.

Promises: what it keeps is what would have been sent, after sampling, redaction and hashing; every
event is checked against the contract when it is published, and a wrong argument raises.
Leaves to others: sending.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from windage.batches import Batch
from windage.buffer import Item, Limits
from windage.composing import Message
from windage.outbox import Delivery, Outbox, Transport
from windage.publisher import Publisher


class InMemoryPublisher(Publisher):
    """Publishes into lists.

    >>> pub = InMemoryPublisher(model="fraud", version="3.2")
    >>> pid = pub.prediction({"amount": 20.1}, prediction=1, score=0.83, id="p-1")
    >>> pub.label(pid, 0)
    >>> [event["prediction_id"] for event in pub.events["predictions"]]
    ['p-1']
    >>> pub.events["labels"][0]["label"]
    0
    """

    def __init__(self, *, model: str, version: str | None = None, **options: Any) -> None:  # noqa: ANN401
        """Options are those of `Publisher`; `strict` is on unless it is said otherwise."""
        self.events: dict[str, list[dict[str, Any]]] = {
            "predictions": [],
            "labels": [],
            "metrics": [],
            "model-events": [],
        }
        """Events by topic, in the order they were published; batches row by row."""
        chosen = {"strict": True, **options, "batches": "rows"}
        super().__init__("kafka://memory:0", model=model, version=version, **chosen)

    def _open(self, connect: Callable[[], Transport], limits: Limits) -> Outbox:
        del connect
        return Outbox(lambda: _Kept(self.events), limits, self.counts, self._close_s)

    def _put(self, *items: Item) -> None:
        super()._put(*items)
        self.flush()


class _Kept:
    """The transport into lists."""

    def __init__(self, events: dict[str, list[dict[str, Any]]]) -> None:
        self._events = events

    def deliver(self, items: Sequence[Item]) -> Delivery:
        """Append events."""
        for item in items:
            assert isinstance(item, Message), "batches are composed row by row here"
            assert not isinstance(item, Batch)
            self._events[item.topic].append(json.loads(item.value))
        return Delivery()

    def close(self) -> None:
        """Keep what there is."""
