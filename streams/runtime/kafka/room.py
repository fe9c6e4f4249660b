"""Room: whether a worker may read on, or what it has to say must be durable first.

Dead letters are never dropped. If the broker takes them more slowly than records are refused, what
waits is bounded: nothing is read until a cycle, which is asked for at once, has sent it.

Promises: at most `UNSENT_BYTES` and one batch wait, and as much again is on its way.
Leaves to others: the cycle itself (`worker`), what waits in a machine (`machine`).
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Final

from streams.runtime.machine import UNSENT_BYTES, Machine, unsent

LOOK_SECONDS: Final = 0.02


class Room:
    """Between the loop that reads and the loop that makes durable."""

    def __init__(self, machines: Callable[[], Iterable[Machine]]) -> None:
        """`machines` gives those that are owned now."""
        self._machines = machines
        self._wanted = asyncio.Event()

    async def wait(self) -> None:
        """Until a batch may be read."""
        while sum(map(unsent, self._machines())) > UNSENT_BYTES:
            self._wanted.set()
            await asyncio.sleep(LOOK_SECONDS)

    async def rest(self, seconds: float) -> None:
        """Until the next cycle: so long, or as soon as there is no room."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wanted.wait(), seconds)
        self._wanted.clear()
