"""The wire: answers are the broker's, however the network cuts them."""

import asyncio
import io
import random
import struct
from contextlib import asynccontextmanager

import pytest
from aiokafka import conn

from streams.runtime.kafka.wire import KEPT_BYTES, Pages, Wire


@asynccontextmanager
async def wired(sent, *, ends=False):
    """A wire to somebody who sends these pieces, and then nothing or the end."""

    async def send(reader, writer):
        for piece in sent:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if not ends:
            await reader.read()
        writer.close()

    loop = asyncio.get_running_loop()
    async with await asyncio.start_server(send, "127.0.0.1", 0) as server:
        over, reader = loop.create_future(), asyncio.StreamReader(loop=loop)
        host, port = server.sockets[0].getsockname()
        transport, wire = await loop.create_connection(
            lambda: Wire(over, reader, loop=loop), host, port
        )
        yield wire
        transport.close()
        await over
        await asyncio.sleep(0.05)  # the other side notices


def cut(text, r):
    """A text in pieces of any length."""
    pieces, at = [], 0
    while at < len(text):
        length = r.choice([1, 3, 4, 5, 100, 70_000])
        pieces.append(text[at : at + length])
        at += length
    return pieces


@pytest.mark.parametrize("seed", range(5))
async def test_answers_come_whole_and_in_order(seed):
    """Empty ones and long ones too, read at once or when several wait."""
    r = random.Random(seed)
    lengths = [r.choice([0, 1, 4, 1_000, 200_000, 300_001]) for _ in range(12)]
    answers = [r.randbytes(length) for length in lengths]
    text = b"".join(struct.pack(">i", len(one)) + one for one in answers)
    async with wired(cut(text, r)) as wire:
        found = []
        for _ in answers:
            one = await asyncio.wait_for(wire.answer(), 20)
            found.append(bytes(one))
            if r.random() < 0.7:
                wire.free(one)
            if r.random() < 0.3:
                await asyncio.sleep(0.01)
        assert answers == found


async def test_memory_that_was_read_is_used_again():
    """The next answer that fits lies where the one before did; what is too long is not kept."""
    lengths = [5_000, 4_000, KEPT_BYTES + 1, 3_000]
    text = [struct.pack(">i", length) + b"x" * length for length in lengths]
    async with wired([]) as wire:
        places = []
        for one in text:
            left = memoryview(one)
            while left:
                place = wire.get_buffer(-1)
                fits = min(len(place), len(left))
                place[:fits] = left[:fits]
                wire.buffer_updated(fits)
                left = left[fits:]
            answer = await wire.answer()
            places.append(answer.obj)
            wire.free(answer)
        assert [True, False, True] == [one is places[0] for one in places[1:]]


async def test_an_answer_that_is_cut_off_ends_the_connection():
    """What came whole before it is still handed out."""
    sent = [struct.pack(">i", 3) + b"abc" + struct.pack(">i", 9) + b"abc"]
    async with wired(sent, ends=True) as wire:
        assert b"abc" == bytes(await wire.answer())
        with pytest.raises(EOFError, match="closed the connection"):
            await wire.answer()


async def test_a_length_that_none_has_ends_the_connection():
    """Whoever sends it is no broker."""
    async with wired([struct.pack(">i", -2)]) as wire:
        with pytest.raises(EOFError, match="-2 bytes"):
            await wire.answer()


def test_pages_read_as_a_file_does():
    """Parts, more than is left, and the rest; each a copy, because the memory is used again."""
    memory = bytearray(b"0123456789")
    pages, file = Pages(memoryview(memory)), io.BytesIO(bytes(memory))
    parts = [pages.read(length) for length in (0, 3, 1, -1, 4, -1)]
    assert [file.read(length) for length in (0, 3, 1, -1, 4, -1)] == parts
    memory[:] = b"x" * 10
    assert b"0123456789" == b"".join(parts)


def test_what_is_replaced_is_there():
    """Another aiokafka that names these things otherwise would read as it likes, unnoticed."""
    assert issubclass(Wire, conn.AIOKafkaProtocol)
    assert callable(conn.AIOKafkaConnection._read)
    assert callable(conn.AIOKafkaConnection._handle_frame)
    assert hasattr(conn, "io")
