"""How bad a confirmed departure is: by its effect, never by its significance.

Promises: a pure function of a finding and the limits that hold for its signal. Any confirmed
change is yellow; red from PSI .25 (bias-corrected; Siddiqi 2006) or a metric 5 % of its baseline
below it; a metric less than 2 % below it is no breach.
Leaves to others: whether the change is confirmed (`observation`).
"""

from collections.abc import Callable
from typing import Final

import msgspec

from schemas.finding import Finding, Measured
from schemas.vocabulary import Severity
from streams.policy.family import Family, is_harmful_only_upwards
from streams.policy.state import SignalKey

_CALM: Final = 0.8
"""Share of a limit below which a departure is milder again."""

RANK: Final[dict[Severity | None, int]] = {None: 0, "yellow": 1, "red": 2}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """From which effect on a signal is yellow and red.

    `psi_yellow` 0: every confirmed change. `fall_*`: share of the baseline a metric may lose;
    `points_*`, where given, replace them by an absolute fall; `floor` and `ceiling`: red beyond
    this value, whatever the baseline. Without `pages` a signal is context: it may join, not open.
    """

    psi_yellow: float = 0.0
    psi_red: float = 0.25
    fall_yellow: float = 0.02
    fall_red: float = 0.05
    points_yellow: float | None = None
    points_red: float | None = None
    floor: float | None = None
    ceiling: float | None = None
    pages: bool = True


LimitsOf = Callable[[SignalKey], Limits]


def broken(effect: Measured, limits: Limits) -> bool:
    """Whether a metric is surely (95 %, where its limits are known) beyond its floor or ceiling."""
    if effect.current is None:
        return False
    high = effect.current if effect.high is None else effect.high
    low = effect.current if effect.low is None else effect.low
    under = limits.floor is not None and high < limits.floor
    return under or (limits.ceiling is not None and low > limits.ceiling)


def is_still(severity: Severity, finding: Finding, family: Family, limits: Limits) -> bool:
    """Whether a departure that was so bad nearly is so still; at a limit it would come and go."""
    points = None if limits.points_red is None else _CALM * limits.points_red
    nearer = msgspec.structs.replace(
        limits,
        psi_red=_CALM * limits.psi_red,
        fall_red=_CALM * limits.fall_red,
        points_red=points,
    )
    return RANK[severity_of(finding, family, nearer)] >= RANK[severity]


def fall_of(finding: Finding) -> float | None:
    """How far performance fell, as a share of its baseline (positive is worse).

    An error rate is read as the accuracy it leaves: 1 - error.
    """
    effect = finding.effect
    if effect.fall_ratio is not None:
        return effect.fall_ratio
    if not is_harmful_only_upwards(finding.signal):
        return None
    if effect.current is None or effect.baseline is None or effect.baseline >= 1.0:
        return None
    return (effect.current - effect.baseline) / (1.0 - effect.baseline)


def severity_of(finding: Finding, family: Family, limits: Limits) -> Severity | None:
    """Yellow or red if the effect of a confirmed `finding` is worth it, else None."""
    effect, fall = finding.effect, fall_of(finding)
    if broken(effect, limits):
        return "red"
    if effect.fall is not None and limits.points_red is not None:
        least = limits.points_red if limits.points_yellow is None else limits.points_yellow
        return _level(effect.fall, least, limits.points_red)
    if fall is not None:
        if is_harmful_only_upwards(finding.signal) or finding.detector == "trend":
            # The detector's own rule says which change of an error rate, or which slope, matters.
            return None if fall <= 0 else _level(fall, 0.0, limits.fall_red)
        return _level(fall, limits.fall_yellow, limits.fall_red)
    if finding.symptom == "gain":
        return "yellow"  # a suspicion
    if family == "data_quality" and finding.symptom in ("constant", "silence", "refused"):
        return "red"
    if effect.psi is None:
        return "yellow"
    # A corrected PSI may be negative; a confirmed change is yellow all the same.
    return _level(max(effect.psi, 0.0), limits.psi_yellow, limits.psi_red)


def _level(size: float, yellow: float, red: float) -> Severity | None:
    """The severity of a size; None below yellow."""
    if size >= red:
        return "red"
    return "yellow" if size >= yellow else None
