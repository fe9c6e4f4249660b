"""The worker's producer: a short wait for an answer, a long one for a broker that is away."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from streams.runtime.kafka import producing
from streams.runtime.kafka.connection import Connection
from streams.runtime.kafka.producing import make_producer


@pytest.fixture
async def silent():
    """The port of a server that takes everything and never answers."""
    lines = []
    server = await asyncio.start_server(
        lambda _reader, writer: lines.append(writer), "127.0.0.1", 0
    )
    yield server.sockets[0].getsockname()[1]
    for line in lines:
        line.close()
        await line.wait_closed()
    server.close()


async def test_a_line_that_is_dead_is_given_up_soon(silent, monkeypatch):
    """One request costs the short wait; with aiokafka's own it would be 40 s and more."""
    monkeypatch.setattr(producing, "ANSWER_SECONDS", 0.2)
    producer = make_producer(Connection(bootstrap=f"127.0.0.1:{silent}"), 1 << 20)
    async with asyncio.timeout(20):
        with pytest.raises(KafkaConnectionError):
            await producer.client.bootstrap()
    await producer.stop()


async def test_a_batch_waits_longer_than_a_request():
    """A broker that is away for half a minute ends no process."""
    producer = make_producer(Connection(bootstrap="127.0.0.1:1"), 1 << 20)
    assert producing.ANSWER_SECONDS < 15
    assert producer._message_accumulator._batch_ttl > 30
    await producer.stop()
