"""The dial: from a promised run length to the setting of a detector that keeps it.

One number means the same for every detector: how many updates (panes) pass on average between
false alarms. The e-detector keeps it by proof, a test at every pane by its level, ADWIN,
Page-Hinkley and control charts by simulation (`run_lengths`).

Promises: a longer run length never gives a more nervous setting; outside the calibrated range
RunLengthError says what the range is.
Leaves to others: making values independent and standard normal without a change, which is what
was simulated; river's detectors, which have no common dial.
"""

from math import exp, isfinite, log
from typing import Final

import numpy as np

from detectors.adwin import AdwinSettings
from detectors.control_chart import ChartRule, ControlChartSettings
from detectors.page_hinkley import PageHinkleySettings
from detectors.run_lengths import RUN_LENGTHS

LOGARITHMIC: Final = frozenset({"adwin"})
"""Settings that are interpolated by their logarithm."""


class RunLengthError(ValueError):
    """A run length that no setting was calibrated for."""


def reach(name: str) -> tuple[float, float]:
    """The shortest and the longest run length (updates) of a calibrated detector."""
    table = RUN_LENGTHS[name]
    return table[0][1], table[-1][1]


def turned(name: str, arl: float) -> float:
    """The setting at which the mean run length without a change is at least `arl` updates.

    Interpolated in the logarithm of the run length. RunLengthError outside the table.
    """
    shortest, longest = reach(name)
    if not (isfinite(arl) and shortest <= arl <= longest):
        raise RunLengthError(
            f"{name} was calibrated for run lengths from {shortest:,.0f} to {longest:,.0f} "
            f"updates, not for {arl:,.0f}"
        )
    settings = [log(s) if name in LOGARITHMIC else s for s, _ in RUN_LENGTHS[name]]
    lengths = [log(length) for _, length in RUN_LENGTHS[name]]
    found = float(np.interp(log(arl), lengths, settings))
    return exp(found) if name in LOGARITHMIC else found


def run_length(name: str, setting: float) -> float:
    """The run length that a setting keeps; the ends of the table beyond it."""
    table = sorted(RUN_LENGTHS[name])
    settings = [log(s) if name in LOGARITHMIC else s for s, _ in table]
    at = log(setting) if name in LOGARITHMIC else setting
    return exp(float(np.interp(at, settings, [log(length) for _, length in table])))


def adwin_for(arl: float, *, clock: int = 32) -> AdwinSettings:
    """ADWIN that runs `arl` updates; only the clock of 32 was calibrated."""
    if clock != AdwinSettings().clock:
        raise RunLengthError("ADWIN was calibrated for a clock of 32 only")
    return AdwinSettings(delta=turned("adwin", arl))


def page_hinkley_for(arl: float) -> PageHinkleySettings:
    """Page-Hinkley, both sides, that runs `arl` updates."""
    return PageHinkleySettings(threshold=turned("page_hinkley", arl))


def chart_for(
    arl: float, *, center: float = 0.0, sd: float = 1.0, rule: ChartRule = "ewma"
) -> ControlChartSettings:
    """A chart around a known mean and spread that runs `arl` updates."""
    limit = turned(f"control_chart:{rule}", arl)
    return ControlChartSettings(center=center, sd=sd, rule=rule, limit=limit)


def threshold_for(arl: float) -> float:
    """Log of the evidence at which a Shiryaev-Roberts e-detector alarms: A = arl, by proof."""
    if not (isfinite(arl) and arl >= 1):
        raise RunLengthError("a run length is at least 1 update")
    return log(arl)


def level_for(arl: float) -> float:
    """The level of a test made at every update, so that one in `arl` looks rejects."""
    if not (isfinite(arl) and arl >= 1):
        raise RunLengthError("a run length is at least 1 update")
    return 1 / arl
