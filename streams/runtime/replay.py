"""Replay: a recording through the same machines, as fast as they go.

Promises: broker time is event time, so the outputs are a function of the recording; chunk sizes
and crashes change nothing but speed and repeated outputs (with equal ids).
Leaves to others: files (`recording`), machines (`machine`), printing and judging (commands).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

import orjson

from schemas.log import INPUT_LOGS, Millis, Output
from streams.runtime import garbage
from streams.runtime.crank import JOURNAL, Accounts, Crank
from streams.runtime.machine import Machine, Role
from streams.runtime.memory import MemoryLog
from streams.runtime.recordings.recording import Chunk

STEP_ROWS: Final = 4096

CrashPoint = Literal["stepped", "appended", "stored"]
"""Where a turn may break off: before its outputs are appended, after, and after its snapshot."""

Crash = Callable[[int], CrashPoint | None]
"""Says whether the turn of this number breaks off, and where."""


class Replay:
    """Drives machines over a log in memory."""

    def __init__(
        self,
        profiler: Role,
        monitor: Role,
        *,
        partitions: int = 1,
        references: Iterable[bytes] = (),
        step_rows: int = STEP_ROWS,
        crash: Crash | None = None,
    ) -> None:
        """`references` are records of that topic; without any, the machines learn them.

        With `crash`, nothing is forgotten and snapshots are taken every turn.
        """
        self._roles = (profiler, monitor)
        self._references = list(references)
        self._step_rows = step_rows
        self._crash = crash
        self._log = MemoryLog(partitions)
        self._stored: dict[str, bytes] = {}
        self._turn = 0
        self._now: Millis = 0
        self._crank = self._machines()

    @property
    def profilers(self) -> list[Machine]:
        """The profilers as they stand, for their accounting."""
        return self._crank.profilers

    def accounting(self) -> Accounts:
        """Records by input log and by what became of them."""
        return self._crank.accounting()

    @property
    def monitor(self) -> Machine:
        """The monitor as it stands."""
        return self._crank.monitor

    def run(self, chunks: Iterable[Chunk], models: Iterable[str]) -> Iterator[Output]:
        """Outputs as they come, all topics but the journal; `models` end with the recording."""
        last: Millis = 0
        with garbage.rarely():
            for chunk in chunks:
                for log, entries in chunk.entries.items():
                    self._log.extend(log, entries)
                last = self._now = chunk.last
                yield from self._settle()
            self._end(models, last)
            yield from self._settle()

    def _settle(self) -> Iterator[Output]:
        """Turn until nothing is left to read."""
        while True:
            stepped = self._crank.feed(self._log, self._step_rows)
            yield from self._finish_turn()
            if not stepped and not self._has_more():
                break

    def _finish_turn(self) -> Iterator[Output]:
        self._turn += 1
        point = self._crash(self._turn) if self._crash is not None else None
        self._tick()
        # 1. What the profilers say, appended.
        harvest = self._crank.harvest()
        if point == "stepped":
            self._crank = self._machines()
            return
        for output in harvest:
            self._append(output)
            if output.topic != JOURNAL:
                yield output
        # 2. What the monitor makes of it, appended.
        journal = self._log.read(JOURNAL, 0, self._crank.journal_cursor, 1 << 30)
        judged = self._crank.judge(journal)
        for output in judged:
            self._append(output)
            yield output
        new = [output.value for output in judged if output.topic == "references"]
        self._references.extend(new)
        if point == "appended":
            self._crank = self._machines()
            return
        # 3. Where both stand, stored.
        if self._crash is not None:
            self._stored.update(self._crank.snapshots())
        if point == "stored":
            self._crank = self._machines()
            return
        # 4. New references, and room.
        self._crank.adopt(judged)
        self._trim()

    def _tick(self) -> None:
        """Logs of metrics and model events that are read to their ends have come as far as rows.

        Chunks come in the order of time, so nothing older can follow; without this an empty log
        would hold every pane up to the end of the recording.
        """
        for number, machine in enumerate(self._crank.profilers):
            for log in ("metrics", "model-events"):
                if self._crank.cursor(number, log) >= self._log.end(log, number):
                    machine.tick(log, self._now)

    def _machines(self) -> Crank:
        profiler, monitor = self._roles
        return Crank(
            profiler,
            monitor,
            partitions=self._log.partitions,
            references=self._references,
            snapshots=self._stored,
        )

    def _append(self, output: Output) -> None:
        if output.topic == JOURNAL:
            at = self._now if output.timestamp is None else output.timestamp
            self._log.append(
                JOURNAL,
                0,
                timestamp=at,
                key=output.key,
                value=output.value,
                headers=output.headers,
            )

    def _has_more(self) -> bool:
        if self._crank.journal_cursor < self._log.end(JOURNAL, 0):
            return True
        cursors = self._crank.cursors().items()
        return any(offset < self._log.end(log, partition) for (partition, log), offset in cursors)

    def _trim(self) -> None:
        """Forget what no machine asks for again; while a grid is being learned, all is kept."""
        if self._crash is not None:
            return
        self._log.trim(JOURNAL, 0, self._crank.journal_cursor)
        if self._references:
            for (partition, log), offset in self._crank.cursors().items():
                self._log.trim(log, partition, offset)

    def _end(self, models: Iterable[str], last: Millis) -> None:
        for model in models:
            value = orjson.dumps(
                {"model": model, "type": "end_of_stream", "timestamp": last, "id": "end-of-stream"}
            )
            for partition in range(self._log.partitions):
                for log in INPUT_LOGS:
                    self._log.append(
                        log,
                        partition,
                        timestamp=last,
                        key=model.encode(),
                        value=value,
                        headers=END_HEADERS,
                    )


END_HEADERS: Final = (
    ("ce_specversion", b"1.0"),
    ("ce_id", b"end-of-stream"),
    ("ce_source", b"windage/replay"),
    ("ce_type", b"windage.model-event.v1"),
    ("content-type", b"application/json"),
)
"""Tells a model event from the predictions and labels among which it stands."""
