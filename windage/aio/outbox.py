"""The task that sends what a publisher was given, so that no request waits for the network.

Promises: as `windage.outbox`: `put` waits no longer than `block_s`; what is not acknowledged is
sent again, with pauses that grow. All of it happens on the event loop that published first.
Leaves to others: how it is sent.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from windage.buffer import Buffer, Item, Limits
from windage.counts import Counts
from windage.outbox import LINGER_S, LONGEST_PAUSE_S, PAUSE_S, Delivery


class Transport(Protocol):
    """A way to the other side. Whatever it raises, everything is sent again."""

    async def deliver(self, items: Sequence[Item]) -> Delivery:
        """Send items and wait for the answer, no longer than some seconds."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Outbox:
    """Waiting items and their task, which starts with the first item."""

    def __init__(
        self, connect: Callable[[], Awaitable[Transport]], limits: Limits, counts: Counts
    ) -> None:
        self._connect = connect
        self._limits = limits
        self._counts = counts
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._buffer = Buffer(self._limits)
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._transport: Transport | None = None
        self._hurried = 0
        self._closing = False

    async def put(self, item: Item) -> bool:
        """Take an item, or count it as dropped; True if it was taken."""
        if self._pid != os.getpid():  # a forked child begins empty: the parent sends its own
            self._counts.after_fork()
            self._begin()
        if not self._closing and not self._buffer.has_room(item) and self._limits.block_s > 0:
            await self._wait(
                lambda: self._closing or self._buffer.has_room(item), self._limits.block_s
            )
        if self._closing:
            self._counts.drop("closed", item.rows, "the publisher was closed before")
            return False
        if not self._buffer.has_room(item):
            self._counts.drop("buffer_full", item.rows, "more is published than can be sent")
            return False
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="windage-publisher")
        first = not self._buffer.waits()
        self._buffer.put(item)
        if first or self._buffer.is_full_chunk():
            await self._tell()
        return True

    async def flush(self, timeout_s: float) -> bool:
        """Wait until everything taken so far was sent or refused; False if it was not in time."""
        self._hurried += 1
        try:
            await self._tell()
            return await self._wait(self._is_empty, timeout_s)
        finally:
            self._hurried -= 1

    async def close(self, timeout_s: float) -> bool:
        """Take no more, send what waits; what is left after `timeout_s` counts as undelivered."""
        if self._closing:
            return self._is_empty()
        self._closing = True
        await self._tell()
        done = await self._wait(self._is_empty, timeout_s)
        left = self._buffer.events
        if left:
            self._counts.drop("undelivered", left, "not sent before the publisher was closed")
            self._buffer = Buffer(self._limits)
        if self._task is not None:
            if not done:
                self._task.cancel()
            await asyncio.wait([self._task], timeout=timeout_s)
        return done

    def _is_empty(self) -> bool:
        return not self._buffer.events

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _wait(self, until: Callable[[], object], seconds: float | None) -> bool:
        """Wait for a condition; gives whether it holds."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: bool(until()))
        except TimeoutError:
            return bool(until())
        return True

    # -- the task ----------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while True:
                await self._wait(lambda: self._closing or self._buffer.waits(), None)
                if not self._hurries():
                    await self._wait(self._hurries, LINGER_S)
                self._buffer.take()
                if not self._buffer.underway:
                    break
                await self._send()
        finally:
            await self._let_go()

    def _hurries(self) -> bool:
        return self._closing or self._hurried > 0 or self._buffer.is_full_chunk()

    async def _send(self) -> None:
        pause = PAUSE_S
        while self._buffer.underway:
            before = len(self._buffer.underway)
            wait_s = await self._try()
            await self._tell()
            if not self._buffer.underway:
                return
            pause = PAUSE_S if len(self._buffer.underway) < before else pause
            await asyncio.sleep(
                pause * (0.5 + os.urandom(1)[0] / 255) if wait_s is None else wait_s
            )
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _try(self) -> float | None:
        """Send once; what is under way afterwards must be sent again. Gives the pause asked for."""
        buffer, sending = self._buffer, self._buffer.underway
        try:
            if self._transport is None:
                self._transport = await self._connect()
            delivery = await self._transport.deliver(sending)
        except Exception as error:  # noqa: BLE001 - any failure of a client means: not sent
            self._counts.tell(f"cannot send, will try again: {type(error).__name__}: {error}")
            await self._let_go()
            return None
        if self._buffer is not buffer:
            return None  # closed meanwhile, and counted
        for item, reason, why in delivery.refused:
            self._counts.drop(reason, item.rows, why)
        over = sum(item.rows for item in sending) - sum(item.rows for item in delivery.again)
        self._counts.send(over - sum(item.rows for item, _, _ in delivery.refused))
        buffer.keep(delivery.again)
        return delivery.wait_s

    async def _let_go(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            try:
                await transport.close()
            except Exception as error:  # noqa: BLE001 - it is of no use any more either way
                self._counts.tell(f"closing a connection failed: {type(error).__name__}")
