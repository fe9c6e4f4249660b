"""The office: a courier for each sink of a config, all in one event loop, in a thread where wanted.

Promises: a sink that hangs, fails or has a bug of ours in its way holds up neither the other sinks
nor who made the office; a courier whose source fails begins again from what was written down.
Leaves to others: sources (whoever makes the office knows where the topics are).
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Final

from schemas.config import Config
from schemas.config_sinks import Sink
from streams.sinks.caller import Caller
from streams.sinks.courier import Courier, Status
from streams.sinks.source import Source

logger = logging.getLogger(__name__)

AGAIN_S: Final = 5.0
"""After a source has failed."""

STOP_S: Final = 10.0

Opening = Callable[[str, Sink], Awaitable[Source]]
"""Opens the source of a sink, by its name."""


class Office:
    """The couriers of a config; `run` them in an event loop, or `start` and `stop` a thread."""

    def __init__(self, config: Config, opening: Opening) -> None:
        self._sinks = config.sinks
        self._opening = opening
        self._callers = {name: Caller(sink) for name, sink in config.sinks.items()}
        named = config.named_sinks()
        self._couriers = {
            name: Courier(name, sink, named, self._callers[name])
            for name, sink in config.sinks.items()
        }
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread: threading.Thread | None = None

    def status(self) -> list[Status]:
        """How each sink does, by name."""
        return [self._couriers[name].status() for name in sorted(self._couriers)]

    async def run(self) -> None:
        """Carry until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name in self._sinks:
                group.create_task(self._carry(name))

    def start(self) -> None:
        """Carry in a thread of its own."""
        if not self._sinks:
            return
        begun = threading.Event()

        async def run() -> None:
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.current_task()
            begun.set()
            with contextlib.suppress(asyncio.CancelledError):  # by `stop`
                await self.run()

        self._thread = threading.Thread(
            target=lambda: asyncio.run(run()), name="windage-sinks", daemon=True
        )
        self._thread.start()
        begun.wait(STOP_S)

    def stop(self) -> None:
        """Break off what is being sent: it comes again with the next start."""
        if self._thread is None or self._loop is None or self._task is None:
            return
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(STOP_S)

    async def _carry(self, name: str) -> None:
        """One courier; it begins anew when its source fails."""
        while True:
            source = None
            try:
                source = await self._opening(name, self._sinks[name])
                async with self._callers[name]:
                    await self._couriers[name].run(source)
            except Exception as error:
                kind = type(error).__name__
                self._couriers[name].cut_off(f"its topics cannot be read ({kind})")
                logger.warning("sink %s: its topics cannot be read (%s); again", name, kind)
                logger.debug("sink %s", name, exc_info=error)
            finally:
                if source is not None:
                    await source.close()
            await asyncio.sleep(AGAIN_S)
