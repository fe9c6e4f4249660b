"""The producer of a worker: outputs and states, durable on every replica, in order, once.

Promises: a line that has gone dead without a word costs `ANSWER_SECONDS`, then the request is sent
again on a new one (idempotence makes it one record); a broker that is away is waited for much
longer, because a producer that gives up ends the process.
Leaves to others: the order of what is sent (`tenure`).
"""

from typing import Final

from aiokafka import AIOKafkaProducer

from streams.runtime.kafka import bulk, compression
from streams.runtime.kafka.connection import Connection

ANSWER_SECONDS: Final = 8.0
"""How long one request waits for its answer."""


def make_producer(connection: Connection, record_bytes: int) -> AIOKafkaProducer:
    """Return a producer that is not started; `record_bytes` is the largest record."""
    compression.install()
    producer = AIOKafkaProducer(
        **connection.aiokafka(),
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        linger_ms=5,
        max_batch_size=bulk.BATCH_BYTES,
        max_request_size=record_bytes,
    )
    # aiokafka has one setting for three waits: for an answer, for room, and until a batch is given
    # up. Only the first must be short.
    producer.client._request_timeout_ms = 1000 * ANSWER_SECONDS  # noqa: SLF001
    return producer
