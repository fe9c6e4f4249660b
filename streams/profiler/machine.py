"""The profiler: one source partition of all input logs in, journal records and dead letters out.

Promises: state and outputs are functions of the partition's logs (and of adopted grids); any
bytes in, no exception out; whatever is handed over twice is counted once.
Leaves to others: fetching, appending, storing (`streams/runtime`); one model's counts (`model`).
"""

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter

import msgspec
import numpy as np

from schemas import baseline as baselines
from schemas.counting import Counting, nobody
from schemas.grid import Grid
from schemas.inputs import Metric, ModelEvent
from schemas.journal import encode
from schemas.log import DUSK, INPUT_LOGS, InputLog, LogRecord, Millis, Output
from schemas.rows import Ints, Refusal
from schemas.vocabulary import UNNAMED
from streams.decode import Decoder, Limits, RefusedError, model_of
from streams.join import Found, Leaving, Wanted
from streams.profiler import epochs
from streams.profiler.dating import Stamps
from streams.profiler.forwarding import as_forwarded
from streams.profiler.model import ModelCounter
from streams.profiler.postbag import Postbag
from streams.profiler.saved import Tally, summed
from streams.profiler.state import FORMAT, State, read
from streams.profiler.stretches import part_of, stretches
from streams.profiler.unnamed import Unnamed, counter
from streams.snapshot import DAMAGE, SnapshotError


class Profiler:
    """Counts every model of one source partition."""

    def __init__(
        self,
        counting: Mapping[str, Counting],
        *,
        partition: int,
        partitions: int,
        grids: Mapping[str, Grid],
    ) -> None:
        """`counting` by model, that of `UNNAMED` for all others; without a grid they learn."""
        self.partition, self.partitions = partition, partitions
        known, source = dict(grids), (partition, partitions)
        if UNNAMED in counting:
            known[UNNAMED] = nobody(counting[UNNAMED].epoch)
        self._counting = tuple(counting.values())
        self._models = {
            name: counter(one, known.get(name), source) for name, one in counting.items()
        }
        self._unnamed = Unnamed(self._models, grids, source)
        self._spoken: dict[InputLog, int] = dict.fromkeys(INPUT_LOGS, 0)
        self._strays = {log: Tally() for log in INPUT_LOGS}
        share = max(one.letters for one in counting.values())
        self._postbag = Postbag(partition, share)
        alone = len(counting) == 1 and UNNAMED not in counting
        self._only = next(iter(counting)) if alone else None
        limits = [
            (one.event_bytes, one.features, one.batch_bytes, one.depth) for one in counting.values()
        ]
        event, features, batch, depth = map(max, zip(*limits, strict=True))
        self._limits = most = Limits(event, features, batch, depth=depth)
        self._forwarders = {
            "metrics": Decoder(Metric, most),
            "model-events": Decoder(ModelEvent, most),
        }

    # -- where it stands ---------------------------------------------------------------------------

    def positions(self) -> dict[InputLog, int]:
        """The offset that each log must be read from next; may go back after `adopt`."""
        return {
            log: min(model.position(log) for model in self._models.values()) for log in INPUT_LOGS
        }

    def order(self) -> tuple[int, ...]:
        """The rank of this state among snapshots: epochs, grids known, how far each log is."""
        known = sum(model.grid is not None for model in self._models.values())
        first = epochs.rank(known, self._counting)
        return (first, *(self._counted(log) for log in INPUT_LOGS))

    def _counted(self, log: InputLog) -> int:
        return sum(model.counted_to(log) for model in self._models.values())

    def paused(self) -> frozenset[InputLog]:
        """Logs that should wait because the other is behind (a hint that bounds memory)."""
        ahead = {model.ahead() for name, model in self._models.items() if name != UNNAMED}
        return frozenset(log for log in ahead if log) if len(ahead) == 1 else frozenset()

    def accounting(self) -> dict[InputLog, Tally]:
        """What became of every record read so far, over all models."""
        return summed(self._strays, *(model.accounting() for model in self._models.values()))

    @property
    def pending_bytes(self) -> int:
        """Memory of all predictions and labels that may still meet."""
        return sum(model.pending_bytes for model in self._models.values())

    @property
    def unsent_bytes(self) -> int:
        """Memory of dead letters that wait for a flush."""
        return self._postbag.size

    @property
    def learning(self) -> bool:
        """Whether a model has no grid yet: once it has, its records are read again."""
        return any(model.grid is None for model in self._models.values())

    @property
    def rebuilding(self) -> bool:
        """Whether records before the snapshot are still being re-read."""
        return any(model.rebuilding for model in self._models.values())

    # -- reading -----------------------------------------------------------------------------------

    def tick(self, log: InputLog, now: Millis) -> None:
        """The log was read to its end by a fetch that began at broker time `now`."""
        for model in self._models.values():
            model.tick(log, now)

    def finish(self) -> None:
        """All logs have ended: whatever is open is over."""
        for model in self._models.values():
            model.finish()

    def adopt(self, reference: bytes) -> None:
        """A model has its grid: what it learned from is read again from the start, and counted.

        SupersededError: or it has begun a new epoch, without us.
        """
        if epochs.heard(reference, self._counting):
            return
        grid = baselines.decode(reference).grid
        model = self._models.get(grid.model, self._models.get(UNNAMED))
        if model is not None and model.counting.epoch != grid.epoch:
            return
        model = None if self._unnamed.adopt(grid) else self._models.get(grid.model)
        if model is None or model.grid is not None:
            return
        source = self.partition, self.partitions
        self._models[grid.model] = counter(model.counting, grid, source)

    def step(self, log: InputLog, records: Sequence[LogRecord]) -> None:
        """Read records of one log, in offset order; any overlap with earlier ones is fine."""
        for wanted in self.steps(log, records):
            self.recall(wanted, None)

    def steps(self, log: InputLog, records: Sequence[LogRecord]) -> Iterator[Wanted]:
        """As `step`, where what waits lies elsewhere: gives what must be recalled before going on.

        Nothing else may be asked of this machine before it is through.
        """
        start = self.positions()[log]
        if records and records[0].offset < start:
            records = [record for record in records if record.offset >= start]
        if not records:
            return
        if log in self._forwarders:
            self._forward(log, records)
        else:
            yield from self._route(log, records)
        self._spoken[log] = max(self._spoken[log], records[-1].offset + 1)

    def _route(self, log: InputLog, records: Sequence[LogRecord]) -> Iterator[Wanted]:
        """Hand predictions or labels to their models."""
        if self._only is not None:
            yield from self._count(self._models[self._only], log, records, None)
            return
        owned: dict[str, list[int]] = {}
        for position, record in enumerate(records):
            try:
                owner = self._owner(log, record)
            except RefusedError as refused:
                self._stray(log, record, Refusal(position, refused.code, str(refused)))
            else:
                owned.setdefault(owner, []).append(position)
        for name, model in list(self._models.items()):
            yield from self._count(model, log, records, owned.get(name, []))

    def _owner(self, log: InputLog, record: LogRecord) -> str:
        """Whose a record is; RefusedError if it is nobody's."""
        if record.value is None:
            return next(iter(self._models))  # a tombstone has no model: the first one counts it
        name = model_of(record, self._limits)
        if self._unnamed.admits(log, name, record.offset):
            return name
        if UNNAMED in self._models and name != UNNAMED:
            return UNNAMED  # which refuses it, and judges how many it refuses
        raise RefusedError("unknown_model", "no such model")

    def _count(
        self,
        model: ModelCounter,
        log: InputLog,
        records: Sequence[LogRecord],
        positions: list[int] | None,
    ) -> Iterator[Wanted]:
        """Let a model count its records (all, or those at `positions`) that it has not read."""
        offsets = np.array([r.offset for r in records], np.int64)
        read = int(np.searchsorted(offsets, model.position(log)))
        records = records[read:]
        if not records:
            return
        times = np.array([r.timestamp for r in records], np.int64)
        stamps = Stamps(offsets[read:], times, model.broker_marks(log, times))
        own = records
        if positions is not None:
            at = np.array([p - read for p in positions if p >= read], np.int64)
            own, stamps = [records[i] for i in at.tolist()], stamps.only(at)
        yield from self._count_fresh(model, log, own, records[-1].offset + 1, stamps)

    def _count_fresh(
        self,
        model: ModelCounter,
        log: InputLog,
        own: Sequence[LogRecord],
        end: int,
        stamps: Stamps,
    ) -> Iterator[Wanted]:
        """Decode and count what stands below offset `end`."""
        for first, last, decoded in model.decoders[log].parts(own):
            part, marked = own[first:last], stamps.only(slice(first, last))
            for begin, stop, event in stretches(decoded, len(part)):
                said = marked.only(slice(begin, stop))
                events = part_of(decoded, begin, stop)
                wanted = model.pending.wanted(events)
                if wanted is not None:
                    yield wanted
                refused = model.count(log, part[begin:stop], events, said)
                if refused.size:
                    self._postbag.write(model, log, part[begin:stop], refused, self._spoken[log])
                if event is not None:
                    ends = event.type == "end_of_stream"
                    model.control(log, part[stop].offset, ends=ends)
        model.done(log, end)

    def _forward(self, log: InputLog, records: Sequence[LogRecord]) -> None:
        """Pass metrics and model events on to the journal."""
        decoded = self._forwarders[log].batch(records)
        for refusal in decoded.refused.one_by_one():
            self._stray(log, records[refusal.position], refusal)
        positions = decoded.positions if decoded.positions is not None else range(len(records))
        told = list(zip(positions, decoded.events, strict=True))
        admitted = {
            position
            for position, event in sorted((*decoded.controls, *told), key=itemgetter(0))
            if self._unnamed.admits(log, event.model, records[position].offset)
        }
        times = np.fromiter((r.timestamp for r in records), np.int64, len(records))
        marks = {name: one.broker_marks(log, times) for name, one in self._models.items()}
        for position, event in (*decoded.controls, *told):
            ends = isinstance(event, ModelEvent) and event.type == "end_of_stream"
            if ends and position in admitted:
                self._end(log, event.model, marks, position)
        for position, event in told:
            record, owner = records[position], self._models.get(event.model)
            if owner is None or position not in admitted:
                self._stray(log, record, Refusal(position, "unknown_model", "no such model"))
                continue
            one, seen = (
                as_forwarded(event, owner.counting, times[position:][:1]),
                marks[event.model],
            )
            if isinstance(one, Refusal):
                self._stray(log, record, one)
                continue
            mark = None if seen is None else int(seen[position])
            owner.forward(log, record.offset, max(one.time, mark or one.time), one.value)
        for model in self._models.values():
            model.done(log, records[-1].offset + 1)
        tally = self._strays[log]
        fresh = [record for record in records if record.offset >= self._spoken[log]]
        tally.tombstone += (empty := sum(record.value is None for record in fresh))
        control = [p for p, _ in decoded.controls if records[p].offset >= self._spoken[log]]
        tally.control += len(control)
        tally.read += empty + len(control)

    def _end(
        self, log: InputLog, name: str, marks: Mapping[str, Ints | None], position: int
    ) -> None:
        """A model's stream ends in this log: the watermark `marks` after `position` say so."""
        self._models[name].end(log)
        seen = marks[name]
        if seen is not None:
            seen[position + 1 :] = DUSK

    # -- what lies elsewhere -----------------------------------------------------------------------

    def recall(self, wanted: Wanted, found: Found | None) -> None:
        """Hand over what `steps` has asked for; None: the store does not answer."""
        self._models[wanted.model].pending.recall(wanted, found)

    def leaving(self) -> list[Leaving]:
        """What is to be stored elsewhere, model by model; ask before a flush, and say what came."""
        told = (model.pending.leaving() for model in self._models.values())
        return [leaving for leaving in told if leaving is not None]

    def left(self, leaving: Leaving, known: int | None) -> None:
        """It is stored durably (`known`: the last turn before), or None: it could not be."""
        self._models[leaving.model].pending.left(leaving, known)

    # -- dead letters ------------------------------------------------------------------------------

    def _stray(self, log: InputLog, record: LogRecord, refusal: Refusal) -> None:
        """A record that belongs to no model."""
        if record.offset >= self._spoken[log]:
            self._strays[log].read += 1
            self._strays[log].dead_lettered += 1
            if not self._postbag.keeps(record.offset):
                self._strays[log].left_out += 1
                return
            self._postbag.add(log, record, refusal.code, refusal.message)

    # -- writing -----------------------------------------------------------------------------------

    def flush(self) -> list[Output]:
        """What has changed since the last flush; nothing while records are re-read."""
        if self.rebuilding:
            return []
        out = self._postbag.take()
        # Whom nobody has met comes last: then whoever was met has said so.
        for name, model in sorted(self._models.items(), key=lambda one: one[0] == UNNAMED):
            key = (UNNAMED if name in self._unnamed else name).encode()
            out += [
                Output(topic="journal", key=key, value=encode(record)) for record in model.flush()
            ]
        return out

    def snapshot(self) -> bytes | None:
        """State and the offsets it includes, after a flush; None while records are re-read."""
        if self.rebuilding:
            return None
        return msgspec.msgpack.encode(
            State(
                format=FORMAT,
                partition=self.partition,
                partitions=self.partitions,
                spoken=self._spoken,
                strays=self._strays,
                models=[model.save() for model in self._models.values()],
                unnamed=self._unnamed.save(),
            )
        )

    @classmethod
    def restore(
        cls,
        counting: Mapping[str, Counting],
        snapshot: bytes,
        *,
        partition: int,
        partitions: int,
        grids: Mapping[str, Grid],
    ) -> "Profiler":
        """The profiler as it was; SnapshotError if the bytes are not a snapshot of this one."""
        saved = read(snapshot, partition, partitions)
        self = cls(counting, partition=partition, partitions=partitions, grids=grids)
        self._spoken, self._strays = dict(saved.spoken), dict(saved.strays)
        try:
            self._load(saved)
        except DAMAGE as error:
            raise SnapshotError("the snapshot does not hold together") from error
        return self

    def _load(self, saved: State) -> None:
        """Take the models of a snapshot up."""
        models, unnamed = epochs.going_on(saved.models, saved.unnamed, self._counting)
        self._unnamed.load(unnamed, saved.spoken)
        for one in models:
            model = self._models.get(one.model)
            if model is None:
                raise SnapshotError(f"the snapshot holds model {one.model}, the config does not")
            grid = model.grid.id if model.grid else ""
            if one.grid == grid:
                model.load(one)
            elif one.grid:
                raise SnapshotError(f"model {one.model} was counted on another grid")
