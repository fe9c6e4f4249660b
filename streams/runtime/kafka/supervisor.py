"""Several worker processes kept running: what `windage worker` without a role does.

Promises: a worker that dies is started again after a growing pause; one that must not be started
again (exit code 2) ends them all with that code; SIGTERM and SIGINT are passed on, and those who
do not follow are ended. One that is killed leaves nobody behind (`follow_supervisor`).
Leaves to others: what a worker does, and asking the broker before the first one is started.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from types import FrameType
from typing import Final

import msgspec

from streams.runtime.kafka.exits import OK, REFUSED

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
STEADY_S: Final = 60.0
"""A worker that ran this long is started again at once: its trouble is a new one."""

STOP_S: Final = 30.0
LOOK_S: Final = 0.1


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One process to keep running; `name` is for messages.

    `needed`: the others are ended where it cannot go on; else it is tried again.
    """

    name: str
    arguments: tuple[str, ...]
    needed: bool = True


class _Child:
    """A process, and when the next one may be started in its place."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.process: subprocess.Popen[bytes] | None = None
        self._failures = 0
        self._started = 0.0
        self._next = 0.0

    def start_if_due(self) -> None:
        """Start it if it is not running and the pause is over."""
        if self.process is None and time.monotonic() >= self._next:
            self._started = time.monotonic()
            # A terminal's Ctrl-C must reach the children through us alone, once.
            # Nothing is ever written to it: its end tells a child that we are gone.
            self.process = subprocess.Popen(  # noqa: S603 - our own program
                self.command.arguments, stdin=subprocess.PIPE, start_new_session=True
            )

    def ended(self) -> int | None:
        """Return the exit code if it has ended since it was last asked."""
        code = None if self.process is None else self.process.poll()
        if code is None:
            return None
        self.close()
        self.process = None
        self._failures = 0 if time.monotonic() - self._started > STEADY_S else self._failures + 1
        self._next = time.monotonic() + pause_s(self._failures)
        return code

    def close(self) -> None:
        """Let go of the pipe of a process that has ended."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()


def pause_s(failures: int) -> float:
    """Return the pause before the next start after so many quick failures, in seconds."""
    if failures == 0:
        return 0.0
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (failures - 1))
    return longest * random.uniform(0.75, 1.0)  # noqa: S311 - spreads restarts, no secret


def supervise(commands: Sequence[Command]) -> int:
    """Keep `commands` running until a signal; returns an exit code.

    Must run in the main thread. 0 after a signal; 2 when a worker refused to go on.
    """
    children = [_Child(command) for command in commands]
    asked_to_stop: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        asked_to_stop.append(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        while not asked_to_stop:
            for child in children:
                child.start_if_due()
                code = child.ended()
                if code == REFUSED and child.command.needed:
                    _say(f"{child.command.name} cannot go on; stopping")
                    return REFUSED
                if code is not None:
                    _say(f"{child.command.name} ended with {code}; starting it again")
            time.sleep(LOOK_S)
        return OK
    finally:
        _stop_all(children)
        for number, action in before.items():
            signal.signal(number, action)


def _stop_all(children: Sequence[_Child]) -> None:
    """Ask every child to stop, wait, and end those that do not."""
    running = [child.process for child in children if child.process is not None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + STOP_S
    for process in running:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for child in children:
        child.close()


def follow_supervisor() -> None:
    """Stop this process in order when the supervisor that started it is gone, however it ended."""

    def wait() -> None:
        # Until the supervisor's end of the pipe is closed. Not sys.stdin: a thread that waits in
        # it when Python ends is a fatal error.
        while os.read(0, 1):
            pass
        _say("the supervisor is gone; stopping")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="windage-follow", daemon=True).start()


def _say(line: str) -> None:
    print(f"windage worker: {line}", file=sys.stderr, flush=True)  # noqa: T201 - for the operator
