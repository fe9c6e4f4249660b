"""Summaries: what people read of a model's features, scores and speed, beside what is judged.

Every thirty panes of a version: mean, spread, extremes and deciles of each number, the share of
rows outside the reference's range, quantiles of latency, the share of failed predictions. At each
pane: the share of features that drift, where any does, and rows a second.

Promises: readings only (role context): they page nobody and spend no budget; bounded by
`MAX_VERSIONS`; sums of counts, so that no order of rows changes them.
Leaves to others: judging any of it.
"""

from typing import Final

import msgspec
import numpy as np

from detectors.grid import NumericGrid
from detectors.quantiles import extremes, quantiles
from schemas.finding import Finding, Measured
from schemas.grid import WHOLE
from schemas.journal import Counts, Sparse
from schemas.log import Millis
from schemas.output_parts import Summary
from streams.monitor.declared.operations import rows_of
from streams.monitor.watch import Closing, Setting

SUMMARY_PANES: Final = 30
MAX_VERSIONS: Final = 16

DECILES: Final = tuple(range(10, 100, 10))


class Held(msgspec.Struct, array_like=True):
    """What has been counted of a version since its last summary: begin, panes with rows, cells."""

    since: Millis
    panes: int
    cells: Counts


class Summaries:
    """The summaries of one model, over all its rows."""

    def __init__(self, setting: Setting) -> None:
        """Nothing is counted yet."""
        self._model, self._layout = setting.judging.model, setting.layout
        self._held: dict[str, Held] = {}

    def close(self, closing: Closing) -> list[Finding]:
        """Count a pane; a summary of each version that has enough of them."""
        found: list[Finding] = []
        for part in closing.predictions:
            if part.segment != WHOLE:
                continue
            held = self._held.get(part.version)
            if held is None:
                if len(self._held) >= MAX_VERSIONS:
                    del self._held[next(iter(self._held))]
                held = Held(closing.span[0], 0, np.zeros_like(part.vector))
                self._held[part.version] = held
            held.cells = held.cells + part.vector
            if part.late:
                continue
            held.panes += 1
            found += self._at_once(part.version, part.vector, closing)
            if held.panes >= SUMMARY_PANES:
                found += self._summary(part.version, held, closing)
                del self._held[part.version]
        return found

    def _at_once(self, version: str, vector: Counts, closing: Closing) -> list[Finding]:
        """How many features drift, and the throughput."""
        features = [
            one
            for one in closing.findings
            if one.version == version
            and one.segment == WHOLE
            and one.signal.startswith("feature:")
            and one.detector == "shiryaev_roberts"
            and one.state == "judged"
        ]
        span = closing.span
        rows = rows_of(self._layout, vector)
        seconds = (span[1] - span[0]) / 1000
        out = [self._tell(version, span, "volume", "rate", rows, rows / seconds)]
        moved = sum(one.alarm or one.joins for one in features)
        if moved:
            share = moved / len(features)
            out.append(self._tell(version, span, "features", "drifted_share", rows, share))
        return out

    def _summary(self, version: str, held: Held, closing: Closing) -> list[Finding]:
        layout, cells = self._layout, held.cells
        span, rows = (held.since, closing.span[1]), rows_of(layout, cells)
        out = []
        for name, moments in layout.moments.items():
            grid = layout.features[name]
            assert isinstance(grid, NumericGrid)
            seen = moments.read(self._cells(cells, f"moments:{name}"))
            summary = _of(grid, self._cells(cells, f"feature:{name}"), seen.mean, seen.sd)
            effect = Measured(current=seen.mean, baseline=moments.center)
            out.append(
                self._tell(
                    version, span, f"feature:{name}", "summary", rows, seen.mean, summary, effect
                )
            )
        for name, target in (("score", layout.score), ("prediction", layout.target)):
            if isinstance(target, NumericGrid):
                summary = _of(target, self._cells(cells, name))
                median = summary.deciles[4] if summary.deciles else None
                out.append(self._tell(version, span, name, "summary", rows, median, summary))
        return out + self._operations(version, cells, span, rows)

    def _operations(
        self, version: str, cells: Counts, span: tuple[Millis, Millis], rows: int
    ) -> list[Finding]:
        """Latency and failures; nothing of a latency that nobody sends."""
        out = []
        timed = self._cells(cells, "latency")
        latency = self._layout.latency.read(timed)
        if latency.rows:
            cumulated = np.cumsum(timed)
            ranks = [-(-latency.rows * percent // 100) for percent in DECILES]
            values = self._layout.latency.values[np.searchsorted(cumulated, ranks)]
            summary = Summary(
                deciles=tuple(values.tolist()), p95=latency.p95_ms, p99=latency.p99_ms
            )
            name, median = "latency_ms", latency.p50_ms
            out.append(self._tell(version, span, name, "summary", latency.rows, median, summary))
        if rows:
            failed = int(self._cells(cells, "failed")[0]) / rows
            out.append(self._tell(version, span, "failed", "summary", rows, failed))
        return out

    def _cells(self, vector: Counts, block: str) -> Counts:
        return vector[self._layout.predictions[block].span]

    def _tell(
        self,
        version: str,
        span: tuple[Millis, Millis],
        signal: str,
        detector: str,
        rows: int,
        statistic: float | None,
        summary: Summary | msgspec.UnsetType = msgspec.UNSET,
        effect: Measured | None = None,
    ) -> Finding:
        return Finding(
            model=self._model,
            version=version,
            segment=WHOLE,
            signal=signal,
            detector=detector,
            state="judged",
            alarm=False,
            joins=False,
            inside=True,
            symptom="shift",
            statistic=statistic,
            threshold=None,
            effect=effect or Measured(current=statistic),
            window_start=span[0],
            window_end=span[1],
            rows=rows,
            reference_id="",
            reference_rows=0,
            role="context",
            summary=summary,
        )

    def save(self) -> bytes:
        """The state, for a snapshot."""
        saved = [
            (version, one.since, one.panes, Sparse.pack(one.cells))
            for version, one in self._held.items()
        ]
        return msgspec.msgpack.encode(saved)

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""
        width = self._layout.width("predictions")
        found = msgspec.msgpack.decode(saved, type=list[tuple[str, Millis, int, Sparse]])
        self._held = {
            version: Held(since, panes, cells.full(width)) for version, since, panes, cells in found
        }


def _of(
    grid: NumericGrid, cells: Counts, mean: float | None = None, sd: float | None = None
) -> Summary:
    """The summary of a number's cells (width,)."""
    rows = int(cells.sum())
    if not rows:
        return Summary()
    low, high = extremes(grid, cells)
    return Summary(
        mean=mean,
        sd=sd,
        min=low,
        max=high,
        deciles=quantiles(grid, cells, DECILES),
        outside=int(cells[0] + cells[-2]) / rows,
        missing=int(cells[-1]) / rows,
    )
