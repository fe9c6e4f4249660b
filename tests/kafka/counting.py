"""A worker process whose machines only count: exact, and so a witness for the runtime.

Run as a program with a JSON document of settings as its one argument. The machine counts and sums
the integers it reads per log, and writes an output for every thousandth record of a log: a function
of that log alone, so that every run must write the same ones.
"""

import json
import sys
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from schemas.log import Output
from streams.runtime.kafka.connection import Connection
from streams.runtime.kafka.process import run_role
from streams.runtime.kafka.watchdog import Limits
from streams.snapshot import SnapshotError

EVERY = 1000


class Counts(msgspec.Struct):
    """The state, per log: how many, their sum, the offset to read next, how many ticks."""

    rows: dict[str, int] = {}
    totals: dict[str, int] = {}
    bad: int = 0
    positions: dict[str, int] = {}
    ticks: dict[str, int] = {}
    adopted: list[str] = []


class CountingMachine:
    """Counts integers; what is no integer is a dead letter."""

    def __init__(self, partition: int, inputs: tuple[str, ...], counts: Counts) -> None:
        self._partition = partition
        self._counts = counts
        self._outputs: list[Output] = []
        for log in inputs:
            counts.positions.setdefault(log, 0)

    def positions(self):
        return self._counts.positions

    def step(self, log, records):
        counts = self._counts
        for record in records:
            if record.offset < counts.positions[log]:
                continue
            counts.positions[log] = record.offset + 1
            try:
                number = int(record.value)
            except (TypeError, ValueError):
                counts.bad += 1
                self._outputs.append(
                    Output(
                        topic="dead-letters",
                        key=record.key,
                        value=record.value or b"",
                        headers=(("at", f"{log}/{self._partition}/{record.offset}".encode()),),
                    )
                )
                continue
            counts.rows[log] = counts.rows.get(log, 0) + 1
            counts.totals[log] = counts.totals.get(log, 0) + number
            if counts.rows[log] % EVERY == 0:
                name = f"{log}:{self._partition}:{counts.rows[log]}:{counts.totals[log]}"
                self._outputs.append(Output(topic="journal", key=b"k", value=name.encode()))

    def tick(self, log, now):
        self._counts.ticks[log] = self._counts.ticks.get(log, 0) + 1
        name = f"tick:{self._partition}:{log}:{now}"
        self._outputs.append(Output(topic="readings", key=b"k", value=name.encode()))

    def adopt(self, reference):
        """Learn from scratch under a new reference: both logs are read again from the start."""
        if reference.decode() in self._counts.adopted:
            return
        self._counts.adopted.append(reference.decode())
        self._counts.rows, self._counts.totals, self._counts.bad = {}, {}, 0
        self._counts.positions = dict.fromkeys(self._counts.positions, 0)

    def flush(self):
        outputs, self._outputs = self._outputs, []
        return outputs

    def snapshot(self):
        return msgspec.msgpack.encode(self._counts)

    def order(self):
        counts = self._counts
        return (
            len(counts.adopted),
            sum(counts.positions.values()),
            sum(counts.ticks.values()),
        )

    def paused(self):
        return frozenset()


class CountingRole:
    """Makes counting machines."""

    def __init__(self, name: str, inputs: list[str]) -> None:
        self.name = name
        self.inputs = tuple(inputs)

    def know(self, references):
        """Counting machines are told by adopt() alone."""

    def fresh(self, partition, partitions):
        return CountingMachine(partition, self.inputs, Counts())

    def restored(self, partition, partitions, snapshot):
        try:
            counts = msgspec.msgpack.decode(snapshot, type=Counts)
        except msgspec.DecodeError as error:
            raise SnapshotError(str(error)) from None
        return CountingMachine(partition, self.inputs, counts)


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    role = CountingRole("profiler", given.pop("inputs"))
    connection = Connection(bootstrap=given.pop("bootstrap"))
    terms = {name: given.pop(name) for name in ("stall_s", "unsettled_s") if name in given}
    if terms:
        usual = {"stall_s": 60.0, "unsettled_s": 72.0}
        given["limits"] = Limits(**{**usual, **terms}, memory=1 << 40, red=1 << 40)
    sys.exit(run_role(role, connection, **given))
