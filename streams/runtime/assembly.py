"""From a config to a runtime of one process: embedded or replay, with the machines of the config.

Promises: what was learned is known before a machine is restored, so a snapshot counted on a
learned grid can be used; input is kept for as long as the config needs it.
Leaves to others: reading configs and reference files (commands), running.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from schemas import baseline as baselines
from schemas.baseline import Baseline
from schemas.config import Config
from schemas.epoch import is_epoch
from schemas.log import INPUT_LOGS, Millis
from schemas.vocabulary import UNNAMED
from streams.runtime.crank import JOURNAL
from streams.runtime.embedded import Embedded
from streams.runtime.epochs import known as known_of
from streams.runtime.machine import Machine
from streams.runtime.replay import Replay
from streams.runtime.roles import MonitorRole, ProfilerRole
from streams.runtime.sqlite_log import SqliteLog
from streams.stores import Store, open_store

_DAY: Final[Millis] = 86_400_000
_EVIDENCE: Final[Millis] = 7 * _DAY
"""Input is kept so long at least, so that events can be shown with their raw rows."""


class Profilers:
    """The profilers of a config, remade whenever more references are known."""

    name = "profiler"
    inputs: tuple[str, ...] = INPUT_LOGS

    def __init__(
        self,
        config: Config,
        known: Mapping[str, Baseline],
        store: Store | None = None,
        source: str = "",
    ) -> None:
        """`known`: references made of files, by model. `store` and `source` as `ProfilerRole`."""
        self._config = config
        self._files = dict(known)
        self._store, self._source = store, source
        self.know(())

    def know(self, references: Sequence[bytes]) -> None:
        """Make machines that know these records of `references`, besides those of files."""
        told = known_of(references, self._files, self._config.models)
        self._role = ProfilerRole(
            self._config, told.baselines, self._store, self._source, told.epochs
        )

    def fresh(self, partition: int, partitions: int) -> Machine:
        """A profiler that has read nothing."""
        return self._role.fresh(partition, partitions)

    def restored(self, partition: int, partitions: int, snapshot: bytes) -> Machine:
        """The profiler of a snapshot; SnapshotError with the reason if it cannot be."""
        return self._role.restored(partition, partitions, snapshot)


class Monitors:
    """The monitors of a config, remade whenever an epoch begins."""

    name = "monitor"
    inputs: tuple[str, ...] = (JOURNAL,)

    def __init__(self, config: Config, known: Mapping[str, Baseline]) -> None:
        """`known`: references made of files, by model."""
        self._config, self._files = config, dict(known)
        self.know(())

    def know(self, references: Sequence[bytes]) -> None:
        """Make monitors of the epochs in these records; what was learned they are handed later."""
        told = known_of(filter(is_epoch, references), self._files, self._config.models)
        self._role = MonitorRole(self._config, told.baselines, told.epochs)

    def fresh(self, partition: int, partitions: int) -> Machine:
        """A monitor that has read nothing."""
        return self._role.fresh(partition, partitions)

    def restored(self, partition: int, partitions: int, snapshot: bytes) -> Machine:
        """The monitor of a snapshot; SnapshotError with the reason if it cannot be."""
        return self._role.restored(partition, partitions, snapshot)


def open_embedded(
    config: Config, known: Mapping[str, Baseline], directory: Path, *, partitions: int = 1
) -> Embedded:
    """The embedded runtime of a config, not started; `known`: references of files, by model.

    LogError, SnapshotError: the directory cannot be used, and why.
    """
    store, source = open_store(config), ""
    if store is not None:
        with closing(SqliteLog(directory, partitions)) as log:
            source = log.identity
    return Embedded(
        Profilers(config, known, store, source),
        Monitors(config, known),
        directory,
        partitions=partitions,
        references=[baselines.encode(one) for one in known.values()],
        models=[name for name in config.models if name not in known and name != UNNAMED],
        hashes=config.hashes(),
        keep=kept_for(config),
    )


def open_replay(config: Config, known: Mapping[str, Baseline], **options: Any) -> Replay:  # noqa: ANN401
    """A replay of a config; `options` are those of `Replay`."""
    return Replay(
        Profilers(config, known),
        MonitorRole(config, known),
        references=[baselines.encode(one) for one in known.values()],
        **options,
    )


def tasks(config: Config) -> dict[str, str]:
    """The task of each model."""
    return {name: model.task for name, model in config.models.items()}


def kept_for(config: Config) -> Millis:
    """How long input must be kept: until no label can come, and a day for a stop in between."""
    spans = [model.labels.horizon + model.lateness for model in config.models.values()]
    return max([_EVIDENCE, *(span + _DAY for span in spans)])
