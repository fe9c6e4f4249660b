# ruff: noqa: ANN401 - aiokafka publishes no types
"""The wire: answers of a broker are read to where they stay until they are taken apart.

aiokafka reads through a stream: what came is made an object of its own, added to a buffer that
grows, cut out of it and cut out again, and for each new block the system finds empty pages. Here a
connection reads into one piece of memory as long as the answer, and uses it again for the next.

Promises: the same answers in the same order; an answer that was cut off, or announces a length
that none has, ends the connection as it does in aiokafka.
Leaves to others: what an answer means, requests that wait for it (aiokafka).
The classes and names replaced are those of aiokafka 0.14.
"""

import asyncio
import struct
from collections import deque
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
from aiokafka import conn

KEPT_BYTES: Final = 5 << 20
"""Longest piece that is kept for the next answer: fetches of both logs of a partition, and room."""

_HEAD: Final = struct.Struct(">i")
"""What stands before each answer: its length."""


class Wire(conn.AIOKafkaProtocol, asyncio.BufferedProtocol):
    """One connection's answers, each in one piece."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head = memoryview(bytearray(_HEAD.size))
        self._room, self._filled = self._head, 0
        """Where the next bytes go, and how far that is filled."""
        self._answers: deque[memoryview] = deque()
        self._spare = _memory(0)
        self._waiter: asyncio.Future[None] | None = None
        self._end: Exception | None = None

    async def answer(self) -> memoryview:
        """The next answer; EOFError or OSError once nothing more comes."""
        while not self._answers:
            if self._end is not None:
                raise self._end
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._answers.popleft()

    def free(self, answer: memoryview) -> None:
        """Take back the memory of an answer that was read."""
        whole = memoryview(answer.obj)
        if len(self._spare) < len(whole) <= KEPT_BYTES:
            self._spare = whole

    # What the transport calls

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - we know better
        """Where to put what comes."""
        return self._room[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes have come."""
        self._filled += nbytes
        if self._filled < len(self._room):
            return
        done, self._filled = self._room, 0
        if done is not self._head:
            self._room = self._head
            self._came(done)
            return
        (length,) = _HEAD.unpack(done)
        if length > 0:
            self._room = self._place(length)
        elif length == 0:
            self._came(_memory(0))
        else:
            self._over(EOFError(f"the broker announces an answer of {length} bytes"))

    def eof_received(self) -> bool | None:
        """Nothing more comes."""
        self._over(EOFError("the broker has closed the connection"))
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over, by somebody's will or by a fault."""
        self._over(exc or EOFError("the connection is closed"))
        super().connection_lost(exc)

    def _place(self, length: int) -> memoryview:
        """Memory for an answer."""
        if length > len(self._spare):
            return _memory(length)
        place, self._spare = self._spare[:length], _memory(0)
        return place

    def _came(self, answer: memoryview) -> None:
        self._answers.append(answer)
        self._wake()

    def _over(self, why: Exception) -> None:
        self._end = self._end or why
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Pages:
    """An answer as aiokafka's types read it: from the beginning on, each part a copy."""

    def __init__(self, answer: memoryview | bytes) -> None:
        self._answer, self._at = memoryview(answer), 0

    def read(self, length: int = -1) -> bytes:
        """The next bytes, or as many as are left; all of them if `length` is negative."""
        begin = self._at
        self._at = len(self._answer) if length < 0 else min(begin + length, len(self._answer))
        return bytes(self._answer[begin : self._at])


async def _read(connection: Any) -> None:
    """Hand each answer to the `connection` (a weak reference) that has asked."""
    owner = connection()
    if owner is None:
        return
    wire: Wire = owner._protocol  # noqa: SLF001 - aiokafka offers no other way
    del owner  # or nobody who forgets a connection would let go of it
    while True:
        answer = await wire.answer()
        owner = connection()
        if owner is None:
            return
        waits = owner._requests  # noqa: SLF001 - as above
        bare = waits and waits[0][0] is None  # of SASL, without a header: passed on as it is
        owner._handle_frame(bytes(answer) if bare else answer)  # noqa: SLF001 - as above
        del owner
        wire.free(answer)


def _memory(length: int) -> memoryview:
    """Memory that nobody has written to yet: an announced length alone takes none."""
    return memoryview(np.empty(length, np.uint8))  # type: ignore[arg-type] # numpy's are buffers


def install() -> None:
    """Let every connection that is made from now on in this process read so."""
    conn.AIOKafkaProtocol = Wire
    conn.AIOKafkaConnection._read = staticmethod(_read)  # noqa: SLF001 - as above
    conn.io = SimpleNamespace(BytesIO=Pages)
