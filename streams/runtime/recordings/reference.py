"""Reference from a file: the same counting as of a stream, ended before the stream begins.

Promises: grid and reference depend on the file and the config alone; rows are counted by the
profiler itself, so file and stream cannot differ in a cell.
Leaves to others: publishing it (`windage reference build`, runtimes).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from detectors.components import Standard, components_of
from schemas.baseline import Baseline, Normal
from schemas.config_model import ModelConfig
from schemas.counting import Counting
from schemas.grid import Grid, Layout
from schemas.journal import Counts, Profile, Sparse, decode
from schemas.log import Millis, Record
from streams.learning import Bounds, LearningRows, build_grid
from streams.monitor.collector import Collector
from streams.monitor.joint.stretches import Stretches
from streams.profiler import Profiler
from streams.runtime.recordings.files import FileError
from streams.runtime.recordings.mapping import Columns
from streams.runtime.recordings.recording import Recording
from streams.runtime.recordings.rows import Entries
from streams.runtime.recordings.sample import learning_rows
from streams.signals import (
    outcome_signals,
    prediction_signals,
    read_outcomes,
    read_predictions,
)

_PANES: Final = 100
"""Panes that a file without timestamps is cut into, so that dispersion can be told."""

_ALWAYS: Final[Millis] = 1 << 60
"""A horizon that nothing in a file exceeds."""


def build_reference(
    name: str,
    model: ModelConfig,
    counting: Counting,
    path: Path,
    columns: Columns | None = None,
    bounds: Bounds = Bounds(),  # noqa: B008 - frozen
) -> Baseline:
    """Grid and reference of a file; FileError or ValueError (operator) if it cannot be used."""
    recording = Recording(path, model=name, columns=_spaced(path, name, model, columns))
    if lacking := recording.lacking(model.features):
        raise FileError(f"{path}: no column is the feature {' or '.join(lacking)} of {name}")
    grid = build_grid(name, model, _rows(recording, model), bounds)
    layout = Layout(grid)
    lanes = {
        "predictions": (prediction_signals(layout), read_predictions),
        "outcomes": (outcome_signals(layout), read_outcomes),
    }
    collectors = {kind: Collector(signals) for kind, (signals, _) in lanes.items()}
    outcomes: dict[str, Counts] = {}
    sums = {name: Stretches() for name in layout.together}
    for profile in _profiles(recording, grid, counting):
        if profile.key.kind in collectors:
            vector = profile.vector.full(layout.width(profile.key.kind))
            if profile.key.kind == "outcomes":
                before = outcomes.get(profile.key.segment, 0)
                outcomes[profile.key.segment] = vector + before
            counts = lanes[profile.key.kind][1](layout, vector)
            collectors[profile.key.kind].add(profile.key.segment, profile.key.pane, counts)
        elif profile.key.kind == "products":
            vector = profile.vector.full(layout.width("products"))
            for watched, block in layout.products.items():
                sums[watched].add(profile.key.pane, vector[block.span])
    normals: dict[str, dict[str, Normal]] = {}
    for collector in collectors.values():
        if collector.rows:
            for segment, signals in collector.normals().items():
                normals.setdefault(segment, {}).update(signals)
    return Baseline(
        model=name,
        grid=grid,
        source=path.name,
        normals=normals,
        outcomes={segment: Sparse.pack(vector) for segment, vector in sorted(outcomes.items())},
        joint=_joint(layout, sums) or msgspec.UNSET,
    )


def _joint(layout: Layout, sums: dict[str, Stretches]) -> dict[str, Standard]:
    """What is normal of features that are watched together, where the rows are enough."""
    found = {
        name: components_of(one.sums, layout.together[name].columns) for name, one in sums.items()
    }
    return {name: standard for name, standard in found.items() if standard is not None}


def _spaced(path: Path, name: str, model: ModelConfig, columns: Columns | None) -> Columns | None:
    """Columns that spread rows without timestamps over enough panes."""
    if columns is not None and (columns.every or columns.timestamp):
        return columns
    rows = Recording(path, model=name, columns=columns).rows
    every = max(1, model.pane * _PANES // max(rows, 1))
    return msgspec.structs.replace(columns or Columns(), every=every)


def _rows(recording: Recording, model: ModelConfig) -> LearningRows:
    """All rows of the file as learning columns."""
    chunks = recording.chunks()
    values = (one for chunk in chunks for one in chunk.entries.get("predictions", Entries()).values)
    return learning_rows(values, None if isinstance(model.features, str) else model.features)


def _profiles(recording: Recording, grid: Grid, counting: Counting) -> Iterator[Profile]:
    """What the profiler counts of the file, as one partition that has ended."""
    still = msgspec.structs.replace(counting, clock="event", horizon=_ALWAYS, lateness=0)
    profiler = Profiler({still.model: still}, partition=0, partitions=1, grids={still.model: grid})
    offsets = {"predictions": 0, "labels": 0}
    for chunk in recording.chunks():
        for log, entries in chunk.entries.items():
            if log not in offsets:
                continue
            records = [
                Record(offset=offset, timestamp=time, key=None, value=value)
                for offset, (time, value) in enumerate(
                    zip(entries.times, entries.values, strict=True), start=offsets[log]
                )
            ]
            offsets[log] += len(records)
            profiler.step(log, records)  # type: ignore[arg-type]
    profiler.finish()
    for output in profiler.flush():
        if output.topic == "journal" and isinstance(entry := decode(output.value), Profile):
            yield entry
