"""Bulk: many records to one topic as a few batches, at a tenth of the cost of one by one.

A log that is half poison makes as many dead letters as good records; sent one at a time, each with
a future of its own, they would cost five times what the good ones do.

Promises: each record is appended once and in order among those of its partition; whoever awaits
what is given back knows that the broker has taken them all. A key goes where Kafka's own choice
would send it, no key to partition 0.
Leaves to others: what is sent, and when it counts as durable (`tenure`).
"""

from collections.abc import Awaitable, Sequence
from typing import Any, Final

import numpy as np
from aiokafka import AIOKafkaProducer

from schemas.frames.ids import Ids
from schemas.frames.murmur import partitions_of
from schemas.log import Output
from streams.runtime.partitions import partition_of

BATCH_BYTES: Final = 256 << 10
"""Of what is sent together to one partition; aiokafka sends one such batch after the other, and
its own 16 KiB would make hundreds of round trips of a cycle's dead letters."""

MANY: Final = 32
"""Records that are worth a batch of their own."""


async def send_many(
    producer: AIOKafkaProducer, topic: str, outputs: Sequence[Output]
) -> list[Awaitable[Any]]:
    """Hand records to the producer; the answers are its acknowledgements, one a batch."""
    many = len(await producer.partitions_for(topic))
    homes = _homes([output.key for output in outputs], many)
    answers: list[Awaitable[Any]] = []
    for home in sorted(set(homes)):
        own = [output for output, at in zip(outputs, homes, strict=True) if at == home]
        batch = producer.create_batch()
        for output in own:
            if not _appended(batch, output):
                answers.append(await producer.send_batch(batch, topic, partition=home))
                batch = producer.create_batch()
                _appended(batch, output)  # the first record of a batch is taken at any size
        answers.append(await producer.send_batch(batch, topic, partition=home))
    return answers


def _appended(batch: Any, output: Output) -> bool:  # noqa: ANN401 - aiokafka publishes no types
    taken = batch.append(
        key=output.key,
        value=output.value,
        timestamp=output.timestamp,
        headers=list(output.headers),
    )
    return taken is not None


def _homes(keys: Sequence[bytes | None], many: int) -> list[int]:
    """The partition of each key (n,)."""
    if many == 1:
        return [0] * len(keys)
    known = [key or b"-" for key in keys]
    ends = np.cumsum([len(key) for key in known])
    homes = partitions_of(Ids(np.frombuffer(b"".join(known), np.uint8), ends), many).tolist()
    return [home if key else partition_of(key, many) for key, home in zip(keys, homes, strict=True)]
