"""Group commit: many small appends share one wait for the disk.

Promises: a receipt is given only when its entries are durable; groups keep their order; what is
waiting is bounded by `WAITING_ENTRIES`.
Leaves to others: what the entries are (web, commands), storage (`sqlite_log`).
"""

from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Final

from streams.runtime.sqlite_log import Group, Receipt, SqliteLog

GROUP_ENTRIES: Final = 20_000
"""Entries after which a commit takes no more groups in."""

WAITING_ENTRIES: Final = 200_000
"""Entries that may wait for their commit; more are turned away."""


class Overloaded(Exception):  # noqa: N818  # says what is, and is no fault
    """Too much is waiting already; come back later."""


class Intake:
    """A thread that appends what is submitted."""

    def __init__(self, log: SqliteLog, appended: Callable[[], None]) -> None:
        """`appended` is called after each commit, in this thread."""
        self._log = log
        self._appended = appended
        self._queue: SimpleQueue[tuple[Group, Future[Receipt]] | None] = SimpleQueue()
        self._lock = Lock()
        self._waiting = 0
        self._thread = Thread(target=self._run, name="windage-intake", daemon=True)

    def start(self) -> None:
        """Begin to append."""
        self._thread.start()

    def stop(self) -> None:
        """Append what waits, then end."""
        self._queue.put(None)
        self._thread.join()

    def submit(self, group: Group) -> Future[Receipt]:
        """The group's receipt, once it is durable. Overloaded if too much is waiting."""
        with self._lock:
            if self._waiting > WAITING_ENTRIES:
                raise Overloaded(f"{self._waiting} records wait for the disk")
            self._waiting += len(group.entries)
        future: Future[Receipt] = Future()
        self._queue.put((group, future))
        return future

    def _run(self) -> None:
        more = True
        while more:
            batch, more = self._take()
            if batch:
                self._append(batch)

    def _take(self) -> tuple[list[tuple[Group, Future[Receipt]]], bool]:
        """The groups of the next commit, and whether more may come."""
        item = self._queue.get()
        batch: list[tuple[Group, Future[Receipt]]] = []
        entries = 0
        while item is not None:
            batch.append(item)
            entries += len(item[0].entries)
            if entries >= GROUP_ENTRIES:
                return batch, True
            try:
                item = self._queue.get_nowait()
            except Empty:
                return batch, True
        return batch, False

    def _append(self, batch: list[tuple[Group, Future[Receipt]]]) -> None:
        try:
            receipts = self._log.append([group for group, _ in batch])
        except Exception as error:  # noqa: BLE001  # whoever waits is told, and may try again
            for _, future in batch:
                future.set_exception(error)
        else:
            self._appended()
            for (_, future), receipt in zip(batch, receipts, strict=True):
                future.set_result(receipt)
        with self._lock:
            self._waiting -= sum(len(group.entries) for group, _ in batch)
