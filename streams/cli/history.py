"""The history of an installation: its outputs and what people said, folded into incidents.

Promises: a function of the topics; what another version wrote otherwise is passed over; times are
those of the events.
Leaves to others: folding outputs (`casebook`), reading topics (`installation.reading`), printing.
"""

from typing import Any, Final

import msgspec

from schemas.envelope import EnvelopeError, open_envelope
from schemas.inputs import ModelEvent, model_event_decoder
from schemas.instants import parse, rfc3339
from schemas.log import Millis
from schemas.outputs import Alert, DriftEvent, RetrainRequest, RollbackRequest
from streams.cli.casebook import Case, Casebook
from streams.cli.endings import REFUSED, OperatorError
from streams.runtime.installation.reading import Located, Reader

TOPICS: Final = ("drift-events", "alerts", "retrain-requests", "rollback-requests")
DRILL: Final = "drill"
"""The label of alerts that are exercises."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A model event and when it was said."""

    at: Millis
    event: ModelEvent


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """An output by its id."""

    topic: str
    id: str
    record: Located
    content: bytes


class History:
    """Incidents, requests and model events, as far as the topics reach back."""

    def __init__(self) -> None:
        self.book = Casebook(lambda _: None)
        self.said: list[Said] = []
        self.known: dict[str, Known] = {}
        self.sources: dict[str, list[Known]] = {}
        """Drift events with their ids, by incident."""

    def take(self, record: Located) -> None:
        """Take one record in, whatever it is."""
        opened = content_of(record)
        if opened is None:
            return
        name, content = opened
        try:
            if record.topic == "model-events":
                event = model_event_decoder.decode(content)
                self.said.append(Said(at=_instant(event, record), event=event))
                return
            self.book.take(record.topic, content)
        except (msgspec.MsgspecError, ValueError):
            return
        known = Known(topic=record.topic, id=name, record=record, content=content)
        self.known[name] = known
        if record.topic == "drift-events":
            incident = msgspec.json.decode(content, type=_Belongs).incident_id
            self.sources.setdefault(incident, []).append(known)

    def cases(self, model: str | None = None) -> list[Case]:
        """Incidents that an alert told of, by their beginning."""
        return [case for case in self.book.told() if model in (None, alert_of(case).model)]

    def models(self) -> list[str]:
        """Models anything was said about."""
        named = {alert_of(case).model for case in self.cases()}
        return sorted(named | {said.event.model for said in self.said})

    def told(self, incident_id: str, *types: str) -> list[Said]:
        """What people said of an incident, in their order."""
        return [
            said
            for said in self.said
            if said.event.incident_id == incident_id and (not types or said.event.type in types)
        ]

    def case(self, prefix: str) -> Case | None:
        """The incident whose id begins so; OperatorError where several do."""
        name = _only([case.id for case in self.cases()], prefix, "incident")
        return None if name is None else self.book.cases[name]

    def output(self, prefix: str) -> Known | None:
        """The output whose id begins so; OperatorError where several do."""
        name = _only(list(self.known), prefix, "event")
        return None if name is None else self.known[name]

    def incident(self, case: Case) -> dict[str, Any]:
        """One incident as a JSON object, with times and what people made of it."""
        first, now = case.first, alert_of(case)
        assert first is not None
        acknowledged = next(iter(self.told(case.id, "incident_acknowledged")), None)
        assigned = self.told(case.id, "incident_assigned")
        closed = next(iter(self.told(case.id, "incident_closed")), None)
        verdict = None if closed is None else closed.event
        began, ended = change_point(case), now.ends_at
        return {
            "incident_id": case.id,
            "status": "open" if now.status == "firing" else "closed",
            "model": now.model,
            "version": now.version,
            "class": now.triage.class_,
            "severity": case.severity,
            "drill": DRILL in now.labels,
            "title": now.title,
            "summary": (case.worst or now).summary,
            "action": now.recommended_action,
            "owner": _owner(assigned) or now.owner,
            "segments": list(now.segments),
            "breadth": now.breadth or (case.worst or now).breadth,
            "signals": case.signals,
            "change_point": began,
            "opened_at": first.starts_at,
            "acknowledged_at": None if acknowledged is None else rfc3339(acknowledged.at),
            "acknowledged_by": now.acknowledged_by
            or (None if acknowledged is None else acknowledged.event.author),
            "closed_at": ended,
            "detect_seconds": _between(began, first.starts_at),
            "acknowledge_seconds": None
            if acknowledged is None
            else _between(first.starts_at, rfc3339(acknowledged.at)),
            "recover_seconds": _between(first.starts_at, ended),
            "verdict": None if verdict is None else verdict.verdict,
            "root_cause": None if verdict is None else verdict.root_cause,
            "resolution": None if verdict is None else verdict.resolution,
            "prevention": None if verdict is None else verdict.prevention,
            "evidence": case.evidence(),
            "retrain_requests": [one.request_id for one in self.book.requests_of(case)],
        }


class _Belongs(msgspec.Struct):
    incident_id: str


def read_history(reader: Reader) -> History:
    """Everything the output topics and the model events still hold."""
    history = History()
    for topic in (*TOPICS, "model-events"):
        records = reader.read(topic)
        for record in sorted(records, key=lambda one: (one.timestamp, one.partition, one.offset)):
            history.take(record)
    return history


def content_of(record: Located) -> tuple[str, bytes] | None:
    """Id and JSON content of a record, whatever its envelope; None where it cannot be opened."""
    try:
        envelope = open_envelope(record.headers, record.value or b"")
    except EnvelopeError:
        return None
    return envelope.id or f"{record.topic}/{record.partition}/{record.offset}", envelope.content


def alert_of(case: Case) -> Alert:
    """The present alert of an incident."""
    now = case.resolved or case.firing or case.first
    assert now is not None, "only incidents that an alert told of are asked for"
    return now


def change_point(case: Case) -> str | None:
    """When the change is taken to have begun: the earliest estimate of its signals."""
    return min((one.change_point for one in case.drift if one.change_point), default=None)


def decoded(known: Known) -> DriftEvent | Alert | RetrainRequest | RollbackRequest:
    """An output as a struct."""
    kinds: dict[str, type[DriftEvent | Alert | RetrainRequest | RollbackRequest]] = {
        "drift-events": DriftEvent,
        "alerts": Alert,
        "retrain-requests": RetrainRequest,
        "rollback-requests": RollbackRequest,
    }
    return msgspec.json.decode(known.content, type=kinds[known.topic])


def _only(names: list[str], prefix: str, what: str) -> str | None:
    if prefix in names:
        return prefix
    found = [name for name in names if name.startswith(prefix)]
    if len(found) > 1:
        listed = ", ".join(found[:5])
        raise OperatorError(f"{prefix}: begins {len(found)} {what} ids: {listed}", REFUSED)
    return found[0] if found else None


def _owner(assigned: list[Said]) -> str | None:
    if not assigned:
        return None
    last = assigned[-1].event
    return last.note or last.author


def _instant(event: ModelEvent, record: Located) -> Millis:
    try:
        return parse(event.timestamp)
    except ValueError:
        return record.timestamp


def _between(start: str | None, end: str | None) -> float | None:
    """Seconds from one instant to another; None where one is not known."""
    if start is None or end is None:
        return None
    return (parse(end) - parse(start)) / 1000
