"""What the findings of one pane say of each signal, several detectors taken together.

Promises: one observation per signal in the order of their keys; the order and repetition of
findings change nothing; a good turn (an error rate that falls) and an effect too small to
matter are no breach.
Leaves to others: what follows from it (`states`, `incidents.grouping`).
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from schemas.finding import Finding
from schemas.log import DAWN, Millis
from schemas.vocabulary import Severity
from streams.policy.family import OUTCOMES, PROOF, Family, family_of
from streams.policy.severity import RANK, Limits, LimitsOf, severity_of
from streams.policy.signals.states import Input
from streams.policy.state import Phase, SignalKey

DELAYED: Final = OUTCOMES | {"novelty"}
"""Families whose findings may wait for labels: with their delay taken off they are dated."""


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One signal at one pane.

    `finding` is the most telling of its findings. `alarm` and `joins` hold only while the
    effect is outside the tolerance and worth a severity; `doubt` is an alarm that is not.
    `onset` is when it began to move as far as anyone knows, label delay taken off.
    """

    key: SignalKey
    finding: Finding
    family: Family
    severity: Severity | None
    judged: bool
    alarm: bool
    joins: bool
    doubt: bool
    inside: bool
    important: bool
    onset: Millis
    window_start: Millis

    @property
    def moves(self) -> bool:
        """Whether it departs at all, proven by its own alarm or only enough to join."""
        return self.alarm or self.joins

    @property
    def still(self) -> bool:
        """Whether it was judged and shows no significant departure."""
        return self.judged and not self.moves and not self.doubt

    def given(self, phase: Phase | None) -> Input:
        """The input of the state machine in `phase`."""
        if not self.judged:
            return "unjudged"
        if phase in (None, "cooling"):
            if self.alarm:
                return "strong" if self.severity == "red" else "breach"
            return "doubt" if self.doubt else "calm"
        if self.inside or self.severity is None:
            return "doubt" if self.doubt else "calm"
        return "strong" if self.alarm and self.severity == "red" else "breach"


def observe(findings: Iterable[Finding], limits: LimitsOf, now: Millis) -> list[Observation]:
    """One observation per signal, sorted by key."""
    by_key: dict[SignalKey, list[Finding]] = {}
    for finding in findings:
        key = SignalKey(finding.version, finding.segment, finding.signal)
        by_key.setdefault(key, []).append(finding)
    return [_one(key, by_key[key], limits(key), now) for key in sorted(by_key)]


def _one(key: SignalKey, findings: list[Finding], limits: Limits, now: Millis) -> Observation:
    judged = [finding for finding in findings if finding.state == "judged"]
    if not judged:
        first = min(findings, key=lambda finding: (finding.detector, finding.state))
        return _unjudged(key, first, now)
    if len(judged) == 1:  # as for most signals; the rest would cost as much as all else together
        return _alone(key, judged[0], limits, now)
    telling = [f for f in judged if f.alarm or f.joins] or judged
    family = max(
        (family_of(f.signal, f.symptom) for f in telling), key=lambda name: (PROOF[name], name)
    )
    graded = [(severity_of(f, family_of(f.signal, f.symptom), limits), f) for f in judged]
    severity, best = max(graded, key=lambda pair: _telling(pair[0], pair[1], family))
    # `inside` speaks of the signal's windowed effect: one detector that sees it outside is enough.
    inside = all(f.inside for f in judged)
    worth = severity is not None and not inside
    alarm = limits.pages and any(f.alarm and f.role == "alert" for f in judged)
    delay = max(f.label_delay for f in judged) if family in DELAYED else 0
    shapes = (f.shape for f in (best, *telling) if f.shape is not None)
    breadths = (f.breadth for f in (best, *telling) if f.breadth is not None)
    # Of several detectors one keeps what a form is told by.
    best = replace(best, shape=min(shapes, default=None), breadth=min(breadths, default=None))
    begun = min((f.change_point for f in telling if f.change_point is not None), default=now)
    return Observation(
        key=key,
        finding=best,
        family=family,
        severity=severity,
        judged=True,
        alarm=alarm and worth,
        joins=worth and any(f.joins or f.alarm for f in judged),
        doubt=alarm and not worth,
        inside=inside,
        important=any(f.important for f in judged),
        onset=min(begun, now) - delay,
        window_start=min(f.window_start for f in judged) - delay,
    )


def _alone(key: SignalKey, f: Finding, limits: Limits, now: Millis) -> Observation:
    """What `_one` says of a signal with one judged finding."""
    family = family_of(f.signal, f.symptom)
    severity = severity_of(f, family, limits)
    worth = severity is not None and not f.inside
    alarm = limits.pages and f.alarm and f.role == "alert"
    delay = f.label_delay if family in DELAYED else 0
    return Observation(
        key=key,
        finding=f,
        family=family,
        severity=severity,
        judged=True,
        alarm=alarm and worth,
        joins=worth and (f.joins or f.alarm),
        doubt=alarm and not worth,
        inside=f.inside,
        important=f.important,
        onset=min(now if f.change_point is None else f.change_point, now) - delay,
        window_start=f.window_start - delay,
    )


def _telling(severity: Severity | None, f: Finding, family: Family) -> tuple[object, ...]:
    """Sort key: the finding that says most stands for the signal; names break ties."""
    ratio = 0.0
    if f.statistic is not None and f.threshold:
        ratio = f.statistic / f.threshold
    return (
        f.alarm,
        f.joins,
        family_of(f.signal, f.symptom) == family,
        RANK[severity],
        not f.inside,
        ratio,
        f.detector,
        msgspec.msgpack.encode(f),
    )


def _unjudged(key: SignalKey, finding: Finding, now: Millis) -> Observation:
    return Observation(
        key=key,
        finding=finding,
        family=family_of(finding.signal, finding.symptom),
        severity=None,
        judged=False,
        alarm=False,
        joins=False,
        doubt=False,
        inside=False,
        important=finding.important,
        onset=now,
        window_start=DAWN,
    )
