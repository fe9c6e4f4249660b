"""The embedded runtime: both machines on one SQLite file, in one process.

Promises: outputs, snapshots and positions are one transaction, so every record is counted once
and every output stands once, whatever kills the process; when the log is read to its end, time
goes on by the clock of this machine.
Leaves to others: the file (`sqlite_log`), grouping appends (`intake`), HTTP (`streams.web`).
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Final

import msgspec

from schemas.lamp import Lamp
from schemas.log import INPUT_LOGS, Headers, Millis, Output, Record
from streams.profiler.places import places
from streams.runtime import counted, epochs
from streams.runtime.crank import JOURNAL, MONITOR, REFERENCES, Accounts, Crank, lamps_of, store_of
from streams.runtime.intake import Intake
from streams.runtime.machine import UNSENT_BYTES, Learns, Machine, Role
from streams.runtime.sqlite_log import Entry, Group, LogError, Receipt, SqliteLog

logger = logging.getLogger(__name__)

STEP_ROWS: Final = 4096
COMMIT_ROWS: Final = 50_000
COMMIT_SECONDS: Final = 0.25
"""A commit comes after this many records, or this long after the last one: a drift event waits
for a tick and for a commit."""

COMMIT_SHARE: Final = 0.1
COMMIT_SECONDS_MOST: Final = 1.0
"""Commits of large states come more rarely, to take no more than this share of the time; but
never more rarely than so."""

TICK_SECONDS: Final = 0.25
IDLE_SECONDS: Final = 0.25
TRIM_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 5.0

_DAY: Final[Millis] = 86_400_000
_ACCEPTED_FOR: Final[Millis] = _DAY
"""How long a repeated Idempotency-Key or CloudEvent id is recognised."""

KEPT: Final[Mapping[str, Millis]] = {"readings": 30 * _DAY, "dead-letters": 7 * _DAY}
"""Outputs that age; the others are few and stay."""

REMEMBERED: Final[Mapping[str, Millis]] = {"model-events": 90 * _DAY}
"""Inputs that are kept for longer than the machines need them: people look back at them."""


class Embedded:
    """One machine's runtime; `start` and `stop` it, or turn it with `run_until_idle`."""

    def __init__(
        self,
        profiler: Role,
        monitor: Role,
        directory: Path,
        *,
        partitions: int = 1,
        references: Iterable[bytes] = (),
        models: Iterable[str] = (),
        hashes: counted.Hashes | None = None,
        keep: Millis = 7 * _DAY,
    ) -> None:
        """Restore what is in `directory`, or begin there.

        `references` come from the configuration; learned ones are in the log. Input records are
        kept `keep` ms at least: longer than any label is waited for, and until each of `models`
        has learned its grid. `hashes` name how each model is counted now: a state that was
        counted otherwise begins a new epoch. LogError, SnapshotError: the directory cannot be used.
        """
        self.log = SqliteLog(directory, partitions)
        self.failure: BaseException | None = None
        """What stopped the machines; they are trying again."""
        self.progressed = time.monotonic()
        """When (monotonic clock) the machines last came round."""
        self.observers: list[Callable[[], None]] = []
        """Called after each commit with outputs, in the thread of the machines."""
        self._roles = (profiler, monitor)
        self._references = list(references)
        self._models = frozenset(models)
        self._hashes = dict(hashes or {})
        self._keep = keep
        self._wake = Event()
        self._stopping = Event()
        self._intake = Intake(self.log, self._wake.set)
        self._thread = Thread(target=self._run, name="windage-machines", daemon=True)
        self._uncommitted = 0
        self._commit_took = 0.0
        self._committed = self._ticked = self._trimmed = time.monotonic()
        try:
            self._crank = self._restore()
        except BaseException:
            self.log.close()
            raise
        self._read_to = self._crank.cursors()
        self._accounts = self._crank.accounting()
        self._lamps = lamps_of([self._crank.monitor])

    # Writing

    def append(
        self,
        log: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        timestamp: Millis | None = None,
    ) -> int:
        """Append one record durably; gives its offset. `timestamp` only under `clock: event`."""
        entry = self.entry(log, key, value, headers, timestamp)
        (offset,) = self.append_many([entry]).offsets
        assert offset is not None
        return offset

    def append_many(self, entries: Sequence[Entry]) -> Receipt:
        """Append records in one durable transaction."""
        (receipt,) = self.log.append([Group(entries=entries)])
        self._wake.set()
        return receipt

    def entry(
        self,
        log: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        timestamp: Millis | None = None,
        *,
        name: str | None = None,
    ) -> Entry:
        """An entry to append, in the partition of its key."""
        return Entry(
            log=log,
            key=key,
            value=value,
            headers=tuple(headers),
            timestamp=timestamp,
            name=name,
        )

    @property
    def intake(self) -> Intake:
        """Where many writers submit groups; runs between `start` and `stop`."""
        return self._intake

    # Reading

    def outputs(self, topic: str, after: int = -1, limit: int = 1000) -> list[Record]:
        """At most `limit` outputs of `topic` behind offset `after`."""
        return self.log.read(topic, 0, after + 1, limit, connection="view")

    @property
    def profilers(self) -> Sequence[Machine]:
        """The profilers as they stand."""
        return self._crank.profilers

    @property
    def monitor(self) -> Machine:
        """The monitor as it stands."""
        return self._crank.monitor

    def backlog(self) -> dict[str, int]:
        """Records not read yet, by input log."""
        lag: dict[str, int] = dict.fromkeys(INPUT_LOGS, 0)
        for (partition, log), offset in self._read_to.items():
            lag[log] += max(0, self.log.end(log, partition) - offset)
        return lag

    @property
    def clock(self) -> Millis:
        """The present instant of the log."""
        return self.log.fence()

    def accounting(self) -> Accounts:
        """Records by input log and outcome, summed over partitions, as of the last commit."""
        return self._accounts

    def lamps(self) -> Sequence[Lamp]:
        """How each model stands that was judged, as of the last commit."""
        return self._lamps

    def store(self) -> str | None:
        """How the store is in which predictions wait: `ok`, or what is wrong; None: in memory."""
        return store_of(self._crank.profilers)

    # Running

    def start(self) -> None:
        """Run machines and intake in threads of their own."""
        self._intake.start()
        self._thread.start()

    def stop(self) -> None:
        """Take in what waits, commit, close."""
        if self._thread.is_alive():
            self._intake.stop()
            self._stopping.set()
            self._wake.set()
            self._thread.join()
        self.log.close()

    def run_until_idle(self, now: Millis | None = None) -> None:
        """Read all there is and commit; `now` is a tick to give at the end of each log."""
        while self._crank.feed(self.log, STEP_ROWS) or self._commit():
            if self._uncommitted >= COMMIT_ROWS or self._crank.unsent_bytes > UNSENT_BYTES:
                self._commit()
        if now is not None:
            self._crank.feed(self.log, STEP_ROWS, now)
            self._commit()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if self.failure is not None:
                    self._crank = self._restore()
                    self._uncommitted = 0
                self._turn_until_stopped()
            except Exception as error:
                self.failure = error
                logger.exception("the machines stopped; they start again from the last commit")
                self._stopping.wait(RETRY_SECONDS)

    def _turn_until_stopped(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            stepped = self._turn()
            self.failure = None
            self.progressed = time.monotonic()
            self._read_to = self._crank.cursors()
            if not stepped:
                self._trim_when_due()
                self._wake.wait(IDLE_SECONDS)
        self._commit()

    def _turn(self) -> int:
        """Read what there is, up to a step; tick and commit when due. Gives the records read."""
        tick = None
        if time.monotonic() - self._ticked >= TICK_SECONDS:
            tick = self.log.fence()
            self._ticked = time.monotonic()
        stepped = self._crank.feed(self.log, STEP_ROWS, tick)
        self._uncommitted += stepped
        rest = min(self._commit_took / COMMIT_SHARE, COMMIT_SECONDS_MOST)
        pause = max(COMMIT_SECONDS, rest)
        due = time.monotonic() - self._committed >= pause
        full = self._uncommitted >= COMMIT_ROWS or self._crank.unsent_bytes > UNSENT_BYTES
        if full or (due and (self._uncommitted or tick is not None)):
            self._commit()
        return stepped

    def _commit(self) -> bool:
        """Commit what the machines have to say; gives whether there was anything."""
        crank, began = self._crank, time.monotonic()
        # 1. What the profilers say gets its place in the log.
        harvest = crank.harvest()
        journal = self._as_journal([out for out in harvest if out.topic == JOURNAL])
        # 2. The monitor's opinion of it, as if it had been read back.
        judged = crank.judge(journal)
        outputs = [*harvest, *judged]
        anything = bool(outputs or self._uncommitted)
        if anything:
            # 3. Both, and where the machines stand: one transaction.
            states = {**crank.snapshots(), "cursors": _shown(crank.cursors())}
            states[counted.STATE] = counted.encode(self._hashes)
            self.log.commit([(output, 0) for output in outputs], states)
            self._uncommitted = 0
        self._committed = time.monotonic()
        self._commit_took = self._committed - began
        self._read_to = crank.cursors()
        self._accounts, self._lamps = crank.accounting(), lamps_of([crank.monitor])
        # 4. Only what is stored may be acted upon.
        self._references.extend(out.value for out in judged if out.topic == REFERENCES)
        crank.adopt(judged)
        if outputs:
            for observer in self.observers:
                observer()
        return anything

    def _as_journal(self, outputs: Sequence[Output]) -> list[Record]:
        first = self.log.end(JOURNAL)
        now = self.log.fence()
        return [
            Record(
                offset=first + number,
                timestamp=now if output.timestamp is None else output.timestamp,
                key=output.key,
                value=output.value,
                headers=output.headers,
            )
            for number, output in enumerate(outputs)
        ]

    def _restore(self) -> Crank:
        """The machines of the last commit; the monitor reads on in the journal from there."""
        profiler, monitor = self._roles
        stored = self.log.states()
        self._begin_epochs(stored)
        crank = Crank(
            profiler,
            monitor,
            partitions=self.log.partitions,
            references=[*self._references, *self._learned()],
            snapshots={name: state for name, state in stored.items() if _is_machine(name)},
        )
        while records := self.log.read(JOURNAL, 0, crank.journal_cursor, STEP_ROWS):
            crank.monitor.step(JOURNAL, records)
            crank.journal_cursor = records[-1].offset + 1
        for (partition, log), offset in crank.cursors().items():
            if offset > self.log.end(log, partition):
                raise LogError(f"the state is ahead of the log {log}: it is not of this log")
        return crank

    def _begin_epochs(self, stored: Mapping[str, bytes]) -> None:
        """Where models are counted otherwise now, begin anew at the places of the last commit."""
        numbers = range(self.log.partitions)
        held = {p: stored[f"profiler-{p}"] for p in numbers if f"profiler-{p}" in stored}
        begins = {p: dict.fromkeys(map(str, INPUT_LOGS), 0) for p in numbers}
        was = counted.decode(stored.get(counted.STATE) or b"{}")
        begun = epochs.renewals(
            was,
            self._hashes,
            self._learned(),
            self.log.fence(),
            lambda name, at: epochs.starts_of(
                name, {p: places(one) for p, one in held.items()}, begins, at
            ),
        )
        if begun:
            said = [(epochs.announcement(one), epochs.PARTITION) for one in begun]
            self.log.commit(said, {counted.STATE: counted.encode(self._hashes)})
            for one in begun:
                logger.warning("%s", epochs.sentence(one))

    def _learned(self) -> list[bytes]:
        """The newest reference under each key."""
        newest: dict[bytes | None, bytes] = {}
        after = -1
        while records := self.outputs(REFERENCES, after):
            after = records[-1].offset
            newest.update({record.key: record.value for record in records if record.value})
        return list(newest.values())

    # Forgetting

    def _trim_when_due(self) -> None:
        if time.monotonic() - self._trimmed >= TRIM_SECONDS:
            self.trim()
            self._trimmed = time.monotonic()

    def trim(self) -> None:
        """Delete what nothing asks for any more, a bounded number of records of each log."""
        now = self.log.fence()
        self.log.forget_accepted(now - _ACCEPTED_FOR)
        if MONITOR in self.log.states():
            self.log.trim(JOURNAL, 0, self._crank.journal_cursor, now - _DAY)
        for topic, age in KEPT.items():
            self.log.trim(topic, 0, self.log.end(topic), now - age)
        if self._is_learning():
            return
        for (partition, log), offset in self._crank.cursors().items():
            self.log.trim(log, partition, offset, now - max(self._keep, REMEMBERED.get(log, 0)))

    def _is_learning(self) -> bool:
        """Whether a model has no grid yet: then its profiler may go back to its first record."""
        if any(isinstance(one, Learns) and one.learning for one in self.profilers):
            return True
        return not self._models <= epochs.known(self._learned(), {}, self._hashes).baselines.keys()


def _shown(cursors: Mapping[tuple[int, str], int]) -> bytes:
    """Where the machines read on, by log and partition, for whoever reads the file beside us."""
    shown: dict[str, dict[str, int]] = {}
    for (partition, log), offset in cursors.items():
        shown.setdefault(log, {})[str(partition)] = offset
    return msgspec.json.encode(shown)


def _is_machine(name: str) -> bool:
    return name == MONITOR or name.startswith("profiler-")
