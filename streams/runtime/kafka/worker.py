# ruff: noqa: ANN401 - Faust publishes no types
"""One process of one role: joins the consumer group, runs the machines it is given, makes durable.

Promises: steps, cycles, restores and rewinds as the design says; a delivery failure or a state
that cannot be continued ends the process before anything is acknowledged.
Leaves to others: starting again (`supervisor`), the order of durability (`tenure`), choosing a
snapshot (`restore`), Faust itself (`faust_app`).
"""

import asyncio
import gc
import logging
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from faust.types import TP

from streams.runtime.kafka.assignment import numbers
from streams.runtime.kafka.broker_clock import BrokerClock
from streams.runtime.kafka.exits import BROKEN, leave, leave_because
from streams.runtime.kafka.faust_app import Consumer, make_app, run_app
from streams.runtime.kafka.line import Line
from streams.runtime.kafka.producing import make_producer
from streams.runtime.kafka.pulse import Pulse
from streams.runtime.kafka.recovery import InformedRole, Recovery
from streams.runtime.kafka.references import References
from streams.runtime.kafka.rereading import Rereading
from streams.runtime.kafka.room import Room
from streams.runtime.kafka.settings import Settings
from streams.runtime.kafka.speaking import speak
from streams.runtime.kafka.tenure import Tenure
from streams.runtime.kafka.ticker import TICK_SECONDS, Ticker
from streams.runtime.kafka.watchdog import Watchdog

REVOKE_SECONDS: Final = 3.0
"""How long a rebalance is held up for a last cycle; what is not durable by then is repeated."""

SEEK_AGAIN_SECONDS: Final = 5.0
HOLD_SECONDS: Final = 2.0
"""How long a log that is ahead waits for one that brings nothing."""

SILENT_SECONDS: Final = 120.0
SLOW_SECONDS: Final = 2.0
"""A cycle that takes longer is worth a line: the broker or the way to it is slow."""

COLLECT_SECONDS: Final = 60.0
BEAT_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


class Worker:
    """Runs until it is told to stop. One per process."""

    def __init__(self, settings: Settings, role: InformedRole) -> None:
        self._settings = settings
        self._who = settings.connection.principal
        self._role = role
        self.pulse = Pulse(role.name)
        self._speaker = speak(role.name, settings.connection.bootstrap, self.pulse)
        self._logs = {settings.names[log]: log for log in role.inputs}
        self._tenures: dict[int, Tenure] = {}
        self._aside: dict[int, Tenure] = {}  # states of partitions that were revoked
        self._reading: dict[TP, int] = {}  # the offset expected next of each
        self._asked: dict[TP, tuple[int, float]] = {}
        self._taken: dict[int, float] = {}  # when a batch of each partition was counted last
        self._generation = 0
        self._partings = 0  # how often the group has begun to part its partitions
        self._clock = BrokerClock()
        pane, margins = settings.tick_ms, (settings.allowance_ms, settings.lateness_ms)
        self._ticker = None if pane is None else Ticker(self._clock, pane, *margins)
        self._recovery = Recovery(settings, role, self._committed, self.pulse.settling)
        self._line = Line()
        self._again: Rereading | None = None
        self._room = Room(lambda: (one.machine for one in self._tenures.values()))
        self._restoring = asyncio.Lock()
        self._parting = asyncio.Lock()  # a revocation's last cycle, or that of the shutdown
        self._producer: AIOKafkaProducer | None = None
        self._references: References | None = None
        self._loops: list[asyncio.Task[None]] = []

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; returns an exit code of `exits`."""
        with tempfile.TemporaryDirectory(prefix="windage-") as folder:
            self._app = make_app(
                self._settings.group,
                self._settings.connection,
                reader=self,
                folder=Path(folder),
                session_timeout_s=self._settings.session_timeout_s,
                instance=self._settings.instance,
            )
            self._attach()
            return run_app(self._app)

    def _attach(self) -> None:
        """Connect Faust's hooks."""
        app = self._app
        topic = app.topic(
            *self._logs,
            value_type=None,
            value_serializer="identity",
            key_type=bytes,
            key_serializer="raw",
        )

        @app.agent(topic, name=f"windage.{self._role.name}")
        async def intake(stream: Any) -> None:
            async for event in stream.noack().events():
                await self._room.wait()
                self._take(event)

        app.on_rebalance_complete.connect(self._on_assigned, weak=False)
        app.on_partitions_revoked.connect(self._on_revoked, weak=False)
        app.on_before_shutdown.connect(self._on_shutdown, weak=False)

    # The reader's side of `faust_app`

    def targets(self) -> Mapping[TP, int]:
        """Return the offsets to read next of everything owned."""
        self._reading = {tp: tenure.wanted(log) for tp, log, tenure in self._owned()}
        return self._reading

    def waiting(self) -> Collection[TP]:
        """Return what is ahead of a log that still has records: those must be read first.

        A log that has brought nothing for a while is not waited for, whatever its end says: the
        last thing in it may be the marker of a transaction.
        """
        waiting: set[TP] = set()
        now = time.monotonic()
        for tenure in self._tenures.values():
            paused = set(tenure.machine.paused())
            if not paused or now - self._taken.get(tenure.partition, 0.0) > HOLD_SECONDS:
                continue
            if any(self._behind(tp) for tp, log in self._of(tenure) if log not in paused):
                waiting.update(tp for tp, log in self._of(tenure) if log in paused)
        return waiting

    def parting(self) -> None:
        """Note that the group parts its partitions anew; called by the consumer's thread."""
        self._partings += 1
        self.pulse.unsettled_since = time.monotonic()

    def _of(self, tenure: Tenure) -> list[tuple[TP, str]]:
        return [(TP(topic, tenure.partition), log) for topic, log in self._logs.items()]

    def _owned(self) -> list[tuple[TP, str, Tenure]]:
        return [(tp, log, t) for t in self._tenures.values() for tp, log in self._of(t)]

    def _behind(self, tp: TP) -> bool:
        """Whether the broker is known to have more of `tp` than was read."""
        consumer: Consumer = self._app.consumer
        if tp not in consumer.assignment():
            return False
        highwater = consumer.highwater(tp)
        return highwater is not None and highwater > self._reading.get(tp, 0)

    # Records

    def _take(self, event: Any) -> None:
        """Hand a batch to its machine, or drop it if that machine needs something earlier."""
        tp, batch = event.message.tp, event.value
        tenure = self._tenures.get(tp.partition)
        if tenure is None or not tenure.owned:
            return
        log = self._logs[tp.topic]
        wanted = tenure.wanted(log)
        if batch.begins > wanted:
            # Fetched before a seek, or a batch before it was lost on the way.
            self._ask_seek(tp, wanted)
            return
        try:
            tenure.take(log, batch, event)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing after it may be done
            leave_because(error, f"counting {tp.topic}[{tp.partition}] at {batch.begins}")
        self._reading[tp] = batch.offset + 1
        self._taken[tp.partition] = time.monotonic()
        self.pulse.records += batch.count
        self.pulse.progress()
        self._speaker.answered()
        self._rewind(tenure)

    def _rewind(self, tenure: Tenure) -> None:
        """Seek back wherever the machine wants to be read from earlier than it is."""
        wants = tenure.wants()
        for tp, log in self._of(tenure):
            if (wanted := wants.get(log, 0)) < self._reading.get(tp, 0):
                self._ask_seek(tp, wanted)

    def _ask_seek(self, tp: TP, offset: int) -> None:
        now = time.monotonic()
        before, at = self._asked.get(tp, (-1, 0.0))
        if before != offset or now - at > SEEK_AGAIN_SECONDS:
            self._asked[tp] = (offset, now)
            self._reading[tp] = offset
            self._app.consumer.ask_seek(tp, offset)

    def _adopt(self, reference: bytes) -> None:
        """Hand a reference to every machine, also to those set aside."""
        for tenure in [*self._tenures.values(), *self._aside.values()]:
            tenure.adopt(reference)
            if tenure.owned:
                self._rewind(tenure)

    # Partitions come and go

    async def _on_assigned(self, _app: Any, **_: Any) -> None:
        """Awaited by Faust before records flow."""
        begun, self.pulse.ready, parting = time.monotonic(), False, self._partings
        self.pulse.progress()
        self.pulse.settling()
        try:
            async with self._restoring:
                await self._start_once()
                generation = self._generation
                tenures = await self._recovery.tenures(
                    self._assigned(), self._aside, self._latest_references, self._producer
                )
                if generation != self._generation:
                    return  # revoked meanwhile; the next assignment restores again
                self._tenures = tenures
                # What was read while the states were restored has been told to nobody.
                for reference in () if self._references is None else self._references.known():
                    self._adopt(reference)
                self._asked.clear()
                if self._ticker is not None:
                    self._ticker.forget()
        except Exception as error:  # noqa: BLE001 - without its state a worker must not run
            leave_because(error, "restoring", self._who)
        gc.collect()
        gc.freeze()
        gc.disable()  # collected by hand: full passes over the stores double the cost per event
        self._again = Rereading(self._tenures.values(), begun, time.monotonic(), self.pulse)
        self.pulse.owned = tuple(sorted(self._tenures))
        self.pulse.account([tenure.machine for tenure in self._tenures.values()])
        self.pulse.ready = True
        if parting == self._partings:
            self.pulse.unsettled_since = None
            self._app.consumer.begin_fetching()
        self.pulse.rebalances += 1
        self.pulse.progress()
        self._speaker.answered()

    async def _on_revoked(self, _app: Any, _revoked: Any, **_: Any) -> None:
        """Store what there is, within a bound, and set the states aside. Rebalances take all."""
        self._generation += 1
        leaving, self._tenures = self._tenures, {}
        self.pulse.owned, self.pulse.lag, self.pulse.lamps = (), {}, ()
        try:
            await asyncio.wait_for(self._cycle(leaving.values(), store=True), REVOKE_SECONDS)
        except Exception as error:  # noqa: BLE001 - what was not stored is repeated by the next owner
            _log.warning("last cycle before a rebalance: %r", error)
        for partition, tenure in leaving.items():
            tenure.end()
            if not tenure.owes:
                self._aside[partition] = tenure

    async def _on_shutdown(self, _app: Any, **_: Any) -> None:
        for loop in self._loops:
            loop.cancel()
        try:
            async with self._parting:
                await self._cycle(self._tenures.values(), store=True)
        except Exception as error:  # noqa: BLE001 - the next start repeats it
            leave_because(error, "the last cycle", self._who, "Write")
        self._generation += 1
        for tenure in self._tenures.values():
            tenure.end()
        if self._references is not None:
            await self._references.stop()
        if self._producer is not None:
            await self._producer.stop()

    def _assigned(self) -> set[int]:
        """Return the partition numbers assigned; they must be the same of every input."""
        return numbers(self._app.consumer.assignment(), self._logs, self._settings.partitions)

    async def _latest_references(self) -> Sequence[bytes]:
        return () if self._references is None else await self._references.latest()

    async def _committed(self, log: str, partition: int) -> int | None:
        offset: int | None = await self._app.consumer.committed(
            TP(self._settings.names[log], partition)
        )
        return offset

    async def _start_once(self) -> None:
        """Start what outlives assignments."""
        if self._producer is not None:
            return
        self._producer = make_producer(self._settings.connection, self._settings.record_bytes)
        await self._producer.start()
        if self._settings.references_partitions:
            self._references = References(
                self._settings.connection,
                self._settings.names["references"],
                self._settings.references_partitions,
                self._adopt,
            )
            await self._references.start()
        Watchdog(self.pulse, self._settings.limits).start(asyncio.get_running_loop())
        self._loops = [
            asyncio.create_task(loop())
            for loop in (self._cycling, self._marking, self._ticking, self._sweeping)
        ]

    # Background

    async def _cycling(self) -> None:
        """Make everything durable, again and again."""
        stored = time.monotonic()
        try:
            while True:
                await self._room.rest(self._settings.cycle_s)
                store = time.monotonic() - stored >= self._settings.store_s
                # A shutdown ends this loop; a cycle that has begun must not end half-way.
                await asyncio.shield(self._cycle(self._tenures.values(), store=store))
                stored = time.monotonic() if store else stored
                self._watch()
                await self._tell(accounts=store)
        except Exception as error:  # noqa: BLE001 - undelivered: nothing may be acknowledged
            leave_because(error, "making records durable", self._who, "Write")

    async def _cycle(self, tenures: Collection[Tenure], *, store: bool) -> None:
        if self._producer is None:
            return
        begun = time.monotonic()
        due, told = [one for one in tenures if not one.idle(store=store)], self.pulse.heard
        cycles = [one.cycle(self._producer, store=store, told=told) for one in due]
        for stamped in await asyncio.gather(*cycles):
            if stamped is not None:
                self._clock.heard(stamped)
                self._speaker.answered()
                self.pulse.snapshots += 1
        self.pulse.durable_s = spent = time.monotonic() - begun
        if spent > SLOW_SECONDS:
            _log.warning("outputs and states were made durable after %.1f s", spent)

    def _watch(self) -> None:
        """End a process whose fetching has died without a sound."""
        if self._tenures and self._app.consumer.seconds_since_fetch() > SILENT_SECONDS:
            leave(BROKEN, f"nothing was fetched for {SILENT_SECONDS:.0f} s")

    async def _tell(self, *, accounts: bool) -> None:
        """Let the pulse know how far we are, now and then also what became of the records."""
        lag: dict[str, int] = {}
        for tp, log, _ in self._owned():
            lag[log] = lag.get(log, 0) + await self._lag(tp)
        self.pulse.behind(lag)
        if self._again is not None:
            self._again.look(time.monotonic())
        if accounts:
            self.pulse.account([tenure.machine for tenure in self._tenures.values()])

    async def _lag(self, tp: TP) -> int:
        """Return how many records of `tp` wait; what is no record (a marker) does not wait."""
        consumer: Consumer = self._app.consumer
        if not self._behind(tp):
            return 0
        read = self._reading.get(tp, 0)
        if consumer.handed_out(tp) == read:
            # Markers and gaps of compaction move the position, and nothing is handed out.
            read = await consumer.position(tp) or read
        return max(0, (consumer.highwater(tp) or 0) - read)

    async def _marking(self) -> None:
        """Say how far durable states have read, and feel the line by it.

        All of it each time, also where nothing is new: whoever owned a partition before may have
        left without its last mark, and a broker that took none before may take it now.
        """
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            durable = {tp: t.durable[log] for tp, log, t in self._owned() if log in t.durable}
            begun = time.monotonic()
            try:
                if durable and await self._app.consumer.mark(durable):
                    news = self._line.answered(time.monotonic() - begun)
                    if news is not None:
                        _log.warning("%s", news)
            except Exception as error:  # noqa: BLE001 - a mark is for lag tools; the next one comes
                _log.debug("no progress marks: %s", type(error).__name__)

    async def _ticking(self) -> None:
        while self._ticker is not None:
            await asyncio.sleep(TICK_SECONDS)
            try:
                await self._ticker.tick(self._app.consumer, self._owned(), self._reading)
            except Exception as error:  # noqa: BLE001 - a tick is a hint; the next one says it again
                _log.debug("no tick: %s", type(error).__name__)

    async def _sweeping(self) -> None:
        while True:
            await asyncio.sleep(COLLECT_SECONDS)
            gc.collect()
