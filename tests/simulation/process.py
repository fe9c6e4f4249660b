"""One worker process on the broker in memory: the real `Worker`, with Faust's part played here.

Promises: everything from a fetched batch to its acknowledgement runs the code of the Kafka
runtime; this module only hands batches over and remembers what was acknowledged.
Leaves to others: when anything happens (`simulation`), who is given which partition (`group`).
"""

import asyncio
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from faust.types import TP

from schemas.log import Millis
from streams.runtime.kafka.batch import Batch
from streams.runtime.kafka.broker_clock import BrokerClock
from streams.runtime.kafka.connection import Connection
from streams.runtime.kafka.process import settings_of
from streams.runtime.kafka.settings import Settings
from streams.runtime.kafka.ticker import Ticker
from streams.runtime.kafka.worker import Worker
from streams.snapshot import SupersededError
from tests.simulation.broker import Broker, Producer, Send
from tests.simulation.loop import Loop

CHUNK_BYTES = {"profiler": 600, "monitor": 6_000}
"""So small that a state is several chunks: of 1 to 5 kB, and of 20 to 70 kB."""


class LeftError(Exception):
    """The worker has ended its process."""


class Fetched(NamedTuple):
    """A batch in a process's buffer."""

    tp: TP
    batch: Batch
    generation: int


class Clock(BrokerClock):
    """The broker's clock, heard at every moment, and how far ahead a wrong one is."""

    def __init__(self, broker: Broker, skew: Millis) -> None:
        super().__init__()
        self._broker, self._skew = broker, skew

    def now(self) -> Millis:
        """Return what this process takes for the broker's time."""
        return self._broker.now + self._skew


class Process:
    """A worker, its consumer and its producer. `alive`, and `frozen` while it is stopped."""

    def __init__(self, group: Any, role: Any, broker: Broker, loop: Loop, skew: Millis) -> None:
        self.group, self.broker, self.loop = group, broker, loop
        self.alive, self.frozen = True, False
        self.failing = False  # a send of it was made to fail
        self.owned: frozenset[int] = frozenset()
        self.generation = 0
        self.buffer: deque[Fetched] = deque()
        self.tasks: list[asyncio.Task[Any]] = []
        self._asked: dict[TP, int] = {}
        self._ends: dict[TP, int] = {}
        self._acked: dict[TP, int] = {}
        self._leaving: asyncio.Task[Any] | None = None
        self.producer = Producer(broker, loop)
        self.producer.stored = self._stored
        settings = Settings(
            connection=Connection(bootstrap="nowhere"),
            group=role.name,
            names={name: name for name in _TOPICS},
            state_topic=f"{role.name}-state",
            partitions=group.partitions,
            chunk_bytes=CHUNK_BYTES[role.name],
            config=settings_of(role._config, role.name)["config"],
        )
        worker: Any = Worker(settings, role)
        worker._app = SimpleNamespace(consumer=self)
        worker._producer = self.producer
        worker._references = self
        worker._clock = Clock(broker, skew)
        if role.name == "profiler":
            worker._ticker = Ticker(worker._clock, 1, 0)
        self.worker = worker
        self._told: list[bytes] = []

    # What the worker asks of Faust's consumer and of the references' topic.

    def assignment(self) -> set[TP]:
        """Return what it is given."""
        return {TP(log, p) for log in self.worker._role.inputs for p in self.owned}

    def highwater(self, tp: TP) -> int:
        """Return the end of a log."""
        return self.broker.end(tuple(tp))

    async def highwaters(self, *tps: TP) -> Mapping[TP, int]:
        """Return the ends of logs."""
        return {tp: self.broker.end(tuple(tp)) for tp in tps}

    async def position(self, tp: TP) -> int | None:
        """Return where the next fetch begins."""
        return self._ends.get(tp)

    def handed_out(self, tp: TP) -> int | None:
        """Return where the last fetch ended."""
        return self._ends.get(tp)

    def one_broker(self) -> bool:
        """Return that there is one, whose clock is the only one."""
        return True

    def ask_seek(self, tp: TP, offset: int) -> None:
        """Fetch from there next."""
        self._asked[tp] = offset

    def begin_fetching(self) -> None:
        """Nobody counts here how long nothing is fetched."""

    def seconds_since_fetch(self) -> float:
        """Never silent."""
        return 0.0

    async def committed(self, tp: TP) -> int | None:
        """Return the group's mark."""
        mark: int | None = self.group.committed.get(tp)
        return mark

    def known(self) -> Sequence[bytes]:
        """Return the references read so far."""
        return tuple(self._told)

    async def latest(self) -> Sequence[bytes]:
        """Return all references there are."""
        self.learn()
        return self.known()

    def learn(self) -> None:
        """Read the references on; each is handed to the machines."""
        for record in self.broker.log(("references", 0)):
            if record.value not in self._told:
                self._told.append(record.value)
                try:
                    self.worker._adopt(record.value)
                except SupersededError as error:  # as the follower of the topic ends the process
                    if self.alive:
                        self.group.reap(error, self)
                    return

    # What the scheduler does to it.

    @property
    def runs(self) -> bool:
        """Whether it does anything by itself."""
        return self.alive and not self.frozen

    def logs(self) -> list[TP]:
        """Return what it reads, in a fixed order."""
        return sorted(self._ends)

    def read_from(self, targets: Mapping[TP, int]) -> None:
        """Begin to read an assignment; what was fetched before is dropped."""
        self._ends, self._asked = dict(targets), {}
        self.buffer.clear()

    def fetch(self, tp: TP, limit: int, waiting: Collection[TP]) -> bool:
        """Fetch a batch into the buffer, after the seeks asked for; say whether one came.

        Nothing is fetched of logs that are `waiting`, as the worker says.
        """
        self._seek()
        if tp in waiting:
            return False
        begins = self._ends[tp]
        records = self.broker.fetch(tuple(tp), begins, limit)
        if records:
            self._ends[tp] = records[-1].offset + 1
            self.buffer.append(Fetched(tp, Batch(tp, records, begins), self.generation))
        return bool(records)

    def _seek(self) -> None:
        self._ends |= {tp: at for tp, at in self._asked.items() if tp in self._ends}
        self._asked.clear()

    def go_back(self, tp: TP, count: int) -> None:
        """Fetch some records once more."""
        self._ends[tp] = max(0, self._ends[tp] - count)

    def take(self) -> None:
        """Hand the oldest batch of the buffer to the worker."""
        tp, batch, generation = self.buffer.popleft()
        tenure = self.worker._tenures.get(tp.partition)

        def ack() -> bool:
            if generation != self.generation:
                self.group.blame("acknowledged what was no longer its own", tp)
            end = batch.offset + 1
            self._acked[tp] = max(self._acked.get(tp, 0), end)
            # Who has just learned a grid reads again, and its snapshot says from where.
            if tenure is None or tenure.wanted(tp.topic) >= end:
                self.group.promised(tp, end)
            return True

        message = SimpleNamespace(tp=tp)
        self.worker._take(SimpleNamespace(message=message, value=batch, ack=ack))

    def commit(self) -> None:
        """Tell the group what was acknowledged."""
        mine = self.assignment()
        self.group.committed.update({tp: at for tp, at in self._acked.items() if tp in mine})
        self._acked.clear()

    def cycle(self, *, store: bool) -> None:
        """Begin to make everything durable."""
        self.begin(self.worker._cycle(list(self.worker._tenures.values()), store=store))

    def tick(self) -> None:
        """Tell machines whose logs were read to their end what time it is."""
        worker = self.worker
        if worker._ticker is None:
            return
        owned = [(tp, log, t) for t in worker._tenures.values() for tp, log in worker._of(t)]
        self.begin(worker._ticker.tick(self, owned, worker._reading))

    def begin(self, coroutine: Any) -> asyncio.Task[Any]:
        """Run a coroutine of it; its failure is found by `ended`."""
        task = self.loop.begin(coroutine)
        self.tasks.append(task)
        return task

    def give_up(self) -> asyncio.Task[Any]:
        """Begin to give up everything; never before an earlier giving up has ended."""
        before = self._leaving

        async def leave() -> None:
            if before is not None:
                await asyncio.wait([before])
            await self.worker._on_revoked(None, None)

        self._leaving = self.begin(leave())
        return self._leaving

    def ended(self) -> BaseException | None:
        """Return what has ended it, if anything has."""
        done = [task for task in self.tasks if task.done()]
        if not done:
            return None
        self.tasks = [task for task in self.tasks if not task.done()]
        errors = [task.exception() for task in done if not task.cancelled()]
        return next((error for error in errors if error is not None), None)

    def kill(self) -> None:
        """End it here and now; it is kept, because what Python collects may run once more."""
        self.alive = False
        self.group.dead.append(self)

    def lands(self, places: Collection[tuple[str, int]] | None = None) -> None:
        """Everything it has sent is appended."""
        for place in list(self.producer.queued if places is None else places):
            while place in self.producer.queued:
                self.producer.land(place)

    def confirmed(self) -> None:
        """Everything that is appended is acknowledged to it."""
        while self.producer.logged:
            self.producer.confirm()
        self.loop.spin()

    def _stored(self, send: Send) -> None:
        """A snapshot may be begun only by who has not been told that it lost the partition."""
        begins = send.kind == "chunk" and (send.key or b"").endswith(b"/0")
        if begins and send.place[1] not in self.owned:
            self.group.blame("began to store what was no longer its own", send.place)


_TOPICS = (
    "predictions",
    "labels",
    "metrics",
    "model-events",
    "journal",
    "references",
    "readings",
    "drift-events",
    "alerts",
    "retrain-requests",
    "rollback-requests",
    "dead-letters",
)
