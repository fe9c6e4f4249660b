"""Judges: detectors that a config declares, one of one signal, all behind one face.

Promises: a judge alarms at most once in its run length (panes) on average without a change: by
proof (Shiryaev-Roberts), by its level (windows, trend), by simulation (ADWIN, Page-Hinkley,
charts). State is plain and bounded.
Leaves to others: which run length (`monitors`), river's detectors, which have no dial.
"""

from collections import deque
from collections.abc import Callable
from math import log10
from typing import Final, NamedTuple, Protocol

import msgspec
import numpy as np

from detectors.adwin import Adwin, AdwinState
from detectors.control_chart import ControlChart, ControlChartState
from detectors.dial import (
    RunLengthError,
    adwin_for,
    chart_for,
    level_for,
    page_hinkley_for,
    reach,
    threshold_for,
)
from detectors.distances import DISTANCES
from detectors.page_hinkley import PageHinkley, PageHinkleyState
from detectors.river_adapter import PREFIX, RiverDetector, RiverSettings, RiverState
from detectors.shiryaev_roberts import Bank, BankState
from detectors.trend import slope
from schemas.journal import Counts
from streams.monitor.effects import Standard

SERIES: Final = frozenset({"adwin", "page_hinkley", "control_chart", "trend"})
"""Detectors that take one number a pane, and need no reference beyond a unit for it."""

CALIBRATED: Final = {
    "adwin": "adwin",
    "page_hinkley": "page_hinkley",
    "control_chart": "control_chart:ewma",
}
"""Name in a config, and name of the calibration table."""

_TINY: Final = 1e-300

_OfValues = Adwin | PageHinkley | ControlChart | RiverDetector


class Seen(NamedTuple):
    """What a pane brings of a signal: its counts and those of its window (None: a figure)."""

    value: float
    counts: Counts | None = None
    window: Counts | None = None
    standard: Standard | None = None


class Verdict(NamedTuple):
    """What a judge says of a pane; statistic and threshold on one scale.

    `p_value`, where there is one, is of this look alone.
    """

    alarm: bool
    statistic: float | None
    threshold: float | None
    p_value: float | None = None
    effect: float | None = None


class Judge(Protocol):
    """One detector of one signal."""

    def update(self, seen: Seen) -> Verdict | None:
        """Judge a pane; None while there is nothing to say."""

    def save(self) -> bytes:
        """The state, for a snapshot."""

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""


class Values:
    """ADWIN, Page-Hinkley, a chart or one of river's, on the value of every pane."""

    def __init__(self, name: str, arl: float) -> None:
        """RunLengthError where the run length is beyond its calibration."""
        self._name = name
        self._fresh: Callable[[], _OfValues]
        self._again: Callable[..., _OfValues]
        self._state_type: type
        if name == "adwin":
            adwin = adwin_for(arl)
            self._fresh = lambda: Adwin(adwin)
            self._again = lambda state: Adwin.from_state(adwin, state)
            self._state_type = AdwinState
        elif name == "page_hinkley":
            hinkley = page_hinkley_for(arl)
            self._fresh = lambda: PageHinkley(hinkley)
            self._again = lambda state: PageHinkley.from_state(hinkley, state)
            self._state_type = PageHinkleyState
        elif name == "control_chart":
            chart = chart_for(arl)
            self._fresh = lambda: ControlChart(chart)
            self._again = lambda state: ControlChart.from_state(chart, state)
            self._state_type = ControlChartState
        else:
            river = RiverSettings(name=name)
            self._fresh = lambda: RiverDetector(river)
            self._again = lambda state: RiverDetector.from_state(river, state)
            self._state_type = RiverState
        self._detector = self._fresh()

    def update(self, seen: Seen) -> Verdict | None:
        """Judge the value."""
        return Verdict(self._detector.update(seen.value), seen.value, None)

    def save(self) -> bytes:
        """The detector's own numbers."""
        return msgspec.msgpack.encode(self._detector.state())

    def load(self, saved: bytes) -> None:
        """Go on with those numbers."""
        self._detector = self._again(msgspec.msgpack.decode(saved, type=self._state_type))


class Evidence:
    """A Shiryaev-Roberts e-detector of one signal, with a tolerance of its own."""

    def __init__(self, standard: Standard, tolerance: float, arl: float) -> None:
        """Of one reference."""
        upward = standard.reference.kind == "binary"
        self._bank = Bank([standard.reference], tolerance=tolerance, upward=upward)
        self._threshold = threshold_for(arl)

    def update(self, seen: Seen) -> Verdict | None:
        """Judge the counts."""
        if seen.counts is None:
            return None
        self._bank.update([seen.counts])
        found = float(self._bank.log_mean[0])
        statistic = found if np.isfinite(found) else None
        return Verdict(found >= self._threshold, statistic, self._threshold)

    def save(self) -> bytes:
        """The evidence."""
        return msgspec.msgpack.encode(self._bank.state())

    def load(self, saved: bytes) -> None:
        """Go on with that evidence; under another tolerance it begins anew."""
        state = msgspec.msgpack.decode(saved, type=BankState)
        if self._bank.takes(state):
            self._bank.load(state)


class Window:
    """A distance between the window and the reference; at each pane a test at the level."""

    def __init__(self, name: str, arl: float) -> None:
        """One look in `arl` rejects without a change."""
        self._distance, self._level = DISTANCES[name], level_for(arl)

    def update(self, seen: Seen) -> Verdict | None:
        """Judge the window."""
        if seen.window is None or seen.standard is None:
            return None
        found = self._distance(seen.standard.pair(seen.window))
        if found is None:
            return None
        return Verdict(
            found.p_value <= self._level,
            -log10(max(found.p_value, _TINY)),
            -log10(self._level),
            found.p_value,
            found.effect,
        )

    def save(self) -> bytes:
        """Nothing: the window is kept by whoever holds the panes."""
        return b""

    def load(self, saved: bytes) -> None:
        """Nothing to take up."""


class Trend:
    """A slope over the last panes that is surely not 0."""

    def __init__(self, panes: int, arl: float) -> None:
        """At each pane a two-sided test at the level of the run length."""
        self._confidence = 1 - level_for(max(arl, 2.0))
        self._values: deque[float] = deque(maxlen=panes)

    def update(self, seen: Seen) -> Verdict | None:
        """Judge the values so far, once the window is full."""
        self._values.append(seen.value)
        if len(self._values) < (self._values.maxlen or 0):
            return None
        y = np.array(self._values)
        found = slope(np.arange(len(y), dtype=float), y, self._confidence)
        if found is None:
            return None
        band = (found.high - found.low) / 2
        return Verdict(abs(found.per_unit) > band > 0, abs(found.per_unit), band)

    def save(self) -> bytes:
        """The values."""
        return msgspec.msgpack.encode(list(self._values))

    def load(self, saved: bytes) -> None:
        """Go on after those values."""
        self._values.extend(msgspec.msgpack.decode(saved, type=list[float]))


def make(
    name: str, arl: float, *, panes: int, tolerance: float, standard: Standard | None
) -> tuple[Judge, bool] | None:
    """A judge of one signal, and whether its run length is promised; None if it cannot judge it.

    Beyond the calibrated range the most careful setting is taken, and nothing is promised; river's
    detectors promise nothing either. Without a reference (figures) only series can be judged.
    """
    if name.startswith(PREFIX):
        return Values(name, arl), False
    if name in CALIBRATED:
        shortest, longest = reach(CALIBRATED[name])
        promised = arl <= longest
        return Values(name, min(max(arl, shortest), longest)), promised
    if name == "trend":
        return Trend(panes, arl), True
    if standard is None:
        return None
    if name == "shiryaev_roberts":
        return Evidence(standard, tolerance, max(arl, 1.0)), True
    if name in DISTANCES:
        numeric_only = name in ("ks", "wasserstein")
        if numeric_only and standard.kind != "numeric":
            return None
        return Window(name, max(arl, 1.0)), True
    return None


__all__ = ["CALIBRATED", "SERIES", "Judge", "RunLengthError", "Seen", "Verdict", "make"]
