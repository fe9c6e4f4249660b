"""Saying: closed panes as output events, sealed, with ids that are the same each time.

Promises: an id is a function of what is said, never of when or by whom; topics are those of the
contract.
Leaves to others: what is said (`model`, policy).
"""

from functools import lru_cache
from typing import Final

import msgspec

from schemas.envelope import output_id, seal
from schemas.finding import Finding, Measured, histograms
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


_SIZES: Final = Measured.__struct_fields__


def say(closed: Closed, source: str, now: Millis, epoch: int = 0) -> list[Output]:
    """Everything that a closed pane makes known; `now` is its end, the stream time of all of it.

    Panes of two epochs may have the same end, and are two panes.
    """
    readings = [
        reading(finding, severity)
        for finding, severity in zip(closed.findings, closed.severities, strict=True)
    ]
    apart = f"epoch {epoch}" if epoch else ""
    return _sealed_readings(readings, source, now, apart) + [
        _sealed(event, source, now, apart) for event in closed.decisions.events
    ]


def _sealed_readings(readings: list[Reading], source: str, now: Millis, apart: str) -> list[Output]:
    """Readings of one model as `_sealed` seals them; they are many, and differ only in their ids.

    A test says that nothing else differs.
    """
    if not readings:
        return []
    first = _sealed(readings[0], source, now, apart)
    at = next(i for i, (name, _) in enumerate(first.headers) if name == "ce_id")
    before, after = first.headers[:at], first.headers[at + 1 :]
    kind = _TOPICS[Reading][1]
    return [first] + [
        Output(
            topic="readings",
            key=first.key,
            value=encode(event),
            headers=(*before, ("ce_id", _reading_id(event, kind, now, apart).encode()), *after),
            timestamp=now,
        )
        for event in readings[1:]
    ]


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
        effect=_shown(finding.effect),
        reference=_reference(finding.reference_id, finding.reference_rows),
        current=_seen(finding),
        state=finding.state,
        summary=finding.summary,
    )


@lru_cache(maxsize=256)
def _reference(name: str, rows: int) -> ReferenceRef:
    return ReferenceRef(id=name, rows=rows)


def _seen(finding: Finding) -> Current:
    """What was judged, with its portrait if there is one."""
    seen = _current(finding.rows, finding.window_start, finding.window_end)
    if not finding.portrait:
        return seen
    return msgspec.structs.replace(seen, histograms=histograms(finding.portrait))


@lru_cache(maxsize=256)
def _current(rows: int, start: Millis, end: Millis) -> Current:
    return Current(rows=rows, window=Window(start=rfc3339(start), end=rfc3339(end)))


def _shown(effect: Measured) -> Effect:
    """What was measured, as events show it."""
    if effect == Measured(psi=effect.psi):
        return Effect(psi=effect.psi)  # a quiet signal, as nearly all are
    return Effect(**dict(zip(_SIZES, msgspec.structs.astuple(effect), strict=True)))


def _sealed(event: OutputEvent, source: str, now: Millis, apart: str = "") -> Output:
    topic, kind = _TOPICS[type(event)]
    key, identity, correlation = _identity(event, kind, now, apart)
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


def _identity(
    event: OutputEvent, kind: EventType, now: Millis, apart: str
) -> tuple[str, str, str | None]:
    """Record key, event id, and the incident it belongs to."""
    match event:
        case Reading():
            return event.model, _reading_id(event, kind, now, apart), None
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


def _reading_id(event: Reading, kind: EventType, now: Millis, apart: str) -> str:
    return output_id(
        kind,
        model=event.model,
        version=event.version,
        segment=event.segment,
        monitor=event.monitor,
        window=now,
        cause=apart,
    )
