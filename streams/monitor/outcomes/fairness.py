"""Fairness: gaps between declared groups, against the gaps the reference had.

Signals `fairness:accuracy:NAME`, `fairness:positive_rate:NAME` and `fairness:calibration:NAME`
(observed less promised share of positives) of a segmentation. A pair of groups alarms when its gap
has moved by more than the tolerance. One look a pane has the level 1 / A of a signal whose run
length is A panes: the chance of a false alarm at any pane is at most that, so the budget holds
for overlapping windows too.

Promises: groups with few rows are not compared; no state of its own.
Leaves to others: the windows (`windows`), which groups there are (config).
"""

from collections.abc import Iterator
from itertools import combinations
from math import exp
from typing import Final, NamedTuple

import numpy as np
from scipy import special

from detectors.metrics.interval import wilson
from schemas.finding import Cell, Finding, Measured
from schemas.grid import OTHER, WHOLE, Layout
from schemas.journal import Counts
from streams.monitor.outcomes.blocks import Blocks
from streams.monitor.outcomes.normal import Normal
from streams.monitor.outcomes.windows import Windows
from streams.monitor.watch import Closing, Setting

MIN_ROWS: Final = 200
"""Outcomes that a group needs, now and in the reference: the test is that of large samples."""

METRICS: Final = ("accuracy", "positive_rate", "calibration")


class Value(NamedTuple):
    """A metric of a group, with its standard error."""

    value: float
    error: float


class Gap(NamedTuple):
    """How far the gap of two groups has moved, beyond the tolerance in errors, and its ends."""

    moved: float
    z: float
    now: float
    was: float


def signals(layout: Layout, declared: tuple[str, ...]) -> int:
    """How many signals alarm here."""
    known = {one.name for one in layout.grid.segments}
    return len(METRICS) * len(known & set(declared)) if layout.score is not None else 0


class Fairness:
    """The declared groups of one model."""

    def __init__(self, setting: Setting, blocks: Blocks) -> None:
        """`setting` says which segmentations are groups, and the tolerance."""
        self._setting, self._blocks = setting, blocks
        declared = setting.config.fairness
        self._tolerance = declared.tolerance
        self._groups: dict[str, list[str]] = {
            one.name: [label for label in one.labels() if label != f"{one.name}={OTHER}"]
            for one in setting.layout.grid.segments
            if one.name in declared.segments and blocks.positive is not None
        }

    def close(self, closing: Closing, normal: Normal, arrived: Windows) -> list[Finding]:
        """Compare the groups of every version whose labels came in this pane."""
        found: list[Finding] = []
        if "outcomes" in closing.building:
            return found
        for version in sorted({part.version for part in closing.outcomes}):
            for name, groups in self._groups.items():
                values = dict(self._values(version, groups, normal, arrived))
                for metric in METRICS:
                    found += self._compared(
                        f"fairness:{metric}:{name}", version, metric, values, closing, normal
                    )
        return found

    def _values(
        self, version: str, groups: list[str], normal: Normal, arrived: Windows
    ) -> Iterator[tuple[str, tuple[dict[str, Value], dict[str, Value], int]]]:
        """Of each group that can be compared: its metrics now and in the reference, and rows."""
        for group in groups:
            was = normal.counts(group)
            if was is None or (version, group) not in arrived:
                continue
            now = arrived.sum((version, group)).counts
            rows = self._blocks.rows(now)
            if min(rows, self._blocks.rows(was)) >= MIN_ROWS:
                read = (self._metrics(counts, normal.dispersion) for counts in (now, was))
                yield group, (*read, rows)  # type: ignore[misc]

    def _metrics(self, counts: Counts, dispersion: float) -> dict[str, Value]:
        seen = self._blocks.metrics(counts, dispersion)
        out: dict[str, Value] = {
            name: Value(seen[name].value, max(seen[name].error, 1e-9))
            for name in ("accuracy", "positive_rate")
            if name in seen
        }
        sides = self._blocks.by_score(counts)
        if sides is not None and self._blocks.scores is not None:
            no, yes = sides
            rows, scores = (no + yes)[:-1].astype(float), self._blocks.scores.score[:-1]
            share = wilson(float(yes[:-1].sum()), float(rows.sum()), dispersion)
            if share is not None:
                promised = float(rows @ np.nan_to_num(scores)) / float(rows.sum())
                out["calibration"] = Value(share.value - promised, max(share.error, 1e-9))
        return out

    def _compared(
        self,
        signal: str,
        version: str,
        metric: str,
        values: dict[str, tuple[dict[str, Value], dict[str, Value], int]],
        closing: Closing,
        normal: Normal,
    ) -> Iterator[Finding]:
        """A finding of the pair of groups whose gap has moved most, if there is a pair."""
        pairs = [
            self._gap(metric, values[a][:2], values[b][:2]) for a, b in combinations(values, 2)
        ]
        gaps = [gap for gap in pairs if gap is not None]
        if not gaps:
            return
        worst = max(gaps, key=lambda gap: gap.z)
        p_value = min(1.0, 2 * len(gaps) * float(special.ndtr(-worst.z)))
        alarm = p_value <= exp(-self._setting.threshold)
        yield Finding(
            model=self._setting.judging.model,
            version=version,
            segment=WHOLE,
            signal=signal,
            detector="gap",
            state="judged",
            alarm=alarm,
            joins=alarm,
            inside=worst.z <= 0,
            symptom="shift",
            statistic=abs(worst.now - worst.was),
            threshold=self._tolerance,
            p_value=p_value,
            effect=Measured(size=worst.moved, current=abs(worst.now), baseline=abs(worst.was)),
            cells=tuple(
                Cell(name=group, reference=was[metric].value, current=now[metric].value)
                for group, (now, was, _) in values.items()
                if metric in now and metric in was
            ),
            window_start=closing.span[0],
            window_end=closing.span[1],
            rows=sum(rows for _, _, rows in values.values()),
            reference_id=normal.reference_id,
            reference_rows=normal.rows,
            dispersion=normal.dispersion,
        )

    def _gap(
        self,
        metric: str,
        one: tuple[dict[str, Value], dict[str, Value]],
        other: tuple[dict[str, Value], dict[str, Value]],
    ) -> Gap | None:
        """How far the gap between two groups is from that of the reference."""
        sides = [side.get(metric) for side in (*one, *other)]
        if any(side is None for side in sides):
            return None
        a, a_was, b, b_was = (side for side in sides if side is not None)
        now, was = a.value - b.value, a_was.value - b_was.value
        error = float(np.sqrt(sum(side.error**2 for side in (a, a_was, b, b_was))))
        moved = abs(now - was)
        return Gap(moved, (moved - self._tolerance) / error, now, was)
