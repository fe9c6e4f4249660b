"""Model events: what people and services say of incidents, versions, retrainings, the world.

Promises: each type has one function in one table; saying something twice changes nothing; an
event about something unknown is a reason, never an error.
Leaves to others: what follows at this pane (`settle`, `retrain`, `alert`).
"""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from schemas.inputs import ModelEvent
from schemas.instants import LATEST, parse, rfc3339
from schemas.log import Millis
from schemas.vocabulary import ModelEventType
from streams.policy.desk import Desk, identity
from streams.policy.incidents.course import end, leave, leave_versions
from streams.policy.lessons.advice import advise
from streams.policy.lessons.cases import judge, miss
from streams.policy.retraining.pursuit import note
from streams.policy.rollout import versions
from streams.policy.state import MAX_KEPT, Incident, Running, Silence, Wish

ACCEPT: Final = "accept_as_new_normal"
Dated = tuple[Millis, ModelEvent]


def hear(desk: Desk, events: Sequence[Dated]) -> None:
    """Take in the events of a pane in the order they were logged."""
    for at, event in events:
        if event.model != desk.rules.model:
            desk.say("ignored", f"an event of model {event.model}")
            continue
        act = ACTS.get(event.type)
        if act is None:
            desk.say("event", f"{event.type}: noted")
            continue
        act(desk, at, event)


def _closed(desk: Desk, _: Millis, event: ModelEvent) -> None:
    """A person closes an incident with a verdict; or says it of one that is over."""
    case = judge(desk, event)
    incident = desk.incidents.get(event.incident_id or "")
    if case is None and (incident is None or incident.verdict):
        known = incident is not None or any(c.id == event.incident_id for c in desk.state.cases)
        why = "it has a verdict already" if known else "no such incident is remembered"
        desk.say("ignored", f"{event.type}: {why}", None, event.incident_id or "")
        return
    verdict = event.verdict or "unknown"
    counts = dict(desk.state.verdicts)
    counts[verdict] = counts.get(verdict, 0) + 1
    desk.state = replace(desk.state, verdicts=counts)
    said = f"closed by {event.author or 'somebody'}: {verdict}"
    desk.say("event", said, None, event.incident_id or "")
    if incident is None:
        return
    found = advise(desk) if verdict == "false_alarm" else None
    if found is not None:
        desk.say("advised", found.text, None, incident.id)
        incident = replace(incident, advice=found, remark=found.text)
    desk.incidents[incident.id] = replace(incident, verdict=verdict)
    if incident.ended is None:
        _close(desk, incident.id, said)
        if event.resolution == ACCEPT and verdict in ("true_drift", "unknown"):
            since = incident.opened if incident.change_point is None else incident.change_point
            desk.rebuild(None, since, f"incident {incident.id} was accepted as the new normal")


def _missed(desk: Desk, at: Millis, event: ModelEvent) -> None:
    """People saw an incident that nobody was told of."""
    end = _instant(event.until, at)
    start = min(_instant(event.from_, end), end)
    known = miss(desk, event, start, end)
    desk.say("event" if known else "ignored", f"missed incident, {rfc3339(start)} on")


def _close(desk: Desk, name: str, why: str, *, by_person: bool = True) -> None:
    """Let all signals of an incident leave, and end it."""
    for tracked in desk.alive(name):
        leave(desk, tracked, why, by_person=by_person)
    end(desk, name, why, by_person=by_person)


def _acknowledged(desk: Desk, _: Millis, event: ModelEvent) -> None:
    incident = _named(desk, event)
    if incident is not None:
        who = event.author or "somebody"
        first = desk.now if incident.acknowledged is None else incident.acknowledged
        desk.incidents[incident.id] = replace(incident, acknowledged_by=who, acknowledged=first)
        desk.say("event", f"acknowledged by {who}", None, incident.id)


def _assigned(desk: Desk, _: Millis, event: ModelEvent) -> None:
    """The note names whom it is assigned to; without one, whoever says it takes it."""
    incident = _named(desk, event)
    if incident is not None:
        who = (event.note or event.author or "").strip()[:128]
        desk.incidents[incident.id] = replace(incident, owner=who)
        desk.say("event", f"assigned to {who or 'nobody'}", None, incident.id)


def _silence(desk: Desk, at: Millis, event: ModelEvent) -> None:
    """Alerts of matching signals wait from `from` (now) until `until` (a day)."""
    start = _instant(event.from_, at)
    stop = min(_instant(event.until, start + 86_400_000), LATEST)
    matchers = event.matchers
    silence = Silence(
        signal=matchers.signal if matchers else "*",
        segment=matchers.segment if matchers else "*",
        start=start,
        end=stop,
    )
    kept = tuple(s for s in desk.state.silences if s != silence)
    desk.state = replace(desk.state, silences=(*kept, silence)[-MAX_KEPT:])
    desk.say("event", f"{silence.signal} in {silence.segment} is silent until {rfc3339(stop)}")


def _reset(desk: Desk, at: Millis, event: ModelEvent) -> None:
    """A new normal by hand: the reference since `from` (the event), everything open is over."""
    since = _instant(event.from_, at)
    why = f"the reference was reset by {event.author or 'somebody'}"
    for incident in desk.open_incidents():
        leave_versions(desk, incident, event.version, why)
    for key in sorted(desk.signals):
        if desk.signals[key].phase == "pending" and event.version in (None, key.version):
            desk.forget(key)
    desk.rebuild(event.version, since, why)
    desk.say("event", why)


def _retraining_started(desk: Desk, at: Millis, event: ModelEvent) -> None:
    running = Running(request_id=event.request_id or "", since=at)
    desk.state = replace(desk.state, running=running)
    note(desk, running.request_id, "started")
    desk.say("event", f"retraining {running.request_id} runs")


def _retraining_finished(desk: Desk, _: Millis, event: ModelEvent) -> None:
    name = _retraining_over(desk, event)
    note(desk, name, "finished")
    desk.say("event", f"retraining {name} finished")


def _retraining_failed(desk: Desk, _: Millis, event: ModelEvent) -> None:
    """The cause asks again, as its next attempt; also where it failed before it was started."""
    name = _retraining_over(desk, event)
    if note(desk, name, "failed") is None:
        desk.say("ignored", f"retraining {name} was not known to run")


def _retraining_over(desk: Desk, event: ModelEvent) -> str:
    """The retraining that an event ends; one without an id ends the one that runs."""
    running = desk.state.running
    name = event.request_id or ("" if running is None else running.request_id)
    if running is not None and (not event.request_id or running.request_id in ("", name)):
        desk.state = replace(desk.state, running=None)
    return name


def _external(desk: Desk, at: Millis, event: ModelEvent) -> None:
    _wish(desk, at, event, None)


def _labels_redefined(desk: Desk, at: Millis, event: ModelEvent) -> None:
    """Labels before mean something else, so only those since then may be trained on."""
    _wish(desk, at, event, _instant(event.from_, at))


def _wish(desk: Desk, at: Millis, event: ModelEvent, since: Millis | None) -> None:
    """Queue a retraining that the world asks for, once per event."""
    trigger = "labels_redefined" if event.type == "labels_redefined" else "external"
    if trigger not in desk.rules.retraining.when or desk.rules.retraining.mode == "schedule":
        desk.say("event", f"{event.type}: noted; it asks for no retraining here")
        return
    name = event.id or identity(trigger, at, event.note or "")
    known = {wish.id for wish in desk.state.wishes} | {s.cause for s in desk.state.requests}
    if name in known:
        desk.say("ignored", f"{event.type} {name} is known already")
        return
    wish = Wish(
        id=name,
        trigger="labels_redefined" if trigger == "labels_redefined" else "external",
        since=since,
        note=(event.note or "")[:512],
        urgent=event.severity == "red",
    )
    if len(desk.state.wishes) >= MAX_KEPT:
        desk.say("ignored", f"{MAX_KEPT} events wait for a retraining already")
        return
    desk.state = replace(desk.state, wishes=(*desk.state.wishes, wish))
    desk.say("event", f"{event.type} {name} asks for a retraining")


def _named(desk: Desk, event: ModelEvent) -> Incident | None:
    """The incident an event is about."""
    incident = desk.incidents.get(event.incident_id or "")
    if incident is None:
        desk.say("ignored", f"{event.type}: no such incident is remembered")
    return incident


def _instant(value: int | float | str | None, otherwise: Millis) -> Millis:  # noqa: PYI041 - as sent
    """The instant of an event's field, or `otherwise` where it has none or an unreadable one."""
    if value is None:
        return otherwise
    try:
        return parse(value)
    except ValueError:
        return otherwise


ACTS: Final[dict[ModelEventType, Callable[[Desk, Millis, ModelEvent], None]]] = {
    "incident_closed": _closed,
    "incident_acknowledged": _acknowledged,
    "incident_assigned": _assigned,
    "incident_missed": _missed,
    "silence": _silence,
    "reference_reset": _reset,
    "deployed": versions.deployed,
    "canary_started": versions.canary_started,
    "promoted": versions.promoted,
    "rolled_back": versions.rolled_back,
    "approved": versions.approved,
    "rejected": versions.approved,
    "retraining_started": _retraining_started,
    "retraining_finished": _retraining_finished,
    "retraining_failed": _retraining_failed,
    "external": _external,
    "labels_redefined": _labels_redefined,
}
"""What is not in here (annotations) is noted and changes nothing."""
