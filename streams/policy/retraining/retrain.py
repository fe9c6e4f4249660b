"""When to ask for a retraining: once per cause, by trigger or schedule, never too often.

Promises: an incident asks once per attempt, ids are functions of the cause; what is held or
queued says why, and a queued request is sent as soon as the interval allows while its incident
is open; emergencies pass the interval.
Leaves to others: what the request says (`request`).
"""

from typing import Final

import msgspec
from msgspec.structs import replace

from schemas.log import Millis
from schemas.vocabulary import RetrainCause, Trigger, Urgency
from streams.policy.desk import Desk
from streams.policy.family import INPUTS, OUTCOMES, SWINGS, Family
from streams.policy.incidents.explain import sentence
from streams.policy.retraining.pursuit import pursue
from streams.policy.retraining.request import Cause, expiry, request_for
from streams.policy.severity import fall_of
from streams.policy.state import MAX_KEPT, Incident, PolicyState, Sent, Tracked, Wish

NEVER: Final[dict[Family, str]] = {
    "data_quality": "data are at fault: a model trained on them would learn the fault",
    "calibration_drift": "decisions hold: recalibrate instead of retraining",
    "prediction_drift": "no input moved: look at what serves the model first",
    "label_drift": "errors hold: wait for a fall of performance",
    "fairness": "needs a person",
    "operational": "the service is at fault, not the model",
    "kpi": "needs a person",
    "canary": "the canary is judged on its own",
}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What triggers a request, and how urgent it is."""

    trigger: Trigger
    urgency: Urgency
    cause: RetrainCause
    reason: str


def decide(desk: Desk) -> None:
    """Put the retrain requests of this pane on the desk, or say why not."""
    if desk.rules.retraining.mode == "off":
        return
    pursue(desk)
    if desk.rules.retraining.mode in ("trigger", "hybrid"):
        open_ones = sorted(desk.open_incidents(), key=lambda i: (i.opened, i.id))
        for incident in open_ones:
            _for_incident(desk, desk.incidents[incident.id])
        for wish in desk.state.wishes:
            _for_wish(desk, wish)
    if desk.rules.retraining.mode in ("schedule", "hybrid"):
        _for_schedule(desk)


def _for_incident(desk: Desk, incident: Incident) -> None:
    """Ask once for the cause of an incident, if it is one that a retraining cures."""
    asked = incident.asked
    if asked.attempts and not asked.open_again:
        return
    if asked.attempts >= desk.rules.retraining.attempts:
        _hold(desk, incident, f"{asked.attempts} attempts did not cure it: a person must look")
        return
    if incident.kind in NEVER and not (
        incident.kind in OUTCOMES | {"prediction_drift"} and _falls(desk, incident)
    ):
        _hold(desk, incident, NEVER[incident.kind])
        return
    wanted = _wanted(desk, incident)
    if wanted is None:
        return
    barred = _barred(desk, wanted.urgency)
    if barred:
        _hold(desk, incident, barred, waits=True)
        return
    cause = Cause(
        identity=incident.id,
        attempt=asked.attempts + 1,
        incidents=(incident,),
        trigger=wanted.trigger,
        urgency=wanted.urgency,
        reason=f"{_words(wanted.cause)}: {wanted.reason}",
        since=None,
    )
    _send(desk, cause)
    after = replace(asked, attempts=asked.attempts + 1, open_again=False, held="")
    desk.incidents[incident.id] = replace(incident, asked=after)
    desk.say("retrain_requested", wanted.reason, None, incident.id)


def _wanted(desk: Desk, incident: Incident) -> Wanted | None:
    """The trigger an incident gives by its class, severity and members; None: none."""
    when = desk.rules.retraining.when
    members = [t for t in desk.alive(incident.id) if t.alarmed]
    fallen = [t for t in members if _is_performance(t)]
    red = any(t.severity == "red" for t in fallen)
    leaders = [t for t in members if t.family == incident.kind] or members
    leader = max(leaders, key=lambda t: (t.severity == "red", t.key), default=None)
    if leader is None:
        return None
    said = sentence(leader.last, leader.severity, desk.rules.limits_of(leader.key))
    emergency: Urgency = "emergency" if _plunges(desk, fallen) else "normal"
    if fallen and red and "performance_red" in when:
        return Wanted(
            trigger="performance", urgency=emergency, cause="performance_red", reason=said
        )
    if incident.kind == "novelty" and incident.severity == "red" and "novelty_red" in when:
        return Wanted(trigger="drift", urgency="normal", cause="novelty_red", reason=said)
    if incident.kind == "covariate_drift" and "important_drift_red" in when:
        marked = [t for t in leaders if t.severity == "red" and t.last.important]
        if marked:
            return Wanted(
                trigger="drift", urgency="normal", cause="important_drift_red", reason=said
            )
    if fallen and "performance_yellow" in when and incident.kind not in INPUTS:
        slow = all(t.last.detector == "trend" for t in fallen)
        return Wanted(
            trigger="trend" if slow else "performance",
            urgency="scheduled",
            cause="performance_yellow",
            reason=said,
        )
    return None


def _words(cause: str) -> str:
    """A trigger of the config in words: `important drift (red)`."""
    what, _, severity = cause.rpartition("_")
    return f"{what.replace('_', ' ')} ({severity})"


def _for_wish(desk: Desk, wish: Wish) -> None:
    """Ask for what an event from outside calls for."""
    barred = _barred(desk, "emergency" if wish.urgent else "normal")
    if barred:
        _queue(desk, f"{wish.trigger} event {wish.id}: {barred}")
        return
    cause = Cause(
        identity=wish.id,
        attempt=wish.attempt,
        incidents=(),
        trigger="external",
        urgency="emergency" if wish.urgent else "normal",
        reason=wish.note or f"{wish.trigger.replace('_', ' ')} at this time",
        since=wish.since,
    )
    _send(desk, cause, wish)
    desk.say("retrain_requested", cause.reason)
    left = tuple(other for other in desk.state.wishes if other != wish)
    desk.state = replace(desk.state, wishes=left)


def _for_schedule(desk: Desk) -> None:
    """Ask when the schedule says so; a triggered request has reset it."""
    due = next_due(desk.state, desk)
    if due is None or due > desk.now:
        return
    barred = _barred(desk, "scheduled")
    if barred:
        _queue(desk, f"scheduled retraining: {barred}")
        return
    cause = Cause(
        identity=f"schedule {due}",
        attempt=1,
        incidents=(),
        trigger="schedule",
        urgency="scheduled",
        reason="the schedule says so",
        since=None,
    )
    _send(desk, cause)
    desk.state = replace(desk.state, scheduled=due)
    desk.say("retrain_requested", cause.reason)


def next_due(state: PolicyState, desk: Desk) -> Millis | None:
    """The next scheduled instant: after the last one, a full interval after a triggered one."""
    schedule = desk.rules.retraining.schedule
    if schedule is None:
        return None
    start = state.began if state.began is not None else desk.now
    if state.scheduled is not None:
        start = max(start, state.scheduled)
    if state.triggered is not None:
        # A retraining asked for a moment ago makes a date within the interval superfluous.
        start = max(start, state.triggered + desk.rules.retraining.min_interval - 1)
    return schedule.after(start)


def _barred(desk: Desk, urgency: Urgency) -> str:
    """Why no request may be sent now; empty if one may."""
    state, interval = desk.state, desk.rules.retraining.min_interval
    if state.running is not None:
        return f"retraining {state.running.request_id} is running"
    if urgency == "emergency" or state.requested is None:
        return ""
    if desk.now - state.requested < interval:
        return "the last request is younger than the minimum interval"
    return ""


def _hold(desk: Desk, incident: Incident, why: str, *, waits: bool = False) -> None:
    """Say once why an incident does not ask; what must wait is counted, per reason."""
    if incident.asked.held == why:
        return
    desk.incidents[incident.id] = replace(incident, asked=replace(incident.asked, held=why))
    if waits:
        desk.state = replace(desk.state, throttled=desk.state.throttled + 1)
    desk.say("retrain_queued" if waits else "retrain_held", why, None, incident.id)


def _queue(desk: Desk, why: str) -> None:
    """Say that something other than an incident waits."""
    desk.say("retrain_queued", why)


def _send(desk: Desk, cause: Cause, wish: Wish | None = None) -> None:
    """Put the request of a cause on the desk, and remember which it was."""
    schedule = desk.rules.retraining.schedule
    hold_until = None
    if cause.urgency == "scheduled" and cause.trigger != "schedule" and schedule is not None:
        hold_until = schedule.after(desk.now)
    request = request_for(desk, cause, hold_until)
    desk.retrain_requests.append(request)
    sent = Sent(
        request.request_id,
        cause.identity,
        attempt=cause.attempt,
        since=desk.now,
        expires=expiry(desk, hold_until),
        kind=cause.incidents[0].kind if cause.incidents else "",
        segment=cause.incidents[0].segment if cause.incidents else "*",
        wish=wish,
    )
    state = desk.state
    full = request.suggestion is not None and request.suggestion.strategy == "full"
    desk.state = replace(
        state,
        requested=desk.now,
        triggered=state.triggered if cause.trigger == "schedule" else desk.now,
        requests=(*state.requests, sent)[-MAX_KEPT:],
        full=desk.now if full else state.full,
        partial=0 if full else state.partial + 1,
    )


def _is_performance(t: Tracked) -> bool:
    """Whether a member says that the model does worse: its errors or its metrics."""
    if t.key.signal == SWINGS:
        return False  # as much better at other times
    return t.family in ("concept_drift", "performance_drop") or (
        t.key.signal.startswith("error") and t.family in OUTCOMES - {"calibration_drift"}
    )


def _falls(desk: Desk, incident: Incident) -> bool:
    """Whether a member of the incident is a red fall of performance."""
    if incident.kind == "calibration_drift":
        return False
    alive = desk.alive(incident.id)
    return any(_is_performance(t) and t.severity == "red" and t.alarmed for t in alive)


def _plunges(desk: Desk, fallen: list[Tracked]) -> bool:
    """Whether the whole model lost so much that waiting for the interval would be wrong."""
    limit = desk.rules.rollback_at
    if limit is None:
        return False
    whole = (fall_of(t.last) for t in fallen if t.key.segment == "*")
    return any(fall is not None and fall >= limit for fall in whole)
