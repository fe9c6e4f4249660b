"""Calibration: which tolerance is silent on a stretch that is known to be quiet, and at what price.

The same recording is judged once a tolerance. What is proposed is the smallest that says nothing in
the quiet rows, because a larger one only finds less, and later.

Promises: nothing is tuned on the changes; their delays are told beside each tolerance.
Leaves to others: one judged replay (`backtest`), printing.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from streams.cli.endings import REFUSED, OperatorError
from streams.runtime.backtest import Alarm, Judged

TOLERANCES: Final = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)
"""Reference standard deviations."""

Run = Callable[[float], tuple[list[Alarm], Judged]]
"""A replay under a tolerance: its alarms, and how they are judged against the changes."""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One tolerance: alarms in the quiet rows, and what it finds of the changes (delay in rows)."""

    tolerance: float
    quiet_alarms: int
    episode_recall: float | None
    mean_detection_delay: float | None


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """`quiet`: first and last row. `proposed`: None if even the largest tolerance is not silent."""

    quiet: tuple[int, int]
    proposed: float | None
    tried: list[Tried]


def quiet_of(text: str) -> tuple[int, int]:
    """The rows of `0-69125`; OperatorError if it cannot be read."""
    first, dash, last = text.replace("_", "").partition("-")
    try:
        span = int(first), int(last)
    except ValueError:
        span = (0, 0)
    if not dash or not 0 <= span[0] < span[1]:
        raise OperatorError("--quiet: must be first and last row, such as 0-69125", REFUSED)
    return span


def calibrate(run: Run, quiet: tuple[int, int]) -> Calibration:
    """Try every tolerance."""
    tried = []
    for tolerance in TOLERANCES:
        alarms, judged = run(tolerance)
        tried.append(
            Tried(
                tolerance=tolerance,
                quiet_alarms=sum(quiet[0] <= one.row <= quiet[1] for one in alarms),
                episode_recall=judged.episode_recall,
                mean_detection_delay=judged.mean_detection_delay,
            )
        )
    silent = [one.tolerance for one in tried if not one.quiet_alarms]
    return Calibration(quiet=quiet, proposed=min(silent, default=None), tried=tried)
