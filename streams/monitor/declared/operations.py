"""Operations: figures that are counted with the predictions themselves, as a monitor may watch.

`latency_ms_p50`, `_p95`, `_p99`, `error_ratio` (failed predictions) and `throughput` (rows a
second), one value a pane over all versions, each only where the config declares a monitor of it:

    monitors: [{watch: "metric:latency_ms_p95", detector: control_chart}]

Promises: a function of the counts on time; they become figures like those that are sent.
Leaves to others: judging them (`monitors`), readings without a monitor (`watches.summaries`).
"""

from collections.abc import Iterable
from typing import Final

import numpy as np

from schemas.grid import WHOLE, Layout
from schemas.inputs import Metric
from schemas.journal import Counts
from schemas.log import Millis
from streams.monitor.declared.declaration import watched
from streams.monitor.watch import Part, Setting
from streams.policy.rules import matches

NAMES: Final = ("latency_ms_p50", "latency_ms_p95", "latency_ms_p99", "error_ratio", "throughput")


class Operations:
    """The figures of one model."""

    def __init__(self, setting: Setting) -> None:
        """Only those that a declared monitor names."""
        self._model, self._layout = setting.judging.model, setting.layout
        patterns = [one.watch for one in watched(setting.config)]
        self._wanted = [
            name
            for name in NAMES
            if any(matches(pattern, f"metric:{name}") for pattern in patterns)
        ]

    def figures(self, parts: Iterable[Part], span: tuple[Millis, Millis]) -> list[Metric]:
        """The figures of a pane [begin, end), by name; none of what has no rows."""
        own = [one.vector for one in parts if one.segment == WHOLE and not one.late]
        if not self._wanted or not own:
            return []
        layout = self._layout
        cells = np.sum(own, axis=0)
        rows = rows_of(layout, cells)
        latency = layout.latency.read(cells[layout.predictions["latency"].span])
        failed = int(cells[layout.predictions["failed"].span][0])
        values = {
            "latency_ms_p50": latency.p50_ms,
            "latency_ms_p95": latency.p95_ms,
            "latency_ms_p99": latency.p99_ms,
            "error_ratio": failed / rows if rows else None,
            "throughput": rows / ((span[1] - span[0]) / 1000),
        }
        return [
            Metric(
                model=self._model,
                name=name,
                value=value,
                timestamp=span[1] - 1,
                kind="operational",
                direction="higher_is_better" if name == "throughput" else "lower_is_better",
            )
            for name in self._wanted
            for value in [values[name]]
            if value is not None
        ]


def rows_of(layout: Layout, vector: Counts) -> int:
    """Rows of a predictions' vector: every row has one cell of each signal."""
    for name, block in layout.predictions.items():
        if name.startswith("feature:") or name in ("score", "prediction"):
            return int(vector[block.span].sum())
    return 0
