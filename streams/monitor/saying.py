"""Saying: closed panes as output events, sealed, with ids that are the same each time.

Promises: an id is a function of what is said, never of when or by whom; topics are those of the
contract.
Leaves to others: what is said (`model`, policy).
"""

from typing import Final

import msgspec

from schemas.envelope import output_id, seal
from schemas.finding import Finding
from schemas.instants import rfc3339
from schemas.log import Millis, Output, OutputTopic
from schemas.output_parts import Current, Effect, ReferenceRef, Window
from schemas.outputs import (
    Alert,
    DriftEvent,
    OutputEvent,
    Reading,
    RetrainRequest,
    RollbackRequest,
    encode,
    finite,
)
from schemas.vocabulary import EventType, Severity
from streams.monitor.model import Closed

_TOPICS: Final[dict[type[OutputEvent], tuple[OutputTopic, EventType]]] = {
    Reading: ("readings", "windage.reading.v1"),
    DriftEvent: ("drift-events", "windage.drift.v1"),
    Alert: ("alerts", "windage.alert.v1"),
    RetrainRequest: ("retrain-requests", "windage.retrain-request.v1"),
    RollbackRequest: ("rollback-requests", "windage.rollback-request.v1"),
}


def say(closed: Closed, source: str, now: Millis) -> list[Output]:
    """Everything that a closed pane makes known; `now` is its end, the stream time of all of it."""
    events: list[OutputEvent] = [
        reading(finding, severity)
        for finding, severity in zip(closed.findings, closed.severities, strict=True)
    ]
    events += closed.decisions.events
    return [_sealed(event, source, now) for event in events]


def reading(finding: Finding, severity: Severity | None) -> Reading:
    """What a monitor says now."""
    judged = finding.state == "judged"
    return Reading(
        model=finding.model,
        version=finding.version,
        segment=finding.segment,
        monitor=f"{finding.signal}/{finding.detector}",
        signal=finding.signal,
        detector=finding.detector,
        statistic=finite(finding.statistic) if judged else None,
        threshold=finding.threshold,
        breach=finding.alarm,
        severity=severity,
        p_value=finding.p_value,
        e_value=finite(finding.e_value),
        effect=Effect(**msgspec.structs.asdict(finding.effect)),
        reference=ReferenceRef(id=finding.reference_id, rows=finding.reference_rows),
        current=Current(
            rows=finding.rows,
            window=Window(start=rfc3339(finding.window_start), end=rfc3339(finding.window_end)),
        ),
        state=finding.state,
    )


def _sealed(event: OutputEvent, source: str, now: Millis) -> Output:
    topic, kind = _TOPICS[type(event)]
    key, identity, correlation = _identity(event, kind, now)
    sealed = seal(
        encode(event),
        type=kind,
        id=identity,
        source=source,
        time=now,
        subject=event.model,
        extensions={"correlationid": correlation, "partitionkey": key},
    )
    return Output(
        topic=topic, key=key.encode(), value=sealed.value, headers=sealed.headers, timestamp=now
    )


def _identity(event: OutputEvent, kind: EventType, now: Millis) -> tuple[str, str, str | None]:
    """Record key, event id, and the incident it belongs to."""
    match event:
        case Reading():
            name = output_id(
                kind,
                model=event.model,
                version=event.version,
                segment=event.segment,
                monitor=event.monitor,
                window=now,
            )
            return event.model, name, None
        case DriftEvent():
            name = output_id(
                kind,
                model=event.model,
                version=event.version,
                segment=event.segment,
                monitor=event.monitor,
                window=now,
                transition=event.transition,
                cause=event.incident_id,
            )
            return event.model, name, event.incident_id
        case Alert():
            name = output_id(
                kind,
                model=event.model,
                window=now,
                transition=event.status,
                cause=event.incident_id,
            )
            return event.incident_id, name, event.incident_id
        case RetrainRequest():
            return event.model, event.request_id, next(iter(event.incident_ids), None)
        case RollbackRequest():
            return event.model, event.request_id, None
