"""Page-Hinkley: a cumulated deviation from the running mean.

Promises: index for index river 0.26's PageHinkley at one value per call; a value that is not
finite is ignored (`update` returns False) instead of silencing the detector for good.
Leaves to others: standardising the values (`threshold` and `delta` are in their unit).
Source: Page (1954), Continuous inspection schemes, Biometrika 41, 100-115; with the forgetting of
Sebastiao, Fernandes (2017), ISMIS 492-498.
"""

from dataclasses import dataclass, replace
from math import isfinite
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class PageHinkleySettings:
    """`threshold` is the alarm level, `delta` the change that does not count."""

    min_values: int = 30
    delta: float = 0.005
    threshold: float = 50.0
    alpha: float = 1 - 0.0001
    mode: Literal["up", "down", "both"] = "both"

    def __post_init__(self) -> None:
        if not (self.threshold > 0 and 0 < self.alpha <= 1):
            raise ValueError("threshold must be positive and alpha in (0, 1]")


@dataclass(kw_only=True)
class PageHinkleyState:
    """Plain finite numbers; `least` and `most` are the extremes of the two sums."""

    values: int = 0
    mean: float = 0.0
    increase: float = 0.0
    decrease: float = 0.0
    least: float | None = None
    most: float = -1.0
    alarmed: bool = False


class PageHinkley:
    """One stream of values."""

    def __init__(self, settings: PageHinkleySettings | None = None) -> None:
        self.settings = settings or PageHinkleySettings()
        self._state = PageHinkleyState()

    def update(self, value: float) -> bool:
        """Take one value; True if the mean changed. The next value begins anew."""
        if not isfinite(value):
            return False
        if self._state.alarmed:
            self._state = PageHinkleyState()
        s, settings = self._state, self.settings
        s.values += 1
        s.mean += (value - s.mean) / s.values
        deviation = value - s.mean
        s.increase = settings.alpha * s.increase + deviation - settings.delta
        s.decrease = settings.alpha * s.decrease + deviation + settings.delta
        s.least = s.increase if s.least is None else min(s.least, s.increase)
        s.most = max(s.most, s.decrease)
        if s.values >= settings.min_values:
            up = s.increase - s.least > settings.threshold
            down = s.most - s.decrease > settings.threshold
            s.alarmed = (up and settings.mode != "down") or (down and settings.mode != "up")
        return s.alarmed

    @property
    def mean(self) -> float | None:
        """Mean since the last alarm, None before the first value."""
        return self._state.mean if self._state.values else None

    def state(self) -> PageHinkleyState:
        """A copy of everything `from_state` needs, in plain numbers."""
        return replace(self._state)

    @classmethod
    def from_state(cls, settings: PageHinkleySettings, state: PageHinkleyState) -> "PageHinkley":
        """Continue where `state` was taken."""
        detector = cls(settings)
        detector._state = replace(state)
        return detector
