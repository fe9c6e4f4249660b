# ruff: noqa: ANN401 - Faust publishes no types
"""Faust cut down to a consumer group: batches instead of messages, our offsets instead of its own.

Promises: one message per fetched batch; every assigned partition is read from where its machine
says, never from a committed offset; a log that was cut off or made anew is noticed at the first
record. Committed offsets are progress marks for lag tools and nothing else.
Leaves to others: what a batch means and when it is acknowledged (`intake`, `tenure`).

The methods overridden here are those of faust-streaming 0.15.3. Names and parameter names are
Faust's.
"""

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import faust
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    IllegalStateError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.runtime.kafka import records, wire
from streams.runtime.kafka.batch import Batch
from streams.runtime.kafka.connection import Connection
from streams.runtime.kafka.credentials import credentials
from streams.runtime.kafka.exits import BROKEN, OK, RefusedError, leave, leave_because

_log = logging.getLogger("streams.runtime.kafka.commits")  # this module's name is Faust's, too

STOP_SECONDS = 20.0
"""Longest time from a signal to the end of the process."""

POLL_SECONDS = 0.25
"""Longest wait for records, so that a seek asked for meanwhile is done soon."""

FETCH_BYTES = 2 << 20
"""Of one partition at a time, and counted without a pause for the event loop."""

BATCHES_WAITING = 2
"""Batches that wait for their machine: the next is fetched while one is counted."""

LISTEN_SECONDS = 1.0
"""How often the group is asked whether it lets us in."""


class Reader(Protocol):
    """Who is read for: says where each topic partition must be read from, and which must wait."""

    def targets(self) -> Mapping[TP, int]:
        """Return the offsets to read next of everything owned."""

    def waiting(self) -> Collection[TP]:
        """Return the topic partitions that must not be fetched now."""

    def parting(self) -> None:
        """Note that the group parts its partitions anew; called by the thread of the consumer."""


class _NoOffsets(defaultdict[TP, None]):
    """Faust drops what lies below its own read offset; our batches carry better proof."""

    def __init__(self) -> None:
        super().__init__(lambda: None)

    def __setitem__(self, key: TP, value: object) -> None:
        super().__setitem__(key, None)

    def update(self, *_: object, **__: object) -> None:
        """Remember nothing."""


class _Thread(driver.AIOKafkaConsumerThread):
    """The thread that talks to the broker; here records leave aiokafka, so here they are chained.

    `ends` is where the next record of each topic partition is expected. It changes in the same
    step as aiokafka's own position, so a batch lost further on leaves a hole that can be seen.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ends: dict[TP, int] = {}
        self._listening: asyncio.Task[None] | None = None

    async def on_start(self) -> None:
        """Start the consumer, and listen to what its group says."""
        await super().on_start()
        self._listening = asyncio.create_task(self._listen())

    async def on_thread_stop(self) -> None:
        """Stop listening with the consumer."""
        if self._listening is not None:
            self._listening.cancel()
        await super().on_thread_stop()

    async def _listen(self) -> None:
        """End a process that its group does not let in: Faust never asks before it has a part."""
        while True:
            await asyncio.sleep(LISTEN_SECONDS)
            coordinator = getattr(self._consumer, "_coordinator", None)
            told = getattr(coordinator, "_pending_exception", None)
            if isinstance(told, GroupAuthorizationFailedError | TopicAuthorizationFailedError):
                leave_because(told, "joining the group", self.consumer.app.principal)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget where reading stood: aiokafka does so too."""
        self.consumer.app.reader.parting()
        self.ends.clear()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Know nothing of the new partitions until they are sought."""
        self.ends.clear()
        await super().on_partitions_assigned(assigned, generation_id)

    async def _seek_wait(self, consumer: Any, partitions: Mapping[TP, int]) -> None:
        for tp, offset in partitions.items():
            consumer.seek(tp, offset)
            self.ends[tp] = offset
        await asyncio.gather(*[consumer.position(tp) for tp in partitions])

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's parameter
        max_records: int | None = None,
    ) -> Mapping[TP, Sequence[Batch]]:
        got = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        batches = [
            (TP(*tp), Batch(TP(*tp), records, self._chain(TP(*tp), records)))
            for tp, records in got.items()
            if records
        ]
        try:
            for tp, batch in batches:
                await self._check(consumer, tp, batch)
        except RefusedError as error:
            leave_because(error, "reading")
        return {tp: [batch] for tp, batch in batches}

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit; a failure is no fault, because nothing depends on committed offsets."""
        consumer = self._ensure_consumer()
        try:
            await consumer.commit(
                {
                    driver.ensure_aiokafka_TP(tp): OffsetAndMetadata(offset, "")
                    for tp, offset in offsets.items()
                    if tp in self.assignment()
                }
            )
        except KafkaError as error:
            _log.debug("progress marks not committed: %s", type(error).__name__)
            return False
        return True

    def _chain(self, tp: TP, records: Sequence[Any]) -> int:
        """Return where these records begin, and remember where the next ones will."""
        begins: int = self.ends.get(tp, records[0].offset)
        self.ends[tp] = records[-1].offset + 1
        return begins

    async def _check(self, consumer: Any, tp: TP, batch: Batch) -> None:
        """Refuse a log that is not the one that was read before."""
        first = batch.records[0].offset
        if first < batch.begins:
            raise RefusedError(
                f"{tp.topic}[{tp.partition}] was read up to offset {batch.begins} and now answers "
                f"with {first}: the topic was made anew or cut off"
            )
        if first > batch.begins:
            # Usually the marker of a transaction or a compacted record; but it may be retention.
            begin = (await consumer.beginning_offsets([tp]))[tp]
            if begin > batch.begins:
                raise RefusedError(
                    f"{tp.topic}[{tp.partition}] lost offsets {batch.begins}..{begin - 1} to "
                    "retention before they were read"
                )


class Consumer(driver.Consumer):
    """Faust's consumer with the seams of the design."""

    _thread: _Thread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = _NoOffsets()
        self._asked: dict[TP, int] = {}
        self._fetched_s = time.monotonic()

    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    def ask_seek(self, tp: TP, offset: int) -> None:
        """Read `tp` from `offset` again, from the next fetch on."""
        self._asked[tp] = offset

    def handed_out(self, tp: TP) -> int | None:
        """Return the offset after the last record that was fetched, None before the first seek."""
        return self._thread.ends.get(tp)

    async def position(self, tp: TP) -> int | None:
        """Return the offset that is fetched next, None where nobody knows; waits for nothing."""
        # aiokafka waits, and holds one of its thread's two workers: a rebalance needs both.
        asked = self._thread._ensure_consumer()._subscription.subscription  # noqa: SLF001 - as below
        assignment = getattr(asked, "assignment", None)
        state = None if assignment is None else assignment.state_value(tp)
        return state.position if state is not None and state.has_valid_position else None

    def one_broker(self) -> bool:
        """Return whether one broker alone stamps the records."""
        consumer = self._thread._ensure_consumer()  # noqa: SLF001 - Faust offers no other way
        return len(consumer._client.cluster.brokers()) == 1  # noqa: SLF001 - nor does aiokafka

    def begin_fetching(self) -> None:
        """Count from now on how long nothing is fetched: before, there may have been nothing."""
        self._fetched_s = time.monotonic()

    def seconds_since_fetch(self) -> float:
        """Return how long ago a fetch began."""
        return time.monotonic() - self._fetched_s

    async def committed(self, tp: TP) -> int | None:
        """Return the offset the group has committed, None if it never has."""
        consumer = self._thread._ensure_consumer()  # noqa: SLF001 - Faust offers no other way
        offset: int | None = await self._thread.call_thread(consumer.committed, tp)
        return offset

    async def mark(self, offsets: Mapping[TP, int]) -> bool:
        """Commit these progress marks; False if the broker did not take them."""
        taken: bool = await self._thread.commit(offsets)
        return taken

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek everything owned to where its machine wants to be read; return those offsets."""
        assigned = self.assignment()
        targets = {tp: at for tp, at in self.app.reader.targets().items() if tp in assigned}
        self._asked.clear()
        if targets:
            await self.seek_wait(targets)
        return targets

    async def _getmany(
        self,
        active_partitions: set[TP] | None,
        timeout: float,  # noqa: ASYNC109 - Faust's parameter
    ) -> Mapping[TP, Sequence[Batch]]:
        """Fetch one batch of each topic partition that has records and need not wait."""
        self._fetched_s = time.monotonic()
        await self._seek_asked()
        active = (active_partitions or set()) - set(self.app.reader.waiting())
        wait = min(timeout, POLL_SECONDS)
        if not active:  # aiokafka would read "none" as "all"
            await asyncio.sleep(wait)
            return {}
        batches: Mapping[TP, Sequence[Batch]] = await super()._getmany(active, wait)
        return batches

    async def _seek_asked(self) -> None:
        """Do the seeks asked for; what is revoked meanwhile is sought by whoever owns it next."""
        if not self._asked:
            return
        asked, self._asked, assigned = self._asked, {}, self.assignment()
        targets = {tp: offset for tp, offset in asked.items() if tp in assigned}
        with suppress(IllegalStateError):
            if targets:
                await self.seek_wait(targets)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Remember no gap: Faust would walk every offset of it."""

    def _new_offset(self, tp: TP) -> int | None:
        """Commit nothing of what was acknowledged: `mark` says what is durable, again if it must.

        Faust forgets a mark that the broker did not take, and has none after a rebalance until
        something new comes: a log that was read to its end would look unread until then.
        """
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return None

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Say nothing: a log that waits for another one is not a fault."""


class Transport(driver.Transport):
    """Faust's transport with our consumer."""

    Consumer = Consumer


class App(faust.App):
    """A Faust app that reads for `reader`."""

    reader: Reader
    principal: str = ""

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _crash(self, reason: BaseException) -> None:
        """End the process at once where Faust would take apart its services for a minute."""
        if not isinstance(reason, asyncio.CancelledError):
            leave_because(reason, "running", self.principal)
        super()._crash(reason)


class _Process(faust.Worker):
    """Faust's process, which ends within a bound after a signal."""

    def _schedule_shutdown(self, signal: Any) -> None:
        end = threading.Timer(
            STOP_SECONDS, leave, (BROKEN, f"did not stop within {STOP_SECONDS:.0f} s; ended")
        )
        end.daemon = True
        end.start()
        super()._schedule_shutdown(signal)


def run_app(app: App) -> int:
    """Run until SIGTERM or SIGINT; returns an exit code of `exits`."""
    process = _Process(
        app,
        loop=asyncio.new_event_loop(),
        quiet=True,
        override_logging=False,
        redirect_stdouts=False,
    )
    process.spinner = None
    try:
        process.execute_from_commandline()
    except SystemExit as end:
        return OK if end.code in (0, None) else BROKEN
    raise AssertionError("Faust returns by SystemExit")


class _Identity(faust.Codec):
    """Leaves payloads alone: decoding is the machine's."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, s: Any) -> Any:
        return s


def make_app(
    group: str,
    connection: Connection,
    *,
    reader: Reader,
    folder: Path,
    session_timeout_s: float,
    instance: str | None,
) -> App:
    """Return the app of one consumer group; `folder` is where Faust may put what it likes."""
    records.install()
    wire.install()
    faust.serializers.codecs.register("identity", _Identity())
    app = App(
        group,
        broker=[f"kafka://{server}" for server in connection.bootstrap.split(",")],
        broker_credentials=credentials(connection),
        datadir=folder,
        store="memory://",
        autodiscover=False,
        processing_guarantee="at_least_once",
        stream_wait_empty=False,
        stream_buffer_maxsize=BATCHES_WAITING,
        table_standby_replicas=1,  # keeps the assignor that gives out partitions by number
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        worker_redirect_stdouts=False,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES,
        consumer_group_instance_id=instance,
        broker_max_poll_records=5000,
        broker_commit_interval=1.0,
        broker_session_timeout=session_timeout_s,
        broker_heartbeat_interval=session_timeout_s / 5,
        broker_request_timeout=session_timeout_s * 1.5,  # after which a dead line is noticed
        broker_rebalance_timeout=session_timeout_s,
    )
    app.reader = reader
    app.principal = connection.principal
    return app
