"""Whom a partition has not met: how far a model that is not named is where nobody has seen it.

Each partition says how far it is for all models that it has not met (a `Progress` of `UNNAMED`).
That is a fact about the front of its log, so it stays true of a model until the partition speaks
of that model itself; from then on only what it says of the model counts.

Promises: a function of the journal.
Leaves to others: what progress closes (`model`), who is let in (profiler).
"""

from collections.abc import Iterator

import msgspec

from schemas.journal import JournalRecord, Progress
from streams.monitor.intake import further


class SavedUnnamed(msgspec.Struct, frozen=True, kw_only=True):
    """The state, in a snapshot."""

    heard: list[Progress]
    met: dict[str, list[int]]
    epoch: int = 0


class Unnamed:
    """What the partitions have said of models they have not met."""

    def __init__(self) -> None:
        """Nothing was heard, nobody met."""
        self._heard: dict[int, Progress] = {}
        self._met: dict[str, set[int]] = {}
        self._told: dict[str, tuple[int, str]] = {}
        """The grid on which each model was told of them."""

    def __contains__(self, name: object) -> bool:
        """Whether a model was let in."""
        return name in self._met

    def enter(self, name: str) -> None:
        """A model was let in; no partition has spoken of it yet."""
        self._met[name] = set()

    def note(self, record: JournalRecord) -> None:
        """A partition speaks of a model that was let in."""
        if isinstance(record, Progress):
            self._met[record.model].add(record.partition)

    def hear(self, progress: Progress) -> None:
        """A partition says how far it is for those it has not met."""
        old = self._heard.get(progress.partition)
        self._heard[progress.partition] = progress if old is None else further(old, progress)

    def is_new(self, name: str, grid: tuple[int, str]) -> bool:
        """Whether a model has another grid than it was told on; it is asked once."""
        told, self._told[name] = self._told.get(name), grid
        return told != grid

    def everyone(self) -> list[str]:
        """All models that were let in, in the order of their names."""
        return sorted(self._met)

    def of(self, name: str, grid: tuple[int, str]) -> Iterator[Progress]:
        """What is known of a model from partitions that have not met it; on its `grid`."""
        for partition, said in sorted(self._heard.items()):
            if partition not in self._met[name]:
                yield msgspec.structs.replace(said, model=name, epoch=grid[0], grid=grid[1])

    def save(self, epoch: int) -> SavedUnnamed:
        """The state in an epoch, for a snapshot."""
        return SavedUnnamed(
            epoch=epoch,
            heard=[said for _, said in sorted(self._heard.items())],
            met={name: sorted(met) for name, met in sorted(self._met.items())},
        )

    def load(self, saved: SavedUnnamed, epoch: int) -> None:
        """Take a snapshot up; in another `epoch` nothing has been heard of anybody yet."""
        if saved.epoch != epoch:
            self._met = {name: set() for name in saved.met}
            return
        self._heard = {said.partition: said for said in saved.heard}
        self._met = {name: set(met) for name, met in saved.met.items()}
