"""Sending to Kafka with kafka-python, which is imported only here and only when it is needed.

Promises: an event has arrived when all in-sync replicas have it; what the broker repeats it counts
once (idempotent producer); single events go where the default partitioner puts their key, batches
of columns to the partition of their ids.
Leaves to others: when to send again (`outbox`).
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from time import monotonic
from typing import Any, Final

from windage.addresses import KafkaAddress
from windage.batches import ARROW
from windage.buffer import Item
from windage.composing import Message
from windage.counts import Reason
from windage.outbox import Delivery

METADATA_MS: Final = 5_000
REQUEST_MS: Final = 10_000
DELIVERY_MS: Final = 30_000
"""After it the client gives up and we send again by ourselves."""

MISSING_S: Final = 30.0
"""How long a topic that is not there is not asked for again."""

RECORD_BYTES: Final = 1024 * 1024 - 1024

Parts = Iterator[tuple[int | None, bytes | None, bytes, list[tuple[str, bytes]]]]
"""Partition, key, value and headers."""


class OverKafka:
    """A producer of kafka-python."""

    def __init__(self, address: KafkaAddress) -> None:
        """Connects; raises what kafka-python raises where nobody answers."""
        import kafka  # noqa: PLC0415 - takes longer than importing all of this package

        options: dict[str, Any] = {
            "client_id": "windage",
            "bootstrap_servers": list(address.bootstrap),
            "acks": "all",
            "linger_ms": 5,
            "batch_size": 256 * 1024,
            "compression_type": "gzip",
            "max_request_size": RECORD_BYTES,
            "max_block_ms": METADATA_MS,
            "bootstrap_timeout_ms": REQUEST_MS,
            "request_timeout_ms": REQUEST_MS,
            "delivery_timeout_ms": DELIVERY_MS,
            "allow_auto_create_topics": False,
            **(address.options or {}),
        }
        self._address = address
        self._errors = kafka.errors
        self._options = options
        self._missing: dict[str, float] = {}
        self._producer = connected(kafka.KafkaProducer, options)

    def deliver(self, items: Sequence[Item]) -> Delivery:
        """Send items and wait until each is acknowledged, refused, or given up by the client."""
        refused: list[tuple[Item, Reason, str]] = []
        again: list[Item] = []
        sending: list[tuple[Item, list[Any]]] = []
        for item in items:
            topic = self._address.topic(item.topic)
            if not self._knows(topic):
                refused.append((item, "no_topic", f"there is no topic {topic} on the broker"))
                continue
            try:
                sending.append((item, [self._send(topic, part) for part in self._parts(item)]))
            except self._errors.MessageSizeTooLargeError:
                refused.append((item, "too_large", "a record exceeds the limit of the client"))
            except (ValueError, TypeError, OverflowError) as error:
                refused.append((item, "rejected", f"{type(error).__name__} in columns"))
        self._producer.flush(timeout=(DELIVERY_MS + REQUEST_MS) / 1000)
        for item, futures in sending:
            errors = [future.exception for future in futures if not future.succeeded()]
            if not errors:
                continue
            if all(error is None or getattr(error, "retriable", True) for error in errors):
                again.append(item)
                continue
            refused.append((item, *reason_of(next(filter(None, errors)))))
        return Delivery(again=again, refused=refused)

    def close(self) -> None:
        """End the client's thread; what it still has is sent again by the next one."""
        self._producer.close(timeout=0)

    def _send(self, topic: str, part: tuple[Any, Any, Any, Any]) -> Any:  # noqa: ANN401 - a future
        partition, key, value, headers = part
        return self._producer.send(topic, value, key, headers, partition)

    def _parts(self, item: Item) -> Parts:
        if isinstance(item, Message):
            return iter([(None, item.key, item.value, [])])
        partitions = len(self._producer.partitions_for(self._address.topic(item.topic)))
        return kafka_parts(item.parts(partitions), item.kind)

    def _knows(self, topic: str) -> bool:
        """Whether the topic exists. KafkaTimeoutError where the broker does not answer at all."""
        if monotonic() < self._missing.get(topic, 0.0):
            return False
        try:
            return bool(self._producer.partitions_for(topic))
        except self._errors.KafkaTimeoutError:
            from kafka.admin import KafkaAdminClient  # noqa: PLC0415

            known = {"bootstrap_servers", "bootstrap_timeout_ms", "request_timeout_ms"}
            options = {
                key: value
                for key, value in self._options.items()
                if key in known or key.startswith(("sasl_", "ssl_", "security_"))
            }
            with closing(KafkaAdminClient(**options)) as admin:
                if topic in admin.list_topics():
                    raise
            self._missing[topic] = monotonic() + MISSING_S
            return False


def connected(make: Any, options: dict[str, Any]) -> Any:  # noqa: ANN401 - a class of kafka-python
    """A producer or consumer; the client of one that cannot connect is closed, its sockets too."""
    from kafka.net.compat import KafkaNetClient  # noqa: PLC0415

    clients: list[Any] = []

    def client(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        clients.append(KafkaNetClient(*args, **kwargs))
        return clients[-1]

    try:
        return make(**{"kafka_client": client, **options})
    except BaseException:
        for one in clients:
            one.close()
        raise


def kafka_parts(parts: Sequence[tuple[int | None, bytes]], kind: str) -> Parts:
    """Records of a batch: no key, because its ids are many, but the partition of all of them."""
    headers = [("content-type", kind.encode())] if kind == ARROW else []
    for partition, value in parts:
        yield partition, None, value, headers


def reason_of(error: BaseException) -> tuple[Reason, str]:
    """Why the broker will never take a record."""
    name = type(error).__name__
    reason: Reason = "too_large" if "TooLarge" in name else "rejected"
    return reason, f"the broker says {name}"
