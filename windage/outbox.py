"""The thread that sends what a publisher was given, so that nobody waits for the network.

Promises: `put` returns within `block_s`, whatever the other side does; what the other side has not
acknowledged is sent again, with pauses that grow; a forked child begins empty and with a thread of
its own, because the parent sends what the parent was given; a process that ends sends first.
Leaves to others: how it is sent (`over_kafka`, `over_http`), what is sent (`composing`).
"""

import atexit
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final, NamedTuple, Protocol

from windage.buffer import Buffer, Item, Limits
from windage.counts import Counts, Reason

PAUSE_S: Final = 0.1
"""After the first failure; doubled by each that follows."""

LONGEST_PAUSE_S: Final = 5.0
LINGER_S: Final = 0.02
"""How long the thread waits for more after the first event, so that it wakes up less often."""


class Delivery(NamedTuple):
    """What became of items: those that must be sent again, and those that never will be taken.

    What is in neither has arrived. `wait_s`: how long the other side asked to wait.
    """

    again: Sequence[Item] = ()
    refused: Sequence[tuple[Item, Reason, str]] = ()
    wait_s: float | None = None


class Transport(Protocol):
    """A way to the other side, used by one thread. Whatever it raises, everything is sent again."""

    def deliver(self, items: Sequence[Item]) -> Delivery:
        """Send items and wait for the answer, no longer than some seconds."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class Outbox:
    """Waiting items and their thread, which starts with the first item."""

    def __init__(
        self, connect: Callable[[], Transport], limits: Limits, counts: Counts, close_s: float
    ) -> None:
        """`connect` is called in the thread; `close_s`: how long the end of the process waits."""
        self._connect = connect
        self._limits = limits
        self._counts = counts
        self._close_s = close_s
        self._begin()
        _alive.add(self)

    def _begin(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._buffer = Buffer(self._limits)
        self._thread: threading.Thread | None = None
        self._transport: Transport | None = None
        self._hurried = 0
        self._closing = False
        self._abandoned = False

    def put(self, item: Item) -> bool:
        """Take an item, or count it as dropped; True if it was taken."""
        with self._changed:
            if not self._closing and not self._buffer.has_room(item):
                self._changed.wait_for(
                    lambda: self._closing or self._buffer.has_room(item), self._limits.block_s
                )
            if self._closing:
                self._counts.drop("closed", item.rows, "the publisher was closed before")
                return False
            if not self._buffer.has_room(item):
                self._counts.drop("buffer_full", item.rows, "more is published than can be sent")
                return False
            if self._thread is None:
                self._start()
            first = not self._buffer.waits()
            self._buffer.put(item)
            if first or self._buffer.is_full_chunk():
                self._changed.notify_all()
            return True

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything taken so far was sent or refused; False if it was not in time."""
        with self._changed:
            self._hurried += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(self._is_empty, timeout_s)
            finally:
                self._hurried -= 1

    def close(self, timeout_s: float) -> bool:
        """Take no more, send what waits; what is left after `timeout_s` counts as undelivered."""
        with self._changed:
            if self._abandoned:
                return False
            self._closing = True
            self._changed.notify_all()
            done = self._changed.wait_for(self._is_empty, timeout_s)
            if not done:
                self._abandoned = True
                left = self._buffer.events
                self._counts.drop("undelivered", left, "not sent before the publisher was closed")
                self._buffer = Buffer(self._limits)
                self._changed.notify_all()
        thread = self._thread
        if done and thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)
        _alive.discard(self)
        return done

    def at_exit(self) -> None:
        """Send what waits, before the process ends."""
        self.close(self._close_s)

    def after_fork(self) -> None:
        """In the child: nothing waits, and the parent's connections are left alone."""
        if self._transport is not None:
            _parents.append(self._transport)  # to close it would end the parent's connection too
        closed = self._closing
        self._begin()
        self._closing = closed

    def _is_empty(self) -> bool:
        return not self._buffer.events

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="windage-publisher", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._thread = None
            raise

    # -- in the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._buffer.waits())
                if not self._hurries():
                    self._changed.wait_for(self._hurries, LINGER_S)
                self._buffer.take()
                if not self._buffer.underway:
                    break
            self._send()
        self._let_go()

    def _hurries(self) -> bool:
        return self._closing or self._hurried > 0 or self._buffer.is_full_chunk()

    def _send(self) -> None:
        """Send what is under way until it is over."""
        pause = PAUSE_S
        while self._buffer.underway and not self._abandoned:
            before = len(self._buffer.underway)
            wait_s = self._try()
            with self._changed:
                self._changed.notify_all()
                if not self._buffer.underway:
                    return
                pause = PAUSE_S if len(self._buffer.underway) < before else pause
                length = pause * (0.5 + os.urandom(1)[0] / 255) if wait_s is None else wait_s
                self._changed.wait_for(lambda: self._abandoned, length)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _try(self) -> float | None:
        """Send once; what is under way afterwards must be sent again. Gives the pause asked for."""
        sending = self._buffer.underway
        try:
            if self._transport is None:
                self._transport = self._connect()
                atexit.unregister(_close_all)  # last registered is first called: before the
                atexit.register(_close_all)  # Kafka client, which closes itself at exit, too
            delivery = self._transport.deliver(sending)
        except Exception as error:  # noqa: BLE001 - any failure of a client means: not sent
            self._counts.tell(f"cannot send, will try again: {type(error).__name__}: {error}")
            self._let_go()
            return None
        with self._changed:
            if self._abandoned:
                return None  # counted already
            for item, reason, why in delivery.refused:
                self._counts.drop(reason, item.rows, why)
            over = sum(item.rows for item in sending)
            over -= sum(item.rows for item in delivery.again)
            over -= sum(item.rows for item, _, _ in delivery.refused)
            self._counts.send(over)
            self._buffer.keep(delivery.again)
        return delivery.wait_s

    def _let_go(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            try:
                transport.close()
            except Exception as error:  # noqa: BLE001 - it is of no use any more either way
                self._counts.tell(f"closing a connection failed: {type(error).__name__}")


_alive: "weakref.WeakSet[Outbox]" = weakref.WeakSet()
_parents: Final[list[Transport]] = []


def _close_all() -> None:
    deadline = monotonic() + max((box._close_s for box in _alive), default=0.0)  # noqa: SLF001
    for box in list(_alive):
        box.close(max(0.0, min(box._close_s, deadline - monotonic())))  # noqa: SLF001


def _begin_all() -> None:
    for box in list(_alive):
        box._counts.after_fork()  # noqa: SLF001
        box.after_fork()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_begin_all)
