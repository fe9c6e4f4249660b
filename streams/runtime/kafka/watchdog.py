"""The watchdog: a thread that ends a worker which does not get on, and says where it hangs.

Promises: it works while the event loop does not; a process that was stopped and woken has a fresh
term, because time it was not there for is not held against it; nothing is acknowledged by ending.
Leaves to others: starting again (`supervisor`), the figures (`pulse`).
"""

import asyncio
import gc
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

import msgspec

from streams.runtime.kafka.exits import BROKEN, UNREACHABLE, leave
from streams.runtime.kafka.pulse import Pulse, resident_bytes
from streams.runtime.kafka.stacks import dump

LOOK_S: Final = 0.5
STOOD_S: Final = 2.0
"""An event loop that stands still for longer is worth a line: heartbeats wait for it."""

FULL_AGAIN_S: Final = 60.0

_log = logging.getLogger(__name__)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What is too long and too much. `red`: bytes from which on memory is warned of.

    `unsettled_s`: of a rebalance, or of one step of restoring after it; a group may wait for a
    member as long as its session lasts.
    """

    stall_s: float
    unsettled_s: float
    memory: int
    red: int


Leave = Callable[[int, str], None]


class Watchdog:
    """Looks at one process; `leave` ends it."""

    def __init__(self, pulse: Pulse, limits: Limits, *, leave: Leave = leave) -> None:
        self._pulse = pulse
        self._limits = limits
        self._leave = leave
        self._beat = self._looked = self._woken = time.monotonic()
        self._warned = -FULL_AGAIN_S

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch in the background, until the process ends."""

        def watch() -> None:
            while not loop.is_closed():
                loop.call_soon_threadsafe(self.beat)
                time.sleep(LOOK_S)
                self.look(time.monotonic(), resident_bytes())

        threading.Thread(target=watch, name="windage-watchdog", daemon=True).start()

    def beat(self) -> None:
        """The event loop has come round."""
        now = time.monotonic()
        stood = now - self._beat - LOOK_S
        self._beat = now
        if stood > STOOD_S:
            self._pulse.stood_s = max(self._pulse.stood_s, stood)
            _log.warning("the event loop stood still for %.1f s", stood)

    def look(self, now: float, memory: int) -> None:
        """Judge the process as of `now` (monotonic) with so many bytes of memory."""
        if now - self._looked > STOOD_S + LOOK_S:
            self._woken = now  # we were not there either: stopped, or the machine slept
        self._looked = now
        self._judge_time(now)
        self._judge_memory(now, memory)

    def _judge_time(self, now: float) -> None:
        limit = self._limits.stall_s
        if now - max(self._beat, self._woken) > limit:
            self._end(BROKEN, f"the event loop has stood still for {limit:.0f} s")
            return
        waiting = sum(self._pulse.lag.values())
        if waiting and now - max(self._pulse.moved, self._woken) > limit:
            self._give_up(now, f"{waiting} records wait and none was counted for {limit:.0f} s")
            return
        unsettled = self._pulse.unsettled_since
        longest = self._limits.unsettled_s
        if unsettled is not None and now - max(unsettled, self._woken) > longest:
            self._give_up(now, f"a rebalance has not come to its end for {longest:.0f} s")

    def _give_up(self, now: float, line: str) -> None:
        """End for want of progress; while Kafka is away that is the reason."""
        away = self._pulse.away_since
        if away is not None:
            self._leave(UNREACHABLE, f"Kafka has not answered for {now - away:.0f} s")
        else:
            self._end(BROKEN, line)

    def _judge_memory(self, now: float, memory: int) -> None:
        if memory > self._limits.memory:
            self._leave(
                BROKEN,
                f"memory {memory >> 20} MiB is over limits.memory, {self._limits.memory >> 20} "
                "MiB: raise it, shorten labels.horizon, or run more workers",
            )
        elif memory > self._limits.red and now - self._warned >= FULL_AGAIN_S:
            self._warned = now
            gc.collect()
            _log.warning(
                "memory %d MiB is near limits.memory, %d MiB",
                memory >> 20,
                self._limits.memory >> 20,
            )

    def _end(self, code: int, line: str) -> None:
        """Say where everything stands, and end."""
        dump(sys.stderr)
        self._leave(code, line)
