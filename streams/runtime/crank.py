"""The crank: N profilers and one monitor, turned by hand, for runtimes that own their log.

Promises: the order of every runtime: step, flush, (the caller appends and stores), adopt; a log is
read from where its machine asks, also when that moves back; a log that must wait for another is
read only when nothing else is left.
Leaves to others: where records come from and go to (`replay`, `embedded`), and durability.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

import msgspec

from schemas.lamp import Lamp
from schemas.log import LogRecord, Millis, Output
from streams.runtime.machine import Machine, Role, unsent

JOURNAL: Final = "journal"
MONITOR: Final = "monitor"
REFERENCES: Final = "references"


class Source(Protocol):
    """Logs that can be read by offset."""

    def read(self, topic: str, partition: int, offset: int, limit: int) -> Sequence[LogRecord]:
        """At most `limit` records from `offset` on, in offset order; empty at the end."""


Accounts = dict[str, dict[str, int]]
"""Records by input log and by what became of them."""


@runtime_checkable
class Accountable(Protocol):
    """A machine that can say what became of every record it has read."""

    def accounting(self) -> Mapping[Any, msgspec.Struct]:
        """By input log, a struct of counts: a field for each outcome."""


@runtime_checkable
class Standing(Protocol):
    """A machine that can say how its models stand."""

    def lamps(self) -> Sequence[Lamp]:
        """One for each model that was judged."""


@runtime_checkable
class Storing(Protocol):
    """A machine that keeps a part of its state in a store elsewhere."""

    def trouble(self) -> str | None:
        """Why the store does not serve at present; None while it does."""


@runtime_checkable
class Informed(Protocol):
    """A role whose machines must know what was learned before one can be restored."""

    def know(self, references: Sequence[bytes]) -> None:
        """Make machines that know these records of `references` from now on."""


def lamps_of(machines: Iterable[Machine]) -> Sequence[Lamp]:
    """How the models of these machines stand; none where they judge nothing."""
    return [lamp for one in machines if isinstance(one, Standing) for lamp in one.lamps()]


def store_of(machines: Iterable[Machine]) -> str | None:
    """How the store of these machines is: `ok`, or why it does not serve; None without one."""
    told = [one.trouble() for one in machines if isinstance(one, Storing)]
    return next((one for one in told if one is not None), "ok") if told else None


class Crank:
    """Both machines over one set of logs; the journal has one partition."""

    def __init__(
        self,
        profiler: Role,
        monitor: Role,
        *,
        partitions: int = 1,
        references: Iterable[bytes] = (),
        snapshots: Mapping[str, bytes] | None = None,
    ) -> None:
        """Machines from `snapshots` (as `snapshots()` named them), new ones where there is none.

        SnapshotError where a snapshot cannot be used.
        """
        self._inputs = profiler.inputs
        told = list(references)
        for role in (profiler, monitor):
            if isinstance(role, Informed):
                role.know(told)
        stored = snapshots or {}
        self.profilers = [
            _machine(profiler, number, partitions, stored.get(_name(number)))
            for number in range(partitions)
        ]
        self.monitor = _machine(monitor, 0, 1, stored.get(MONITOR))
        for reference in told:
            for machine in (*self.profilers, self.monitor):
                machine.adopt(reference)
        self._cursors = [dict(machine.positions()) for machine in self.profilers]
        self.journal_cursor = self.monitor.positions()[JOURNAL]

    def feed(self, source: Source, limit: int, now: Millis | None = None) -> int:
        """Step every profiler over at most `limit` records of each of its logs; gives how many.

        `now`: no record older than this instant can still come into a log that was read to its
        end; None where time passes by records alone.
        """
        stepped = 0
        for partition, machine in enumerate(self.profilers):
            waiting = machine.paused()
            logs = [log for log in self._inputs if log not in waiting]
            count = self._read(source, partition, logs, limit, now)
            if not count and waiting:
                held = [log for log in self._inputs if log in waiting]
                count = self._read(source, partition, held, limit, now)
            stepped += count
        return stepped

    def _read(
        self, source: Source, partition: int, logs: Sequence[str], limit: int, now: Millis | None
    ) -> int:
        machine = self.profilers[partition]
        stepped = 0
        for log in logs:
            records = source.read(log, partition, self.cursor(partition, log), limit)
            if records:
                machine.step(log, records)
                self._cursors[partition][log] = records[-1].offset + 1
                stepped += len(records)
            elif now is not None:
                machine.tick(log, now)
        return stepped

    @property
    def unsent_bytes(self) -> int:
        """What waits for the next harvest."""
        return sum(map(unsent, self.profilers))

    def cursor(self, partition: int, log: str) -> int:
        """The offset that log is read from next."""
        return min(self._cursors[partition][log], self.profilers[partition].positions()[log])

    def cursors(self) -> dict[tuple[int, str], int]:
        """The offset each log is read from next, by partition and log."""
        places = [(number, log) for number in range(len(self.profilers)) for log in self._inputs]
        return {place: self.cursor(*place) for place in places}

    def harvest(self) -> list[Output]:
        """What the profilers have to say since the last time, partition by partition."""
        return [output for machine in self.profilers for output in machine.flush()]

    def judge(self, journal: Sequence[LogRecord]) -> list[Output]:
        """Step the monitor over journal records; gives what it has to say."""
        if journal:
            self.monitor.step(JOURNAL, journal)
            self.journal_cursor = journal[-1].offset + 1
        return self.monitor.flush()

    def snapshots(self) -> dict[str, bytes]:
        """The machines' states by name; a machine that is re-reading is left out."""
        named = {_name(number): machine for number, machine in enumerate(self.profilers)}
        named[MONITOR] = self.monitor
        taken = {name: machine.snapshot() for name, machine in named.items()}
        return {name: state for name, state in taken.items() if state is not None}

    def accounting(self) -> Accounts:
        """What became of the records read, summed over partitions."""
        total: Accounts = {}
        for machine in self.profilers:
            if isinstance(machine, Accountable):
                for log, tally in machine.accounting().items():
                    own = total.setdefault(log, {})
                    for outcome, count in msgspec.structs.asdict(tally).items():
                        own[outcome] = own.get(outcome, 0) + count
        return total

    def adopt(self, outputs: Iterable[Output]) -> int:
        """Hand the references among the monitor's outputs to the profilers; gives how many."""
        references = [output.value for output in outputs if output.topic == REFERENCES]
        for reference in references:
            for machine in self.profilers:
                machine.adopt(reference)
        return len(references)


def _name(partition: int) -> str:
    return f"profiler-{partition}"


def _machine(role: Role, partition: int, partitions: int, snapshot: bytes | None) -> Machine:
    if snapshot is None:
        return role.fresh(partition, partitions)
    return role.restored(partition, partitions, snapshot)
