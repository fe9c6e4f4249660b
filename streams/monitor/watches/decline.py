"""Decline: accuracy that falls a little every week, which no single window shows.

The rule of the policy, so much a week for so many weeks (.5 % for four), on the slope of 28 equal
stretches of that time: it fires where the slope is surely below zero and as steep as the rule.

Promises: a version is judged once it has served for the whole time; a restarted signal or a new
reference begins anew, so that a fall already told is not told again as a trend.
Leaves to others: the slope (`detectors.trend`), sudden falls (`performance`), what follows.
"""

from math import exp
from typing import Final

import msgspec
import numpy as np

from detectors.trend import slope
from schemas.finding import Finding, Measured
from schemas.grid import WHOLE, Layout
from schemas.log import Millis
from streams.monitor.outcomes.blocks import Blocks
from streams.monitor.watch import Closing, Setting

WEEK: Final[Millis] = 7 * 86_400_000
STRETCHES: Final = 28
LEAST: Final = 8
"""Stretches with labels below which there is no slope to speak of."""
LEVEL: Final = 0.00025
"""Chance of a look at an unchanged slope, at most; the budget may ask for less. It is looked at
once a stretch: in a year of days, less than one alarm in ten."""
MOST_VERSIONS: Final = 16
_LARGEST: Final = 30.0
"""Of the logarithm of a run length; no look is stricter."""

Counted = dict[int, tuple[int, int]]
"""Stretch -> outcomes with a label, and how many of them were right."""

_encoder: Final = msgspec.msgpack.Encoder(order="deterministic")
_decoder: Final = msgspec.msgpack.Decoder(dict[str, list[tuple[int, int, int]]])


def alerting(layout: Layout) -> int:
    """Signals that alarm here: the budget must know of them."""
    return int("confusion" in layout.outcomes)


class Decline:
    """The accuracy of each version over weeks."""

    def __init__(self, setting: Setting) -> None:
        """`setting` gives the rule, the pane and the layout."""
        layout, rule = setting.layout, setting.config.policy.trend
        self._judging, self._reference = setting.judging, setting.baseline.id
        counted = setting.judging.labelled and alerting(layout) > 0
        self._blocks = Blocks(layout) if counted else None
        self._span = rule.weeks * WEEK
        self._stretch = max(setting.judging.pane, self._span // STRETCHES)
        self._per_week = rule.per_week
        # One signal of the budget, at one look in so many panes of its run length.
        level = self._stretch / setting.judging.pane / exp(min(setting.threshold, _LARGEST))
        self._confidence = 1 - 2 * min(LEVEL, level)
        self._versions: dict[str, Counted] = {}

    def close(self, closing: Closing) -> list[Finding]:
        """Count a pane's outcomes; gives a finding of each version that has served long enough."""
        if self._blocks is None:
            return []
        at = closing.span[0] // self._stretch
        for part in closing.outcomes:
            if part.segment == WHOLE and not closing.excepted:
                table = self._blocks.table(self._blocks.compact(part.vector))
                classes = len(self._blocks.classes)
                right, rows = int(np.trace(table[:classes, :classes])), int(table[:, :-1].sum())
                self._add(part.version, at, rows, right)
        found = (self._judge(version, at, closing.span[1]) for version in sorted(self._versions))
        return [one for one in found if one is not None]

    def _add(self, version: str, at: int, rows: int, right: int) -> None:
        counted = self._versions.setdefault(version, {})
        before = counted.get(at, (0, 0))
        counted[at] = before[0] + rows, before[1] + right
        oldest = at - self._span // self._stretch
        self._versions[version] = {n: one for n, one in counted.items() if n >= oldest}
        if len(self._versions) > MOST_VERSIONS:
            latest = {name: max(stretches) for name, stretches in self._versions.items()}
            del self._versions[min(latest, key=lambda name: (latest[name], name))]

    def _judge(self, version: str, at: int, now: Millis) -> Finding | None:
        """The slope over whole stretches; None before there are enough."""
        counted = self._versions[version]
        whole = sorted(n for n, (rows, _) in counted.items() if n < at and rows)
        reach = (self._span // self._stretch) - 1
        if len(whole) < LEAST or at not in counted or whole[-1] - whole[0] < reach:
            return None
        times = np.array(whole, float) * self._stretch / WEEK
        values = np.array([counted[n][1] / counted[n][0] for n in whole])
        found = slope(times, values, self._confidence)
        if found is None:
            return None
        first = found.level - found.per_unit * float(times[-1] - times[0])
        fall = -found.per_unit / first if first > 0 else 0.0
        alarm = found.high < 0 and fall >= self._per_week
        lost = first - found.level
        return Finding(
            model=self._judging.model,
            version=version,
            segment=WHOLE,
            signal="metric:accuracy",
            detector="trend",
            state="judged",
            alarm=alarm,
            joins=alarm,
            inside=not alarm,
            symptom="fall",
            statistic=fall,
            threshold=self._per_week,
            effect=Measured(
                current=found.level,
                baseline=first,
                fall=lost,
                fall_ratio=lost / first if first > 0 else None,
            ),
            direction="down" if fall > 0 else "up",
            change_point=whole[0] * self._stretch if alarm else None,
            shape="gradual" if alarm else None,
            window_start=whole[0] * self._stretch,
            window_end=now,
            rows=sum(counted[n][0] for n in whole),
            reference_id=self._reference,
            reference_rows=counted[whole[0]][0],
        )

    def restart(self, version: str, segment: str, signal: str) -> None:
        """A fall that was told and is over is no part of a trend."""
        if segment == WHOLE and signal in ("error", "metric:accuracy"):
            self._versions.pop(version, None)

    def rebuild(self, version: str | None, since: Millis) -> None:
        """What was before a new normal is no part of a trend."""
        first = since // self._stretch
        for name in sorted(self._versions):
            if version in (None, name):
                counted = self._versions[name]
                self._versions[name] = {n: one for n, one in counted.items() if n >= first}
                if not self._versions[name]:
                    del self._versions[name]

    def save(self) -> bytes:
        """The state, for a snapshot."""
        return _encoder.encode(
            {
                name: [(n, rows, right) for n, (rows, right) in sorted(counted.items())]
                for name, counted in self._versions.items()
            }
        )

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""
        self._versions = {
            name: {n: (rows, right) for n, rows, right in counted}
            for name, counted in _decoder.decode(saved).items()
        }
