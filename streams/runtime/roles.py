"""Roles: the two machines as a config describes them, for whichever runtime carries them.

Promises: one place where config becomes machines, so that every runtime runs the same ones.
Leaves to others: reading files and topics, snapshots' storage.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from detectors.river_adapter import PREFIX, RiverDetector, RiverSettings
from schemas.baseline import Baseline
from schemas.config import Config
from schemas.config_error import ConfigError, Problem, show_path
from schemas.config_links import Limits, Redis
from schemas.config_model import ModelConfig
from schemas.counting import Counting
from schemas.epoch import Epoch
from schemas.judging import Judging
from schemas.log import INPUT_LOGS
from streams.profiler import Profiler
from streams.runtime.epochs import number
from streams.stores import Attended, Store

_STRETCH_ROWS: Final = 30
"""Rows that a stretch of the topic must have; with fewer it goes on until they are there."""

if TYPE_CHECKING:
    from streams.monitor import Monitor

_FIRST_ROWS: Final = 5000
"""Rows that build an outcome reference where the grid came from a file."""


def counting(
    name: str,
    model: ModelConfig,
    config: Config,
    source: str | None = None,
    epoch: Epoch | None = None,
) -> Counting:
    """What a profiler needs of a model's config; `source` names the logs, where a store is used.

    `epoch`: the present one, None: the first, which begins with the logs.
    """
    return Counting(
        model=name,
        task=model.task,
        pane=model.pane,
        lateness=model.lateness,
        horizon=model.labels.horizon,
        clock=model.clock,
        labelled=model.labelled,
        timestamps=model.timestamps,
        event_bytes=config.limits.event,
        batch_bytes=config.limits.batch,
        features=config.limits.features,
        depth=config.limits.depth,
        versions=config.limits.versions,
        ahead=config.limits.future,
        letters=config.limits.dead_letters,
        since=model.reference.start if model.reference.from_ == "topic" else 0,
        share=model.labels.sample,
        source=source,
        spare=(config.redis or Redis()).spare,
        learned=_declared(model),
        tags=frozenset(segment.tag for segment in model.segments if segment.tag),
        epoch=number(epoch),
        starts={} if epoch is None else epoch.starts,
        models=config.limits.models,
    )


def _declared(model: ModelConfig) -> dict[str, str] | None:
    """Features that may be learned from, with their types; None: all (`features: auto`)."""
    if isinstance(model.features, str):
        return None
    cuts = {segment.feature: "auto" for segment in model.segments if segment.feature}
    return cuts | {name: feature.type for name, feature in model.features.items()}


def judging(
    name: str,
    model: ModelConfig,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    epoch: Epoch | None = None,
) -> Judging:
    """What a monitor needs of a model's config, besides the policy."""
    first = model.reference if model.reference.from_ == "first" else None
    stretch = model.reference if model.reference.from_ == "topic" else None
    return Judging(
        model=name,
        pane=model.pane,
        labelled=model.labelled,
        tolerance=model.tolerance,
        null=model.null,
        allowed=model.false_alarms.count,
        per=model.false_alarms.per,
        learn_rows=first.rows if first else _STRETCH_ROWS if stretch else _FIRST_ROWS,
        learn_span=first.min_duration if first else 0,
        refused=limits.refused,
        segments=limits.segments,
        category_rows=limits.category_rows,
        learn_from=stretch.start if stretch else 0,
        learn_until=stretch.end if stretch else 0,
        epoch=number(epoch),
        since=0 if epoch is None else epoch.since,
        starts=() if epoch is None else tuple(sorted(epoch.starts.items())),
    )


def _unknown_detectors(config: Config) -> Iterator[Problem]:
    """Detectors of river that it does not have: only river knows, and takes seconds to import."""
    from streams.monitor.declared.declaration import watched  # noqa: PLC0415 - as the monitor

    for name, model in config.models.items():
        for place, one in enumerate(watched(model)):
            if one.detector.startswith(PREFIX):
                try:
                    RiverDetector(RiverSettings(name=one.detector))
                except ValueError as error:
                    path = show_path(("models", name, "monitors", place, "detector"))
                    yield Problem(file="config", path=path, line=0, column=0, reason=str(error))


class ProfilerRole:
    """Makes profilers."""

    name = "profiler"
    inputs: tuple[str, ...] = INPUT_LOGS

    def __init__(
        self,
        config: Config,
        baselines: Mapping[str, Baseline],
        store: Store | None = None,
        source: str = "",
        epochs: Mapping[str, Epoch] = MappingProxyType({}),
    ) -> None:
        """`baselines` of models whose grid is known before the first record, in its `epochs`.

        What waits for labels lies in `store`, None: in memory. `source` names the logs there: two
        that are counted apart must not have the same.
        """
        self._store = store
        hashes = config.hashes()
        self._counting = {}
        for name, model in config.models.items():
            epoch = epochs.get(name)
            apart = f"{source} {hashes[name]}" + (f" {epoch.number}" if epoch else "")
            where = None if store is None else apart
            self._counting[name] = counting(name, model, config, where, epoch)
        self._grids = {name: baseline.grid for name, baseline in baselines.items()}

    def fresh(self, partition: int, partitions: int) -> Profiler | Attended:
        """A profiler that has read nothing."""
        return self._attended(
            Profiler(self._counting, partition=partition, partitions=partitions, grids=self._grids)
        )

    def restored(self, partition: int, partitions: int, snapshot: bytes) -> Profiler | Attended:
        """The profiler of a snapshot; SnapshotError with the reason if it cannot be."""
        return self._attended(
            Profiler.restore(
                self._counting,
                snapshot,
                partition=partition,
                partitions=partitions,
                grids=self._grids,
            )
        )

    def _attended(self, profiler: Profiler) -> Profiler | Attended:
        return profiler if self._store is None else Attended(profiler, self._store)


class MonitorRole:
    """Makes monitors."""

    name = "monitor"
    inputs: tuple[str, ...] = ("journal",)

    def __init__(
        self,
        config: Config,
        baselines: Mapping[str, Baseline],
        epochs: Mapping[str, Epoch] = MappingProxyType({}),
    ) -> None:
        """`baselines` of models whose reference is known before the first record, in `epochs`.

        ConfigError where a monitor is to be judged by a detector that there is not.
        """
        from streams.monitor import Monitor  # noqa: PLC0415 - 40 MB that a profiler never needs

        if problems := tuple(_unknown_detectors(config)):
            raise ConfigError(problems)
        self._monitor = Monitor
        self._models = {
            name: (judging(name, model, config.limits, epochs.get(name)), model)
            for name, model in config.models.items()
        }
        self._baselines = baselines

    def fresh(self, _partition: int, _partitions: int) -> "Monitor":
        """A monitor that has read nothing."""
        return self._monitor(self._models, baselines=self._baselines)

    def restored(self, partition: int, partitions: int, snapshot: bytes) -> "Monitor":
        """The monitor of a snapshot; SnapshotError with the reason if it cannot be."""
        monitor = self.fresh(partition, partitions)
        monitor.load(snapshot)
        return monitor
