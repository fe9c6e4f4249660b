"""One model in one source partition: reads its records once, counts them, and knows how far it is.

Laws obeyed here: what is counted is a function of the partition's logs alone; records below the
snapshot's offsets are re-read silently (they rebuild the pending store, nothing else); an outcome
is new unless both its records were counted before.
Leaves to others: routing and dead letters (`profiler`); decoding, joining, panes (organs).
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from schemas.counting import Counting
from schemas.frames.events import Events
from schemas.frames.frame import Coded, Frame
from schemas.frames.murmur import partitions_of
from schemas.grid import Grid, Layout
from schemas.inputs import Label
from schemas.journal import JournalRecord, Progress
from schemas.log import DUSK, INPUT_LOGS, InputLog, LogRecord, Millis
from schemas.refused import Refused, alike, together
from schemas.rows import (
    ACCEPTED,
    ALONE,
    CONFLICT,
    DUPLICATE,
    EXPIRED,
    OPINION,
    ROW_BITS,
    Ints,
    Joined,
    Refusal,
    Verdicts,
)
from streams.clock import LogClock
from streams.columns import Columns, digest
from streams.decode import Decoded, Decoder, Limits
from streams.join import Arrivals
from streams.panes import Panes, Placed, Watermarks
from streams.profiler.admission import of_names, unfit
from streams.profiler.agreements import agreed
from streams.profiler.blocks import Mask, kept_rows
from streams.profiler.dating import Stamps, dated
from streams.profiler.lesson import lessons
from streams.profiler.letters import MESSAGES, fresh, tombstones
from streams.profiler.opinions import opined
from streams.profiler.outcomes import count_outcomes
from streams.profiler.pending import Pending
from streams.profiler.predicted import Predicted
from streams.profiler.progress import forwarded, panes_of, progress
from streams.profiler.saved import SavedLog, SavedModel, Tally
from streams.profiler.toll import Toll

_FORWARDED: Final[tuple[InputLog, ...]] = ("metrics", "model-events")


class ModelCounter:
    """Counts one model; without a grid it passes rows on for learning instead."""

    def __init__(
        self, counting: Counting, grid: Grid | None, *, partition: int, partitions: int
    ) -> None:
        """`grid` None: the model is learning."""
        self.counting = counting
        self.grid = grid
        self._partition, self._partitions = partition, partitions
        self._clocks = {log: LogClock(counting.lateness) for log in INPUT_LOGS}
        self.tallies = {log: Tally() for log in INPUT_LOGS}
        self._boundary: dict[InputLog, int] = dict.fromkeys(INPUT_LOGS, 0)
        self._read = counting.begins(partition)
        self._refused: dict[InputLog, list[int]] = {log: [] for log in INPUT_LOGS}
        self._at_end: dict[InputLog, bool] = dict.fromkeys(INPUT_LOGS, False)
        self._versions: dict[str, int] = {}
        self._waiting: list[JournalRecord] = []
        self._told: Progress | None = None
        limits = Limits.of(counting)
        self.decoders = {
            "predictions": Decoder(None, limits, grid),
            "labels": Decoder(Label, limits),
        }
        self._lenient = Decoder(None, limits)
        self._layout = Layout(grid) if grid else None
        if self._layout:
            self._columns = Columns(self._layout)
            self._panes = Panes(self._layout, partition=partition, pane=counting.pane)
            self._predicted = Predicted(self._layout, self._panes)
        self.pending = Pending(
            counting, self._layout, partition, self.tallies, self._read, self._versions
        )
        self._join, self._content = self.pending.join, self.pending.content

    def position(self, log: InputLog) -> int:
        """The offset to read next."""
        return self._read[log]

    def counted_to(self, log: InputLog) -> int:
        """Every record below this offset has been counted."""
        return max(self._read[log], self._boundary[log])

    @property
    def pending_bytes(self) -> int:
        """Memory of predictions and labels that may still meet."""
        return self.pending.nbytes

    @property
    def rebuilding(self) -> bool:
        """Whether records before the snapshot are still being re-read."""
        return any(self._read[log] < self._boundary[log] for log in INPUT_LOGS)

    @property
    def watermarks(self) -> Watermarks:
        """How far predictions and outcomes are complete."""
        p, o = self._clocks["predictions"], self._clocks["labels"]
        if not self.counting.labelled:
            return Watermarks(p.now, p.now, p.rows, p.rows)
        return Watermarks(p.now, min(p.now, o.now), p.rows, min(p.rows, o.rows))

    def ahead(self) -> InputLog | None:
        """The log that should wait for the other, so that the store stays small."""
        if not self.counting.labelled or self.rebuilding:
            return None
        p, o = self._clocks["predictions"].rows, self._clocks["labels"].rows
        slack = self.counting.horizon // 2
        if p > o + slack and not self._at_end["labels"]:
            return "predictions"
        if o > p + slack and not self._at_end["predictions"]:
            return "labels"
        return None

    def tick(self, log: InputLog, now: Millis) -> None:
        """The log was read to its end at broker time `now`."""
        self._at_end[log] = True
        if self.counting.clock == "broker" or log in _FORWARDED:
            self._clocks[log].tick(now)

    def control(self, log: InputLog, offset: int, *, ends: bool) -> None:
        """A model event written into this log at `offset`; `ends`: it ends the stream."""
        if offset >= self._boundary[log]:
            self.tallies[log].read += 1
            self.tallies[log].control += 1
        if ends:
            self.end(log)

    def end(self, log: InputLog) -> None:
        """The stream ends in this log."""
        self._clocks[log].end()

    def finish(self) -> None:
        """All logs have ended."""
        for clock in self._clocks.values():
            clock.end()

    def count(
        self, log: InputLog, records: Sequence[LogRecord], decoded: Decoded, stamps: Stamps
    ) -> Refused:
        """Count decoded predictions or labels; gives what is refused, by position in `records`."""
        offsets, seen = stamps.offsets, stamps.marks
        new = offsets >= self._boundary[log]
        tally = self.tallies[log]
        places = (
            np.arange(len(records))
            if decoded.positions is None
            else np.array(decoded.positions, np.int64)
        )
        tally.read += int(new[places].sum()) + fresh(decoded.refused, new)
        numbers = None if decoded.rows is None else np.array(decoded.rows, np.int64)
        events = Events(decoded.events) if decoded.frame is None else decoded.frame
        times, wrong = dated(self.counting, events, stamps.broker[places])
        if len(events):
            wrong += unfit(log, self.counting, self._versions, events, times)
        refused = together([decoded.refused, *(one.placed(places, numbers) for one in wrong)])
        toll = Toll(offsets, seen, self._clocks[log].rows)
        tally.dead_lettered += fresh(refused, new)
        if decoded.tombstones:
            empty = tombstones(records, new)
            tally.tombstone += empty
            tally.read += empty
        if wrong:
            keep = np.flatnonzero(times >= 0)
            places, times, events = places[keep], times[keep], events.only(keep)
            numbers = None if numbers is None else numbers[keep]
        if len(events):
            marks = self._clocks[log].advance(times) if seen is None else seen[places]
            arrived = np.maximum(times, marks) // self.counting.pane
            at = (offsets[places] << ROW_BITS) | (0 if numbers is None else np.maximum(numbers, 0))
            rows = Arrivals(events.ids, at, offsets[places], times, marks, arrived)
            handle = self._predict if log == "predictions" else self._label
            verdicts = handle(rows, events, new[places])
            toll.take(places, numbers, marks, verdicts)
            if numbers is not None and self._partitions > 1:
                ours = (verdicts == ACCEPTED) & new[places] & (numbers != ALONE)
                homes = partitions_of(rows.ids.only(ours), self._partitions)
                tally.misplaced += int((homes != self._partition).sum())
            turned = self._settle(log, rows, verdicts, new[places])
            refused = together([refused, *(one.placed(places, numbers) for one in turned)])
        if self._layout is not None:
            self._panes.note(log, toll.panes(log, self.counting.pane, new, refused))
        return refused

    def forward(self, log: InputLog, offset: int, acts: Millis, value: bytes) -> None:
        """Pass a metric or model event on, once, to act in the pane of the instant `acts`."""
        if offset < self.counted_to(log):
            return
        self.tallies[log].read += 1
        self.tallies[log].counted += 1
        at = self._partition, offset, acts // self.counting.pane
        self._waiting.append(forwarded(self.counting, log, at, value))

    def leave_out(self, log: InputLog, offset: int) -> None:
        """The dead letter of a record is not written, because a sample is asked for."""
        self.tallies[log].left_out += offset >= self._boundary[log]

    def unsaid(self, log: InputLog, record: LogRecord, refusal: Refusal) -> bool:
        """Whether a record that was read before is refused only now that there is a grid."""
        if record.offset < self._boundary[log]:
            return False
        typed = log == "predictions" and refusal.code in ("schema", "non_finite")
        if not typed or of_names(refusal):
            return refusal.code == "conflict"
        lenient = self._lenient.batch([record])
        return refusal.row in (lenient.rows or [ALONE] * len(lenient.events))

    def broker_marks(self, log: InputLog, times: Ints) -> Ints | None:
        """The watermark at each record of a batch with broker `times`; None for event clock."""
        if self.counting.clock == "broker":
            return self._clocks[log].advance(times)
        if log in _FORWARDED:  # by append time under either clock: that is what ticks speak of
            self._clocks[log].advance(times)
        return None

    def done(self, log: InputLog, end: int) -> None:
        """Everything below offset `end` has been handed over."""
        self._read[log] = max(self._read[log], end)
        self._at_end[log] = False
        if self._read[log] >= self._boundary[log]:
            self._join.skip[log] = set()

    def _predict(self, rows: Arrivals, events: Events | Frame, new: Mask) -> Verdicts:
        panes = rows.times // self.counting.pane
        if self._layout is None:
            assert isinstance(events, Events), "frames are made for a grid"
            return self._learn(rows, events, new)
        columns = self._columns.of(events)
        content = kept_rows(columns, self._content)
        versions = self._version_codes(events.counted_versions)
        since = self._join.predictions.end, self._boundary["predictions"]
        verdicts, joined = self._join.predict(rows, versions, digest(rows.times, columns), content)
        kept = (verdicts == ACCEPTED) & new
        if kept.any():
            none = np.full(len(events), -1)
            where = Placed(versions, panes, rows.arrived, columns.segments, rows.offsets, none)
            self.tallies["predictions"].late += int((rows.arrived > panes)[kept].sum())
            sets = events.sets.only(kept)
            self._predicted.count(where, list(self._versions), columns, kept, sets)
        times = self.counting.horizon, self.counting.pane
        agreed(self._join, self._panes, self._layout, self._versions, since, times)
        self._outcomes(joined)
        return verdicts

    def _learn(self, rows: Arrivals, events: Events, new: Mask) -> Verdicts:
        """Pass rows on to learn from, each id once; contents are compared when they are counted."""
        n = len(events)
        versions = self._version_codes(events.counted_versions)
        alike = np.zeros(n, np.uint64)
        verdicts, joined = self._join.predict(rows, versions, alike, np.zeros(n, self._content))
        self._outcomes(joined)
        kept = np.flatnonzero((verdicts == ACCEPTED) & new)
        if len(kept):
            learned = events.only(kept).rows
            told = lessons(self.counting, self._partition, rows.only(kept), learned)
            self._waiting += told
        return verdicts

    def _label(self, rows: Arrivals, events: Events | Frame, _new: Mask) -> Verdicts:
        n, said = len(events), (events.revisions, events.annotators)
        values, codes = np.full(n, np.nan), np.zeros(n, np.int64)
        if self._layout is not None:
            values, cells = self._columns.labels(events)
            codes = cells.astype(np.int64)
        verdicts, joined, found = self._join.label(rows, codes, values, *said)
        self._outcomes(joined)
        if self._layout is not None:
            boundary, pane = self._boundary["labels"], self.counting.pane
            opined(self._join, self._panes, self._layout, found, boundary, pane)
        return verdicts

    def _outcomes(self, joined: Sequence[Joined]) -> None:
        """Count outcomes of which at least one record is new."""
        for one in joined:
            fresh = one.prediction_offsets >= self._boundary["predictions"]
            fresh |= one.label_offsets >= self._boundary["labels"]
            tally = self.tallies["labels"]
            tally.joined += int((one.first & fresh).sum())
            self.pending.met(one, fresh)
            if not one.revision:
                tally.outcomes += int(fresh.sum())
            if self._layout is None or not fresh.any():
                continue
            counted = self._layout, self._panes, list(self._versions), self.counting.pane
            count_outcomes(self._join, one, fresh, *counted)

    def _settle(
        self, log: InputLog, rows: Arrivals, verdicts: Verdicts, new: Mask
    ) -> list[Refused]:
        """Tally verdicts of new rows; gives the refusals, by row, that become dead letters."""
        tally, fates = self.tallies[log], np.bincount(verdicts[new], minlength=OPINION + 1).tolist()
        tally.counted += fates[ACCEPTED] + fates[OPINION]
        tally.opinions += fates[OPINION]
        tally.duplicate += fates[DUPLICATE]
        tally.conflict += fates[CONFLICT]
        tally.expired += fates[EXPIRED]
        self.pending.admitted(log, rows, verdicts, new)
        if not any(fates[DUPLICATE:]):
            return []
        turned = new & ((verdicts == DUPLICATE) | (verdicts == CONFLICT))
        self._refused[log] += rows.places[turned].tolist()
        loud = [(np.flatnonzero(new & (verdicts == verdict)), verdict) for verdict in MESSAGES]
        return [alike(rows, *MESSAGES[verdict]) for rows, verdict in loud]

    def _version_codes(self, versions: Coded) -> Ints:
        """The number of each row's version; new versions are numbered in order of their names."""
        for version in sorted(set(versions.values) - self._versions.keys()):
            self._versions[version] = len(self._versions)
        numbers = np.array([self._versions[name] for name in versions.values], np.int64)
        return numbers[versions.codes]

    def flush(self) -> list[JournalRecord]:
        """What has changed since the last flush: forwards, learning rows, profiles, progress."""
        out, self._waiting = self._waiting, []
        marks = self.watermarks
        if self._layout is not None:
            out += self._panes.close(marks)
        self._forget()
        events = min(self._clocks[log].now for log in _FORWARDED)
        source, pane = (self._partition, self._partitions), self.counting.pane
        said = progress(self.counting, self.grid, source, marks, events, self.pending.joins)
        if self._told is None or panes_of(said, pane) != panes_of(self._told, pane):
            self._told = said
            out.append(said)
        return out

    def _forget(self) -> None:
        self.pending.forget(self._forgettable())
        for log, refused in self._refused.items():
            if refused:
                oldest = self.pending.oldest(log)
                first = DUSK if oldest is None else oldest[0]
                self._refused[log] = [o for o in refused if o >> ROW_BITS >= first]

    def _forgettable(self) -> Millis:
        margin = max(self.counting.horizon, 3_600_000)
        clocks = [self._clocks["predictions"]]
        if self.counting.labelled:
            clocks.append(self._clocks["labels"])
        return min(clock.forgettable(margin) for clock in clocks)

    def accounting(self) -> dict[InputLog, Tally]:
        """What became of every record read."""
        tallies = {log: msgspec.structs.replace(tally) for log, tally in self.tallies.items()}
        tallies["labels"].orphaned = self.pending.orphans(self._forgettable())
        return tallies

    def save(self) -> SavedModel:
        """The state, without the pending store (the topic holds that)."""
        logs = {}
        for log in INPUT_LOGS:
            clock, oldest, read = self._clocks[log], self.pending.oldest(log), self._read[log]
            begin, largest = read, clock.largest
            if oldest is not None:
                begin, largest = oldest[0], oldest[1] + self.counting.lateness
            refused, tally = self._refused[log], self.tallies[log]
            logs[log] = SavedLog(read, begin, largest, clock.ticked, refused, tally)
        return SavedModel(
            model=self.counting.model,
            epoch=self.counting.epoch,
            grid=self.grid.id if self.grid else "",
            logs=logs,
            versions=list(self._versions),
            forgotten=self._join.forgotten,
            profiles=self._panes.save() if self._layout is not None else [],
            shelf=self.pending.save(),
        )

    def load(self, saved: SavedModel) -> None:
        """Take a snapshot up; records from `rebuild_from` are to be read again."""
        for log, one in saved.logs.items():
            self._boundary[log], self._read[log] = one.next, one.rebuild_from
            self._clocks[log] = LogClock(self.counting.lateness, one.largest, one.ticked)
            self._refused[log], self.tallies[log] = list(one.refused), one.tally
            if one.rebuild_from < one.next:
                self._join.skip[log] = set(one.refused)
        self._versions |= {version: code for code, version in enumerate(saved.versions)}
        self._join.forgotten = saved.forgotten
        self.pending.load(saved.shelf)
        if self._layout is not None:
            self._panes.load(saved.profiles)
