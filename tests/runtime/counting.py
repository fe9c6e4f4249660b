"""Small exact machines: what runtimes are tested with where statistics would only be in the way.

The profiler counts records and sums their numbers per log; a record without a number is a dead
letter. Its journal record is cumulative, so repeating one changes nothing. The monitor adds up
what the profilers of all partitions say and gives a reading each time the total changes.
"""

import json
from typing import NamedTuple

import msgspec
import orjson

from schemas.log import INPUT_LOGS, Output
from streams.runtime.machine import Machine


class Read(msgspec.Struct):
    """What became of records, for machines that only read."""

    read: int = 0


class CountingProfiler:
    def __init__(self, partition, state=None):
        self.partition = partition
        state = state or {"next": dict.fromkeys(INPUT_LOGS, 0), "rows": {}, "sums": {}}
        self.next, self.rows, self.sums = state["next"], state["rows"], state["sums"]
        self.letters = []
        self.said = None
        self.ticks = []
        self.adopted = []

    def positions(self):
        return self.next

    def step(self, log, records):
        for record in records:
            if record.offset < self.next[log]:
                continue
            self.next[log] = record.offset + 1
            try:
                event = json.loads(record.value)
                number = event["n"] if "n" in event else event["prediction"]
                self.rows[log] = self.rows.get(log, 0) + 1
                self.sums[log] = self.sums.get(log, 0) + (number or 0)
            except (ValueError, KeyError, TypeError):
                self.letters.append(
                    Output(topic="dead-letters", key=record.key, value=record.value or b"")
                )

    def accounting(self):
        return {log: Read(read=rows) for log, rows in self.rows.items()}

    def tick(self, log, now):
        self.ticks.append((log, now))

    def adopt(self, reference):
        self.adopted.append(reference)

    def flush(self):
        said = orjson.dumps([self.partition, self.rows, self.sums])
        changed = (
            []
            if said == self.said or not self.rows
            else [Output(topic="journal", key=b"%d" % self.partition, value=said)]
        )
        self.said = said
        letters, self.letters = self.letters, []
        return [*changed, *letters]

    def snapshot(self):
        return orjson.dumps({"next": self.next, "rows": self.rows, "sums": self.sums})

    def order(self):
        return (0,)

    def paused(self):
        return frozenset()


class CountingMonitor:
    def __init__(self, state=None):
        state = state or {"next": 0, "parts": {}, "said": None}
        self.next, self.parts, self.said = state["next"], state["parts"], state["said"]

    def positions(self):
        return {"journal": self.next}

    def step(self, log, records):
        assert log == "journal"
        for record in records:
            if record.offset >= self.next:
                self.next = record.offset + 1
                partition, rows, sums = orjson.loads(record.value)
                before = self.parts.get(str(partition), [{}, {}])
                if sum(rows.values()) >= sum(before[0].values()):
                    self.parts[str(partition)] = [rows, sums]

    def tick(self, log, now):
        raise AssertionError("the journal is not ticked")

    def adopt(self, reference):
        pass

    def total(self):
        rows, sums = {}, {}
        for part_rows, part_sums in self.parts.values():
            for log in part_rows:
                rows[log] = rows.get(log, 0) + part_rows[log]
                sums[log] = sums.get(log, 0) + part_sums[log]
        return {"rows": dict(sorted(rows.items())), "sums": dict(sorted(sums.items()))}

    def flush(self):
        total = orjson.dumps(self.total()).decode()
        if total == self.said or not self.parts:
            return []
        self.said = total
        return [Output(topic="readings", key=b"m", value=total.encode())]

    def snapshot(self):
        return orjson.dumps({"next": self.next, "parts": self.parts, "said": self.said})

    def order(self):
        return (0,)

    def paused(self):
        return frozenset()


class CountingProfilers(NamedTuple):
    """The role of the profilers."""

    name: str = "profiler"
    inputs: tuple[str, ...] = INPUT_LOGS

    def fresh(self, partition: int, partitions: int) -> Machine:
        return CountingProfiler(partition)

    def restored(self, partition: int, partitions: int, snapshot: bytes) -> Machine:
        return CountingProfiler(partition, orjson.loads(snapshot))


class CountingMonitors(NamedTuple):
    """The role of the monitor."""

    name: str = "monitor"
    inputs: tuple[str, ...] = ("journal",)

    def fresh(self, partition: int, partitions: int) -> Machine:
        return CountingMonitor()

    def restored(self, partition: int, partitions: int, snapshot: bytes) -> Machine:
        return CountingMonitor(orjson.loads(snapshot))
