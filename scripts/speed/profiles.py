# ruff: noqa: ANN401 - pyarrow publishes no types
"""What grows with features, segments and partitions, and not with events: profiles and restores.

Prints one JSON line for each shape of a model (features of 64 bins, values of one tag): bytes of a
profile, CPU of the monitor for each profile that it adds up, bytes of a profiler's snapshot. The
last line: CPU of counting a record (JSON, ten features) and of reading it again after a restore.
"""

import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import events
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from schemas.baseline import Baseline  # noqa: E402 - found where the checkout is
from schemas.config import Config  # noqa: E402
from schemas.counting import Counting  # noqa: E402
from schemas.grid import WHOLE, Grid, Layout, SegmentGrid, SignalGrid  # noqa: E402
from schemas.journal import Profile, ProfileKey, Sparse, encode  # noqa: E402
from schemas.log import Record  # noqa: E402
from streams.profiler import Profiler  # noqa: E402
from streams.runtime.roles import MonitorRole  # noqa: E402

SHAPES = ((10, 0, 1_000), (10, 3, 1_000), (10, 3, 60_000), (50, 3, 60_000), (100, 10, 20_000))
"""Features, values of the tag, rows in a pane of one partition."""

PARTITIONS, PANES, PANE_MS = 16, 5, 60_000
READ_PREDICTIONS, STEP = 60_000, 2_000


def grid_of(features: int, values: int) -> Grid:
    """A grid of so many numeric features of 64 bins, and one tag."""
    edges, unit = tuple(np.linspace(-3, 3, 65).tolist()), tuple(np.linspace(0, 1, 65).tolist())
    tag = SegmentGrid(name="region", source="tag", values=tuple(f"r{i}" for i in range(values)))
    return Grid(
        model="m",
        task="binary",
        features=tuple(
            SignalGrid(name=f"f{i}", type="numeric", edges=edges) for i in range(features)
        ),
        score=SignalGrid(name="score", type="numeric", edges=unit, center=0.5),
        target=SignalGrid(name="target", type="categorical", categories=("0", "1")),
        positive="1",
        segments=(tag,) if values else (),
    )


def vector_of(layout: Layout, kind: str, rows: int, rng: Any) -> Sparse:
    """Counts of a pane: every block shares `rows` out over its cells at random."""
    blocks = layout.predictions if kind == "predictions" else layout.outcomes
    counts = np.zeros(layout.width(kind), np.int64)
    for block in blocks.values():
        counts[block.span] = rng.multinomial(rows, rng.dirichlet(np.full(block.width, 2.0)))
    return Sparse.pack(counts)


def shape(features: int, values: int, rows: int) -> dict[str, Any]:
    """The figures of one shape of a model."""
    grid, rng = grid_of(features, values), np.random.default_rng(1)
    layout = Layout(grid)
    segments = [WHOLE, *(label for one in grid.segments for label in one.labels())]
    sizes: dict[str, list[int]] = {"predictions": [], "outcomes": []}
    journal: list[Record] = []
    for pane in range(PANES):
        for partition in range(PARTITIONS):
            for segment in segments:
                share = rows if segment == WHOLE else rows // len(segments)
                for kind, told in sizes.items():
                    key = ProfileKey(0, grid.id, kind, "1", segment, pane, pane, partition)  # type: ignore[arg-type]
                    vector = vector_of(layout, kind, share, rng)
                    value = encode(
                        Profile(
                            model="m",
                            key=key,
                            rows=share,
                            vector=vector,
                            offsets=(9, 9),
                            first=(0, 0),
                        )
                    )
                    told.append(len(value))
                    journal.append(Record(offset=len(journal), timestamp=0, value=value))
    model = {
        "task": "binary",
        "pane": f"{PANE_MS}ms",
        "features": {one.name: "numeric" for one in grid.features},
        "segments": ["region"] if values else [],
        "classes": [0, 1],
    }
    config = Config.model_validate({"models": {"m": model}})
    role = MonitorRole(config, {"m": Baseline(model="m", grid=grid, source="bench", normals={})})
    spent = []
    for _ in range(3):
        monitor, began = role.fresh(0, 1), time.thread_time()
        monitor.step("journal", journal)
        spent.append(time.thread_time() - began)
    return {
        "features": features,
        "segment_values": values,
        "rows_per_pane": rows,
        **{f"{kind}_bytes": round(sum(told) / len(told)) for kind, told in sizes.items()},
        "admit_us": round(median(spent) / len(journal) * 1e6, 1),
    }


def rereading() -> dict[str, Any]:
    """CPU of a profiler for a record, first counted, then read again after a restore."""
    from schemas.baseline import decode  # noqa: PLC0415

    grid = decode(events.reference("")).grid
    counting = Counting(
        model=events.MODEL,
        task="binary",
        pane=10_000,
        lateness=5_000,
        horizon=86_400_000,
        clock="broker",
        labelled=True,
    )
    made: dict[str, Any] = {"partition": 0, "partitions": 1, "grids": {events.MODEL: grid}}
    logs: dict[str, list[Record]] = {"predictions": [], "labels": []}
    for chunk in events.chunks(READ_PREDICTIONS):
        at = int(chunk.moment.astype(int))
        for log, values in zip(
            logs.values(), (chunk.predictions_json(), chunk.labels_json()), strict=True
        ):
            first = len(log)
            log += [Record(offset=first + i, timestamp=at, value=v) for i, v in enumerate(values)]
    records = sum(map(len, logs.values()))

    def read(profiler: Profiler) -> float:
        began = time.thread_time()
        for first in range(0, READ_PREDICTIONS, STEP):
            profiler.step("predictions", logs["predictions"][first : first + STEP])
            begin, end = first // events.EVERY, (first + STEP) // events.EVERY
            profiler.step("labels", logs["labels"][begin:end])
        return (time.thread_time() - began) / records * 1e6

    found = []
    for _ in range(3):
        profiler = Profiler({events.MODEL: counting}, **made)
        counted = read(profiler)
        profiler.flush()
        saved = profiler.snapshot()
        assert saved is not None
        again = Profiler.restore({events.MODEL: counting}, saved, **made)
        found.append((counted, read(again)))
        assert not again.rebuilding, "everything was read again"
    return {
        "counted_us": round(median(one for one, _ in found), 2),
        "read_again_us": round(median(one for _, one in found), 2),
        "snapshot_bytes": len(saved),
    }


if __name__ == "__main__":
    for one in SHAPES:
        print(json.dumps(shape(*one)), flush=True)
    print(json.dumps(rereading()))
