"""Sending to Kafka with aiokafka, imported only when it is needed.

Promises: as `windage.over_kafka`: all in-sync replicas have what has arrived, the broker's repeats
count once, keys and batches go to the same partitions.
Leaves to others: when to send again (`outbox`).
"""

import asyncio
from collections.abc import Sequence
from importlib import import_module
from time import monotonic
from typing import Any

from windage.addresses import KafkaAddress
from windage.buffer import Item
from windage.composing import Message
from windage.counts import Reason
from windage.outbox import Delivery
from windage.over_kafka import MISSING_S, RECORD_BYTES, REQUEST_MS, Parts, kafka_parts, reason_of

DELIVERY_S = 30.0
"""After it we let go of the client and send again by ourselves."""


class OverKafka:
    """A producer of aiokafka."""

    def __init__(self, address: KafkaAddress, producer: Any, errors: Any) -> None:  # noqa: ANN401
        self._address = address
        self._producer = producer
        self._errors = errors
        self._missing: dict[str, float] = {}

    @classmethod
    async def connect(cls, address: KafkaAddress) -> "OverKafka":
        """Import the client off the event loop, and connect."""
        aiokafka = await asyncio.to_thread(import_module, "aiokafka")
        options: dict[str, Any] = {
            "client_id": "windage",
            "bootstrap_servers": list(address.bootstrap),
            "acks": "all",
            "enable_idempotence": True,
            "linger_ms": 5,
            "max_batch_size": 256 * 1024,
            "compression_type": "gzip",
            "max_request_size": RECORD_BYTES,
            "request_timeout_ms": REQUEST_MS,
            **(address.options or {}),
        }
        producer = aiokafka.AIOKafkaProducer(**options)
        try:
            async with asyncio.timeout(DELIVERY_S):
                await producer.start()
        except BaseException:
            await producer.stop()
            raise
        return cls(address, producer, aiokafka.errors)

    async def deliver(self, items: Sequence[Item]) -> Delivery:
        """Send items and wait until each is acknowledged or refused; TimeoutError after long."""
        refused: list[tuple[Item, Reason, str]] = []
        sending: list[tuple[Item, list[Any]]] = []
        async with asyncio.timeout(DELIVERY_S):
            for item in items:
                topic = self._address.topic(item.topic)
                try:
                    parts = await self._parts(item, topic)
                    sending.append((item, [await self._send(topic, part) for part in parts]))
                except self._errors.UnknownTopicOrPartitionError:
                    if monotonic() >= self._missing.get(topic, 0.0):
                        self._missing[topic] = monotonic() + MISSING_S
                    refused.append((item, "no_topic", f"there is no topic {topic} on the broker"))
                except self._errors.MessageSizeTooLargeError:
                    refused.append((item, "too_large", "a record exceeds the limit of the client"))
                except (ValueError, TypeError, OverflowError) as error:
                    refused.append((item, "rejected", f"{type(error).__name__} in columns"))
            every = [future for _, futures in sending for future in futures]
            await asyncio.gather(*every, return_exceptions=True)
        again: list[Item] = []
        for item, futures in sending:
            errors = [found for future in futures if (found := future.exception()) is not None]
            if errors and all(getattr(error, "retriable", True) for error in errors):
                again.append(item)
            elif errors:
                refused.append((item, *reason_of(errors[0])))
        return Delivery(again=again, refused=refused)

    async def close(self) -> None:
        """Stop the client; what it still has is sent again by the next one."""
        try:
            async with asyncio.timeout(1):
                await self._producer.stop()
        except TimeoutError:
            await self._producer.client.close()

    async def _send(self, topic: str, part: tuple[Any, Any, Any, Any]) -> Any:  # noqa: ANN401
        partition, key, value, headers = part
        return await self._producer.send(
            topic, value, key=key, partition=partition, headers=headers
        )

    async def _parts(self, item: Item, topic: str) -> Parts:
        if monotonic() < self._missing.get(topic, 0.0):
            raise self._errors.UnknownTopicOrPartitionError
        partitions = len(await self._producer.partitions_for(topic))
        if isinstance(item, Message):
            return iter([(None, item.key, item.value, [])])
        return kafka_parts(item.parts(partitions), item.kind)
