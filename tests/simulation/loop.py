"""An event loop without a clock, sockets or threads: it runs what is ready, when it is told to.

Promises: the order of everything is a function of the calls made; time moves only by `pass_time`.
Leaves to others: what runs in it (the coroutines of the Kafka worker, unchanged).
"""

import asyncio
import heapq
from collections.abc import Coroutine
from contextvars import Context, copy_context
from typing import Any


class Loop(asyncio.BaseEventLoop):
    """asyncio's own bookkeeping, turned by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def time(self) -> float:
        """Return virtual seconds."""
        return self.seconds

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Any:
        """As asyncio's, without checks and handles: all is one thread, nothing is taken back."""
        self._ready.append((copy_context() if context is None else context, callback, args))

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Say nothing: tasks of killed processes are dropped where they stand."""

    def _check_closed(self) -> None:
        """What is dropped after the end may still say something; nobody runs it."""

    def begin(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Return a task that has run as far as it can without anybody's answer."""
        task = self.create_task(coroutine)
        self.spin()
        return task

    def spin(self) -> None:
        """Run until nothing is ready."""
        if not self._ready:
            return
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            while self._ready:
                context, callback, args = self._ready.popleft()
                # As a handle does; `suppress` would take longer than most callbacks.
                try:  # noqa: SIM105
                    context.run(callback, *args)
                except (Exception, asyncio.CancelledError):  # noqa: BLE001, S110
                    pass
        finally:
            asyncio._set_running_loop(before)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, timers fire, and run what they make ready."""
        self.seconds += seconds
        while self._scheduled and self._scheduled[0]._when <= self.seconds:
            handle = heapq.heappop(self._scheduled)
            handle._scheduled = False
            if not handle._cancelled:
                self.call_soon(_fire, handle)
        self.spin()


def _fire(timer: asyncio.TimerHandle) -> None:
    """Run what a timer was set for, unless it was taken back meanwhile."""
    if not timer._cancelled:
        timer._run()
