"""Control charts: a metric against the mean and spread it is known to have.

Promises: values that are not finite are ignored; the state is plain numbers; without a change and
with normal values the mean run length at the defaults is about 370 (Shewhart), 370 (EWMA) and 465
(CUSUM) values.
Leaves to others: centre and spread (a reference stretch of the metric).
Sources: Shewhart (1931); Roberts (1959), Technometrics 1, 239-250; Page (1954), Biometrika 41,
100-115; design values of Montgomery, Introduction to Statistical Quality Control, chapter 9.
"""

from dataclasses import dataclass, replace
from math import isfinite, sqrt
from typing import Literal

ChartRule = Literal["shewhart", "ewma", "cusum"]


@dataclass(frozen=True, kw_only=True)
class ControlChartSettings:
    """`center` and `sd` of one value in control; limits in standard deviations.

    `weight` is the EWMA's share of the newest value, `slack` the shift a CUSUM lets pass. Raises
    ValueError for an `sd` that is not positive or limits that make no sense.
    """

    center: float
    sd: float
    rule: ChartRule = "ewma"
    limit: float | None = None
    weight: float = 0.2
    slack: float = 0.5

    def __post_init__(self) -> None:
        if not (isfinite(self.center) and isfinite(self.sd) and self.sd > 0):
            raise ValueError("center must be finite and sd positive")
        if not (0 < self.weight <= 1 and self.slack >= 0):
            raise ValueError("weight must lie in (0, 1] and slack be at least 0")
        if self.limit is not None and self.limit <= 0:
            raise ValueError("limit must be positive")

    @property
    def bound(self) -> float:
        """The limit, or the usual one of the rule."""
        usual: dict[ChartRule, float] = {"shewhart": 3.0, "ewma": 2.86, "cusum": 5.0}
        return usual[self.rule] if self.limit is None else self.limit


@dataclass(kw_only=True)
class ControlChartState:
    """Values since the last alarm, the EWMA, and both CUSUMs, in standard deviations."""

    values: int = 0
    average: float = 0.0
    above: float = 0.0
    below: float = 0.0
    alarmed: bool = False


class ControlChart:
    """One stream of values."""

    def __init__(self, settings: ControlChartSettings) -> None:
        self.settings = settings
        self._state = ControlChartState()

    def update(self, value: float) -> bool:
        """Take one value; True if the chart is out of control. The next value begins anew."""
        if not isfinite(value):
            return False
        if self._state.alarmed:
            self._state = ControlChartState()
        s, settings = self._state, self.settings
        z = (value - settings.center) / settings.sd
        s.values += 1
        s.average += settings.weight * (z - s.average)
        s.above = max(0.0, s.above + z - settings.slack)
        s.below = max(0.0, s.below - z - settings.slack)
        s.alarmed = self._statistic(z) > settings.bound
        return s.alarmed

    def state(self) -> ControlChartState:
        """A copy of everything `from_state` needs, in plain numbers."""
        return replace(self._state)

    @classmethod
    def from_state(cls, settings: ControlChartSettings, state: ControlChartState) -> "ControlChart":
        """Continue where `state` was taken."""
        detector = cls(settings)
        detector._state = replace(state)
        return detector

    def _statistic(self, z: float) -> float:
        s, settings = self._state, self.settings
        if settings.rule == "shewhart":
            return abs(z)
        if settings.rule == "cusum":
            return max(s.above, s.below)
        forgotten = (1 - settings.weight) ** (2 * s.values)
        return abs(s.average) / sqrt(settings.weight / (2 - settings.weight) * (1 - forgotten))
