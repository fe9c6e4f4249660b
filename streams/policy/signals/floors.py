"""Absolute limits of metrics: what a metric must keep, whatever its baseline.

Promises: a pure function; a realised metric surely beyond its floor or ceiling alarms without a
detector's proof, estimates never do; one that is not limited is left as it is.
Leaves to others: how bad that is (`severity`: red).
"""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from schemas.finding import Finding
from streams.policy.severity import LimitsOf, broken
from streams.policy.state import SignalKey

FORESEEN: Final = frozenset({"estimate", "check"})
"""Detectors that look at predictions before their labels."""


def with_floors(findings: Iterable[Finding], limits_of: LimitsOf) -> list[Finding]:
    """The findings of a pane, those of metrics that have a limit judged by it too."""
    return [_judged(one, limits_of) if is_limited(one, limits_of) else one for one in findings]


def is_limited(one: Finding, limits_of: LimitsOf) -> bool:
    """Whether it is a realised metric with an absolute limit."""
    if not one.signal.startswith("metric:") or one.detector in FORESEEN:
        return False
    limits = limits_of(SignalKey(one.version, one.segment, one.signal))
    return limits.floor is not None or limits.ceiling is not None


def _judged(one: Finding, limits_of: LimitsOf) -> Finding:
    """A metric with a limit, as an alert."""
    if one.state != "judged":
        return one
    limits = limits_of(SignalKey(one.version, one.segment, one.signal))
    if broken(one.effect, limits):
        return replace(one, alarm=True, joins=True, inside=False, role="alert")
    # Within its limit it alarms by its own proof only; it was context, so it has none.
    calm = one.role == "context"
    return replace(one, alarm=False, joins=False, inside=True, role="alert") if calm else one
