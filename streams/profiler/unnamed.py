"""The models that the config does not name, where it lets them in: `models: {"*": ...}`.

A model that is let in counts as if it had been named from the first record on: it takes over how
far the logs are from the counter that stands for whom nobody has met, which reads every record and
counts no row. That one's progress is true of each model that this partition has not met.

Promises: the first `Counting.models` names of a log are let in, and stay, so who is let in is a
function of that log alone; a name counts when its record is read for the first time.
Leaves to others: counting (`model`), routing (`machine`), whose progress it is (monitor).
"""

from collections.abc import Mapping

import msgspec

from schemas.counting import Counting
from schemas.grid import Grid
from schemas.inputs import is_name
from schemas.log import DAWN, INPUT_LOGS, InputLog
from schemas.vocabulary import UNNAMED
from streams.profiler.model import ModelCounter
from streams.profiler.saved import SavedLog, SavedModel, Tally
from streams.snapshot import SnapshotError, now_named

Begun = dict[InputLog, SavedLog]
"""How far each log was when a model was let in: it is read from there, also once it has a grid."""


class SavedUnnamed(msgspec.Struct, frozen=True, kw_only=True):
    """Who was let in, in a snapshot."""

    met: dict[InputLog, list[str]]
    begun: dict[str, Begun]


class Unnamed:
    """Who was let in to one source partition; adds their counters to `models`."""

    def __init__(
        self,
        models: dict[str, ModelCounter],
        grids: Mapping[str, Grid],
        source: tuple[int, int],
    ) -> None:
        """`models` are all counters by name; without one for `UNNAMED` nobody is let in.

        `source` is the partition, and of how many.
        """
        self._models = models
        self._grids = {name: grid for name, grid in grids.items() if name not in models}
        self._source = source
        self._met: dict[InputLog, dict[str, None]] = {log: {} for log in INPUT_LOGS}
        self._begun: dict[str, Begun] = {}
        self._door = models.get(UNNAMED)

    def __contains__(self, name: object) -> bool:
        """Whether a model is here without being named."""
        return name in self._begun

    def admits(self, log: InputLog, name: str, offset: int) -> bool:
        """Whether the record of `log` at an offset counts for this model.

        Of a named model every record does; of others those behind what was read before they came.
        """
        if self._door is None or (name in self._models and name not in self._begun):
            return name in self._models and name != UNNAMED
        met = self._met[log]
        if name in met:
            return True
        seen = offset < self._door.position(log)
        if seen or len(met) >= self._door.counting.models or not is_name(name):
            return False
        met[name] = None
        if name not in self._begun:
            logs = self._door.save().logs
            self._let_in(name, {log: _without_books(one) for log, one in logs.items()})
        return True

    def adopt(self, grid: Grid) -> bool:
        """A grid came: whether its model is none of the named, and is counted on it from now on."""
        named = grid.model in self._models and grid.model not in self._begun
        if self._door is None or named:
            return False
        self._grids.setdefault(grid.model, grid)
        begun = self._begun.get(grid.model)
        if begun is not None and self._models[grid.model].grid is None:
            self._let_in(grid.model, begun)
        return True

    def _let_in(self, name: str, begun: Begun) -> None:
        """Count a model from where it began."""
        assert self._door is not None
        counting = msgspec.structs.replace(self._door.counting, model=name)
        one = counter(counting, self._grids.get(name), self._source)
        one.load(_fresh(name, begun, one))
        self._begun[name], self._models[name] = begun, one

    def save(self) -> SavedUnnamed | None:
        """The state, for a snapshot; None where nobody is let in."""
        if self._door is None:
            return None
        met = {log: list(names) for log, names in self._met.items()}
        return SavedUnnamed(met=met, begun=self._begun)

    def load(self, saved: SavedUnnamed | None, spoken: Mapping[InputLog, int]) -> None:
        """Take a snapshot up; those in it begin where they began, on the grids known by now.

        Where there is none, the config lets models in since now: from what is `spoken` of on.
        """
        if saved is None:
            if self._door is not None:
                fresh = {
                    log: SavedLog(at, at, DAWN, DAWN, [], Tally()) for log, at in spoken.items()
                }
                self._door.load(_fresh(UNNAMED, fresh, self._door))
            return
        for name, begun in saved.begun.items():
            if self._door is None or name in self._models:
                raise SnapshotError(now_named(name, named=name in self._models))
            self._let_in(name, dict(begun))
        self._met = {log: dict.fromkeys(saved.met[log]) for log in INPUT_LOGS}


def counter(counting: Counting, grid: Grid | None, source: tuple[int, int]) -> ModelCounter:
    """One model in the partition `source`: its number, and of how many."""
    return ModelCounter(counting, grid, partition=source[0], partitions=source[1])


def _without_books(one: SavedLog) -> SavedLog:
    """A log of the counter that counts nobody, as one whose model was never met has it."""
    return SavedLog(one.next, one.next, one.largest, one.ticked, [], Tally())


def _fresh(name: str, logs: Begun, counter: ModelCounter) -> SavedModel:
    """A model that has read its logs so far, and met nothing."""
    return SavedModel(
        model=name,
        grid="",
        logs={log: msgspec.structs.replace(one, tally=Tally()) for log, one in logs.items()},
        versions=[],
        forgotten=0,
        profiles=[],
        shelf=counter.pending.save(),
    )
