"""Drift events: one transition of one signal, with everything needed to believe it.

Promises: a pure function of a finding and its place in an incident; the id of the event (made
from incident, signal and transition by the envelope) does not depend on the class.
Leaves to others: when to make one (`signals`, `incidents`).
"""

from schemas.finding import Finding, Measured, histograms
from schemas.instants import rfc3339
from schemas.output_parts import (
    Budget,
    Current,
    Detector,
    Effect,
    ErrorSlice,
    Evidence,
    EvidenceRange,
    ReferenceRef,
    Window,
)
from schemas.outputs import DriftEvent, finite
from schemas.vocabulary import Severity, Transition
from streams.policy.desk import Desk
from streams.policy.incidents.explain import sentence
from streams.policy.state import Tracked


def announce(
    desk: Desk,
    tracked: Tracked,
    transition: Transition,
    reason: str,
    previous: Severity | None = None,
) -> None:
    """Put the drift event of a signal's transition on the desk."""
    seen = desk.seen.get(tracked.key)
    finding = seen.finding if seen is not None and seen.judged else tracked.last
    limits = desk.rules.limits_of(tracked.key)
    key = tracked.key
    route = desk.rules.route(tracked.family, tracked.severity, key.segment, [key.signal])
    desk.drift_events.append(
        DriftEvent(
            incident_id=tracked.incident,
            transition=transition,
            model=finding.model,
            version=finding.version,
            segment=finding.segment,
            kind=tracked.family,
            shape=finding.shape or tracked.last.shape,
            breadth=finding.breadth or tracked.last.breadth,
            severity=tracked.severity,
            previous_severity=previous,
            monitor=f"{finding.signal}/{finding.detector}",
            signal=finding.signal,
            detector=_detector(finding),
            reference=ReferenceRef(id=finding.reference_id, rows=finding.reference_rows),
            current=Current(
                rows=finding.rows,
                window=Window(start=rfc3339(finding.window_start), end=rfc3339(finding.window_end)),
                histograms=histograms(finding.histogram),
            ),
            change_point=None if finding.change_point is None else rfc3339(finding.change_point),
            evidence=Evidence(
                ranges=tuple(
                    EvidenceRange(topic=e.log, partition=e.partition, from_=e.first, to=e.last)
                    for e in finding.evidence
                    if 0 <= e.first <= e.last
                ),
                slices=tuple(
                    ErrorSlice(**{name: getattr(s, name) for name in s.__struct_fields__})
                    for s in finding.slices
                ),
            ),
            reason=reason,
            explanation=sentence(finding, tracked.severity, limits),
            runbook=route.runbook or None,
            budget=budget(desk),
        )
    )


def budget(desk: Desk) -> Budget:
    """The false alarms allowed per period, and the incidents opened in the last one."""
    since = desk.now - desk.rules.per
    spent = sum(1 for opened in desk.state.openings if opened > since)
    verdicts = [(c.verdict, c.judged) for c in desk.state.cases if c.verdict]
    false = sum(1 for verdict, at in verdicts if verdict == "false_alarm" and (at or 0) > since)
    real = sum(1 for verdict, _ in verdicts if verdict in ("true_drift", "data_issue"))
    known = real + len(desk.state.missed)
    return Budget(
        allowed=desk.rules.allowed,
        per=desk.rules.per_text,
        spent=float(spent),
        realised=float(false) if verdicts else None,
        recall=real / known if known else None,
    )


def effect_of(measured: Measured) -> Effect:
    """The effect of a finding as events show it, finite numbers only."""
    return Effect(**{name: finite(getattr(measured, name)) for name in measured.__struct_fields__})


def _detector(finding: Finding) -> Detector:
    return Detector(
        name=finding.detector,
        statistic=finite(finding.statistic),
        threshold=finite(finding.threshold),
        p_value=finite(finding.p_value),
        e_value=finite(finding.e_value),
        effect=effect_of(finding.effect),
        dispersion=finding.dispersion,
    )
