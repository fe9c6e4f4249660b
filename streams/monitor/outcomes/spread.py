"""Spread: how far the parts of a segmentation lie apart in the leading metric.

Signal `metric:spread:NAME` of a segmentation: accuracy (MAE of numbers) of the best part less that
of the worst, among those with enough rows, now and in the reference; the cells say each part's.

Promises: readings only: that the parts of a segmentation have moved apart is judged where it is
asked for, by `fairness`. The largest of many noisy differences is never 0, so the interval of the
difference holds for all pairs together (Bonferroni) and reaches 0 where nothing is proven.
Leaves to others: the windows (`windows`), the metrics (`blocks`).
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from scipy import special

from detectors.metrics.interval import Interval
from schemas.finding import Cell, Finding, Measured
from schemas.grid import OTHER, WHOLE, Layout
from schemas.journal import Counts
from schemas.judging import Judging
from streams.monitor.outcomes.blocks import Blocks
from streams.monitor.outcomes.normal import Normal
from streams.monitor.outcomes.telling import Teller
from streams.monitor.outcomes.windows import Windows
from streams.monitor.watch import Closing

MIN_ROWS: Final = 100
"""Outcomes that a part needs, so that its metric's error is that of large samples."""

LEVEL: Final = 0.05
"""Of all intervals here: 95 % confidence."""


class Spread:
    """The segmentations of one model."""

    def __init__(self, judging: Judging, layout: Layout, blocks: Blocks) -> None:
        """`layout` says which parts there are; what is `other` is no part."""
        self._model, self._pane, self._blocks = judging.model, judging.pane, blocks
        self._parts = {
            one.name: [label for label in one.labels() if label != f"{one.name}={OTHER}"]
            for one in layout.grid.segments
        }

    def close(self, closing: Closing, normal: Normal, arrived: Windows) -> list[Finding]:
        """A reading a segmentation of every version whose labels came in this pane."""
        found: list[Finding] = []
        for version in sorted({part.version for part in closing.outcomes}):
            for name, labels in self._parts.items():
                found += self._told(version, name, labels, closing, normal, arrived)
        return found

    def _told(
        self,
        version: str,
        name: str,
        labels: list[str],
        closing: Closing,
        normal: Normal,
        arrived: Windows,
    ) -> Iterator[Finding]:
        now: dict[str, Interval] = {}
        was: dict[str, Interval] = {}
        first = closing.pane
        for label in labels:
            if (version, label) not in arrived:
                continue
            window = arrived.sum((version, label))
            seen = self._leading(window.counts, normal.dispersion)
            if seen is None or seen.rows < MIN_ROWS:
                continue
            now[label], first = seen, min(first, window.first)
            counts = normal.counts(label)
            before = None if counts is None else self._leading(counts, normal.dispersion)
            if before is not None and before.rows >= MIN_ROWS:
                was[label] = before
        if len(now) < 2:  # noqa: PLR2004 - two parts can be apart
            return
        teller = Teller(
            model=self._model,
            version=version,
            segment=WHOLE,
            span=(first * self._pane, closing.span[1]),
            reference_id=normal.reference_id,
            reference_rows=normal.rows,
        )
        apart = spread(now)
        good = spread(was) if was.keys() == now.keys() else None
        reading = teller.tell(
            f"metric:spread:{name}",
            "segments",
            statistic=apart.value,
            threshold=None if good is None else good.value,
            rows=apart.rows,
            effect=Measured(
                current=apart.value,
                baseline=None if good is None else good.value,
                low=apart.low,
                high=apart.high,
            ),
        )
        cells = tuple(
            Cell(name=label, reference=was[label].value if label in was else 0.0, current=one.value)
            for label, one in now.items()
        )
        yield msgspec.structs.replace(reading, cells=cells, dispersion=normal.dispersion)

    def _leading(self, counts: Counts, dispersion: float) -> Interval | None:
        found = self._blocks.leading(counts, dispersion)
        return next(iter(found.values()), None)


def spread(parts: Mapping[str, Interval]) -> Interval:
    """The largest difference of two parts (two at least), and an interval that is good for all."""
    ranked = sorted(parts.values(), key=lambda one: one.value)
    worst, best = ranked[0], ranked[-1]
    pairs = len(parts) * (len(parts) - 1) / 2
    reach = float(special.ndtri(1 - LEVEL / (2 * pairs)))
    # The best one's own error is too small, because it is the best by chance, too.
    half = reach * 2**0.5 * max(worst.error, best.error)
    value = best.value - worst.value
    return Interval(value, max(0.0, value - half), value + half, sum(p.rows for p in ranked))
