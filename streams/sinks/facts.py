"""Facts: an event as a flat list of names and values, for templates to choose from.

Promises: the names below are there for every event, None where it has no such thing; the only
values that are no texts are `event`, the whole event as it stands in its topic, and `assertions`,
the signals of an incident as OpenLineage has them.
Leaves to others: what is made of them (`template`).
"""

from collections.abc import Mapping
from typing import Final
from uuid import NAMESPACE_URL, uuid5

import msgspec

from schemas.instants import rfc3339
from schemas.outputs import Alert, RetrainRequest, RollbackRequest
from streams.sinks.message import Message

Fact = str | msgspec.Raw | None
Facts = dict[str, Fact]

NAMES: Final = (
    *("id", "type", "topic", "time", "model", "version", "title", "summary", "severity"),
    *("drill", "exercise"),
    *("status", "incident_id", "class", "segment", "action", "owner", "acknowledged_by"),
    *("runbook_url", "dashboard_url", "starts_at", "ends_at"),
    *("request_id", "trigger", "urgency", "strategy", "to_version", "rows_from", "rows_until"),
    *("event", "uuid", "assertions"),
)


def facts(message: Message, fields: Mapping[str, str], token: str | None) -> Facts:
    """The facts of a message, and what the sink's config adds: its fields and its token."""
    event = message.event
    found: Facts = dict.fromkeys(NAMES)
    found |= {
        "id": message.id,
        "type": message.type,
        "topic": message.topic,
        "time": rfc3339(message.time),
        "model": event.model,
        "version": event.version,
        "drill": "true" if message.drill else "false",
        "exercise": "drill" if message.drill else None,
        "event": msgspec.Raw(message.content),
        "uuid": str(uuid5(NAMESPACE_URL, f"windage:{message.id}")),
    }
    if isinstance(event, Alert):
        found |= _alert(event)
    elif isinstance(event, RetrainRequest):
        found |= _retraining(event)
    else:
        found |= _rollback(event)
    return {**found, **fields, "token": token}


def _alert(alert: Alert) -> Facts:
    return {
        "title": alert.title,
        "summary": alert.summary or alert.title,
        "severity": alert.severity,
        "status": alert.status,
        "incident_id": alert.incident_id,
        "class": alert.triage.class_,
        "segment": alert.segments[0] if alert.segments else None,
        "action": alert.recommended_action,
        "owner": alert.owner,
        "acknowledged_by": alert.acknowledged_by,
        "runbook_url": alert.annotations.runbook_url,
        "dashboard_url": alert.annotations.dashboard_url,
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "assertions": msgspec.Raw(msgspec.json.encode(_assertions(alert))),
    }


def _assertions(alert: Alert) -> list[dict[str, str | bool]]:
    """That there is no such incident, and of each signal that it has not moved, by column."""
    met = alert.status == "resolved"
    said: list[dict[str, str | bool]] = [{"assertion": f"no {alert.triage.class_}", "success": met}]
    for one in alert.signals:
        kind, _, column = one.signal.partition(":")
        where = {"column": column} if kind == "feature" else {}
        said.append({"assertion": f"no {one.kind} of {one.signal}", "success": met, **where})
    return said


def _retraining(request: RetrainRequest) -> Facts:
    window = request.data_window
    return {
        "title": f"{request.model} {request.version}: a retraining is asked for",
        "summary": request.reason,
        "severity": "red" if request.urgency == "emergency" else "yellow",
        "incident_id": request.incident_ids[0] if request.incident_ids else None,
        "starts_at": request.requested_at,
        "request_id": request.request_id,
        "trigger": request.trigger,
        "urgency": request.urgency,
        "strategy": None if request.suggestion is None else request.suggestion.strategy,
        "rows_from": None if window is None else window.start,
        "rows_until": None if window is None else window.end,
    }


def _rollback(request: RollbackRequest) -> Facts:
    return {
        "title": f"{request.model} {request.version}: the way back is asked for",
        "summary": request.reason,
        "severity": request.severity,
        "request_id": request.request_id,
        "to_version": request.to_version,
    }
