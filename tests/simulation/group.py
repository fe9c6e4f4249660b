"""A consumer group: who owns which partition, and what happens when that changes.

Promises: as Faust does it, every member first gives up everything, then each is told what it owns;
who is frozen or dead is not waited for and learns of nothing.
Leaves to others: when it happens (`simulation`), what a worker does then (`Worker`).
"""

import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from aiokafka.errors import KafkaError
from faust.types import TP

from schemas.log import Record
from streams import snapshot as snapshots
from tests.simulation.broker import Broker
from tests.simulation.loop import Loop
from tests.simulation.process import Process
from tests.simulation.renewal import announced, superseded

_SEAL = b"manifest"


class Best(NamedTuple):
    """A snapshot's rank, and the offsets it includes."""

    order: tuple[int, ...]
    positions: dict[str, int]


class Group:
    """The processes of one role."""

    def __init__(
        self, make_role: Callable[[], Any], partitions: int, broker: Broker, loop: Loop, skew: int
    ) -> None:
        self._make_role, self.partitions = make_role, partitions
        self._state_topic = f"{make_role().name}-state"
        self._best: dict[int, tuple[int, Best | None]] = {}
        self._covered: dict[TP, int] = {}
        self._broker, self._loop, self._skew = broker, loop, skew
        self.processes: list[Process] = []
        self.dead: list[Process] = []
        self.committed: dict[TP, int] = {}
        self.problems: list[tuple[object, ...]] = []
        self._leaving: list[tuple[Process, Any]] = []
        self._coming: list[tuple[Process, Any]] = []

    def blame(self, *problem: object) -> None:
        """Note what must never happen."""
        self.problems.append(problem)

    def join(self) -> Process:
        """Start one more process."""
        process = Process(self, self._make_role(), self._broker, self._loop, self._skew)
        self.processes.append(process)
        return process

    @property
    def changing(self) -> bool:
        """Whether a change of owners is under way."""
        return bool(self._leaving or self._coming)

    def rebalance(self) -> None:
        """Begin: everybody gives up what it owns; whoever comes meanwhile is given a share too."""
        if self._leaving:
            return
        members = [process for process in self.processes if process.runs]
        self._coming = []
        self._leaving = [(process, process.give_up()) for process in members]

    def go_on(self, r: random.Random) -> None:
        """Carry a change of owners on as far as it can get now."""
        self._leaving = [entry for entry in self._leaving if entry[0].runs]
        if self._leaving:
            if not all(task.done() for _, task in self._leaving):
                return
            members, self._leaving = [process for process, _ in self._leaving], []
            members += [one for one in self.processes if one.runs and not one.generation]
            members = list(dict.fromkeys(members))
            shares: list[set[int]] = [set() for _ in members]
            for partition in range(self.partitions):
                r.choice(shares).add(partition)
            for process, share in zip(members, shares, strict=True):
                process.generation += 1
                process.owned = frozenset(share)
                process.read_from({})
            self._coming = [
                (process, process.begin(process.worker._on_assigned(None))) for process in members
            ]
        for process, task in list(self._coming):
            if not process.runs:
                self._coming.remove((process, task))
            elif task.done():
                self._coming.remove((process, task))
                if task.exception() is None:
                    process.read_from(process.worker.targets())
                    self._check(process)

    def _check(self, process: Process) -> None:
        """A restore takes the best intact snapshot of the log, whoever wrote it and whenever."""
        for partition, tenure in process.worker._tenures.items():
            best, order = self.best(partition), tenure._meta().order
            if best is not None and order < best.order:
                self.blame("went back behind a snapshot", partition, order, best)

    def best(self, partition: int) -> Best | None:
        """Return the best snapshot that is whole in the state topic."""
        log = self._broker.log((self._state_topic, partition))
        stamp = hash((len(log), log[-1].offset if log else -1))
        if self._best.get(partition, (None, None))[0] != stamp:
            self._best[partition] = stamp, _best(log)
        return self._best[partition][1]

    def promised(self, tp: TP, offset: int) -> None:
        """An acknowledgement promises that a snapshot covers what is acknowledged."""
        if self._covered.get(tp, 0) < offset:
            self.blame("acknowledged before it was stored", tp, offset)

    def hear(self, place: tuple[str, int], record: Record) -> None:
        """Note what a snapshot covers that was just sealed."""
        topic, partition = place
        if topic == self._state_topic and record.value and (record.key or b"").endswith(_SEAL):
            manifest = snapshots._open(record.value, b"")
            assert manifest is not None
            for log, offset in manifest.meta.positions.items():
                tp = TP(log, partition)
                self._covered[tp] = max(self._covered.get(tp, 0), offset)

    def bury(self) -> None:
        """Whoever is dead is no member any more."""
        if not all(process.alive for process in self.processes):
            self.processes = [process for process in self.processes if process.alive]

    def reap(self, reason: BaseException, process: Process) -> None:
        """A process has ended by itself: because a send failed, or because something is wrong."""
        process.kill()
        if superseded(reason) and announced(self._broker):
            return
        if not (process.failing and isinstance(reason.__cause__ or reason, KafkaError)):
            self.blame("a process ended", f"{type(reason).__name__}: {reason}")


@lru_cache(maxsize=1_000)
def _digest(value: bytes) -> bytes:
    """The same states are looked at after every change of owners."""
    return snapshots._digest(value, b"")


def _best(log: Sequence[Record]) -> Best | None:
    pieces = {_digest(r.value): r.value for r in log if r.value is not None}
    whole = []
    for record in log:
        if record.value is None or not (record.key or b"").endswith(_SEAL):
            continue
        manifest = snapshots._open(record.value, b"")
        if manifest is not None and snapshots._join(manifest, pieces, b"") is not None:
            whole.append(Best(manifest.meta.order, dict(manifest.meta.positions)))
    return max(whole, key=lambda one: one.order, default=None)
