"""The monitor: one journal partition in; readings, drift events, alerts and requests out.

Promises: outputs are a function of the journal alone; each has an id that is the same each time,
and alerts carry the journal offset as `sequence`.
Leaves to others: fetching, appending, storing (`streams/runtime`); one model (`model`).
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from schemas import baseline as baselines
from schemas.baseline import Baseline
from schemas.config_model import ModelConfig
from schemas.counting import nobody
from schemas.epoch import decode as decode_epoch
from schemas.epoch import is_epoch
from schemas.journal import Forwarded, Progress, decode, epoch_of
from schemas.judging import Judging
from schemas.lamp import Lamp
from schemas.log import LogRecord, Millis, Output
from schemas.vocabulary import UNNAMED
from streams.monitor.model import ModelMonitor, SavedModel
from streams.monitor.saying import say
from streams.monitor.unnamed import SavedUnnamed, Unnamed
from streams.snapshot import DAMAGE, SnapshotError, SupersededError, anew, now_named, ranked

FORMAT: Final = 5
"""Version of the snapshot; a worker refuses one from a later version."""

JOURNAL: Final = "journal"


class _Saved(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    position: int
    models: list[SavedModel]
    unnamed: SavedUnnamed | None = None


class JournalError(SnapshotError):
    """The journal, which is ours alone, holds what cannot be read: the monitor stops there.

    To skip the record would change what is said for ever, without anybody being told.
    """


class Monitor:
    """Judges every model of one journal partition."""

    def __init__(
        self,
        models: Mapping[str, tuple[Judging, ModelConfig]],
        *,
        baselines: Mapping[str, Baseline],
        source: str = "windage",
    ) -> None:
        """Models without an entry in `baselines` learn first. `source` names this installation.

        That of `UNNAMED` says how those are judged that are not in `models`.
        """
        self._baselines = dict(baselines)
        self._others = models.get(UNNAMED)
        self._unnamed = Unnamed()
        self._models = {name: self._made(name, *models[name]) for name in models}
        self._source = source
        self._position = 0
        self._out: list[Output] = []

    def _made(self, name: str, judging: Judging, config: ModelConfig) -> ModelMonitor:
        """A model that nothing was heard of."""
        if name == UNNAMED:  # it stands for nobody: whose records are refused is all it has
            nothing = Baseline(model=UNNAMED, grid=nobody(judging.epoch), source="none")
            unlabelled = msgspec.structs.replace(judging, labelled=False)
            return ModelMonitor(unlabelled, config, nothing, config.pane)
        return ModelMonitor(judging, config, self._baselines.get(name), config.pane)

    def positions(self) -> dict[str, int]:
        """The journal offset to read next."""
        return {JOURNAL: self._position}

    def paused(self) -> frozenset[str]:
        """Nothing ever waits."""
        return frozenset()

    def order(self) -> tuple[int, ...]:
        """The rank of this state among snapshots: epochs, then how far it has read."""
        named = [one for name, one in self._models.items() if name not in self._unnamed]
        return (ranked(sum(one.epoch for one in named), self._position),)

    def lamps(self) -> list[Lamp]:
        """How each model stands that was ever judged in this journal partition."""
        lamps = [one.lamp() for one in self._models.values()]
        return [one for one in lamps if one.until is not None]

    def tick(self, _log: str, _now: Millis) -> None:
        """Time comes through the journal only."""

    def adopt(self, reference: bytes) -> None:
        """Take a baseline of the `references` topic for a model that has none.

        SupersededError: a model has begun a new epoch, without us.
        """
        if is_epoch(reference):
            epoch = decode_epoch(reference)
            self._keep_up(epoch.model, epoch.number)
            return
        baseline = baselines.decode(reference)
        model = self._models.get(baseline.model)
        if model is None and self._others and baseline.grid.epoch == self._others[0].epoch:
            self._baselines[baseline.model] = baseline
        if model is not None and baseline.grid.epoch == model.epoch:
            model.adopt(baseline)

    def _keep_up(self, name: str, epoch: int) -> None:
        """SupersededError if a model is in a later epoch than here."""
        model = self._models.get(name)
        if model is not None and epoch > model.epoch:
            raise SupersededError(anew(name, epoch, model.epoch))

    def step(self, _log: str, records: Sequence[LogRecord]) -> None:
        """Read journal records in offset order; what was read already is skipped."""
        for record in records:
            if record.offset < self._position:
                continue
            if record.value is not None:
                self._one(record.value, record.offset)
            self._position = record.offset + 1  # a record that stops us was not read

    def _one(self, value: bytes, offset: int) -> None:
        try:
            entry = decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise JournalError(
                f"the journal record at offset {offset} ({len(value)} bytes) is none of ours:"
                f" {error}. If a newer Windage wrote it, start the monitor in that version"
                " (monitors are upgraded before profilers); else remove whoever wrote it, and reset"
                " the monitor to an offset behind the record"
            ) from error
        name, epoch = entry.model, epoch_of(entry)
        if name not in self._models:
            self._let_in(name, epoch, offset)
        model = self._models.get(name)
        self._keep_up(name, epoch)
        if model is None or (epoch < model.epoch and not isinstance(entry, Forwarded)):
            return
        if name in self._unnamed:
            self._unnamed.note(entry)
        if not isinstance(entry, Progress):
            model.admit(entry)
            return
        self._hear(model, entry, offset)
        if name == UNNAMED:
            self._unnamed.hear(entry)
            for other in self._unnamed.everyone():
                self._hear_of(other, offset)

    def _let_in(self, name: str, epoch: int, offset: int) -> None:
        """A model that is not named is judged from now on, if any is, and this epoch is."""
        if self._others is None or epoch < self._others[0].epoch:
            return
        judging, config = self._others
        self._models[name] = self._made(name, msgspec.structs.replace(judging, model=name), config)
        self._unnamed.enter(name)
        self._hear_of(name, offset)

    def _hear_of(self, name: str, offset: int) -> None:
        """Tell a model that is not named how far the partitions are that have not met it."""
        model = self._models[name]
        for said in self._unnamed.of(name, model.grid):
            self._hear(model, said, offset)

    def _hear(self, model: ModelMonitor, progress: Progress, offset: int) -> None:
        """A partition is so far with a model."""
        for closed in model.hear(progress, offset):
            self._out += say(closed, self._source, model.end_of(closed.pane), model.epoch)
        if model.announced is not None:
            key, value = baselines.key(model.announced), baselines.encode(model.announced)
            self._out.append(Output(topic="references", key=key, value=value))
            model.announced = None
        name = progress.model
        if name in self._unnamed and self._unnamed.is_new(name, model.grid):
            self._hear_of(name, offset)  # of this grid nothing has been heard

    def flush(self) -> list[Output]:
        """What was said since the last flush."""
        out, self._out = self._out, []
        return out

    def snapshot(self) -> bytes:
        """State and journal position, after a flush."""
        return msgspec.msgpack.encode(
            _Saved(
                format=FORMAT,
                position=self._position,
                models=[model.save() for model in self._models.values()],
                unnamed=self._unnamed.save(self._others[0].epoch) if self._others else None,
            )
        )

    def load(self, snapshot: bytes) -> None:
        """Take a snapshot up; SnapshotError if it cannot be used."""
        try:
            saved = msgspec.msgpack.decode(snapshot, type=_Saved)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SnapshotError("the snapshot cannot be read") from error
        if saved.format > FORMAT:
            raise SnapshotError(f"the snapshot is of format {saved.format}, newer than {FORMAT}")
        if saved.unnamed is not None:
            self._unnamed.load(saved.unnamed, self._others[0].epoch if self._others else 0)
            for name in self._unnamed.everyone():
                self._come_back(name)
        for one in saved.models:
            model = self._models.get(one.model)
            if model is None:
                raise SnapshotError(f"the snapshot holds model {one.model}, the config does not")
            self._keep_up(one.model, one.epoch)
            try:
                if one.epoch == model.epoch:
                    model.load(one)
                else:
                    closed, until = model.renew(one, saved.position)
                    self._out += say(closed, self._source, until, model.epoch)
            except DAMAGE as error:
                raise SnapshotError("the snapshot does not hold together") from error
        self._position = saved.position

    def _come_back(self, name: str) -> None:
        """A model of a snapshot that was not named; SnapshotError if it is now, or nobody may."""
        if self._others is None or name in self._models:
            raise SnapshotError(now_named(name, named=name in self._models))
        judging, config = self._others
        self._models[name] = self._made(name, msgspec.structs.replace(judging, model=name), config)
