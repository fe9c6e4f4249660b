"""What becomes of retrain requests: started, finished, failed, forgotten, or without effect.

Promises: whoever owns the incident is told once of each; a cause asks again after a failure, a
loss or a retraining that did not cure it, until its attempts are used up; a request that nobody
started is told, and not repeated.
Leaves to others: whether the next attempt may be sent now (`retrain`).
"""

from typing import Final

from msgspec.structs import replace

from schemas.log import Millis
from streams.policy.desk import Desk
from streams.policy.state import Course, Incident, Sent

OPEN: Final[frozenset[Course]] = frozenset({"asked", "started"})


def pursue(desk: Desk) -> None:
    """Look after every request that was sent."""
    for sent in desk.state.requests:
        waited = desk.now - sent.since
        limit = desk.rules.retraining.expires_after
        if sent.course == "asked" and sent.expires and desk.now >= sent.expires:
            mark(desk, sent, "expired")
            _tell(desk, sent, "was not started before it expired")
        elif sent.course == "started" and waited > limit:
            mark(desk, sent, "lost")
            _tell(desk, sent, "has not reported its end in time")
            _again(desk, sent)
        elif sent.course == "finished" and waited > limit and _lasts(desk, sent.cause):
            mark(desk, sent, "uncured")
            _tell(desk, sent, "finished, and the incident goes on")
            _again(desk, sent)
    running = desk.state.running
    if running is not None and desk.now - running.since > desk.rules.retraining.expires_after:
        # It does not hold others for ever.
        desk.say("event", f"retraining {running.request_id} never reported its end")
        desk.state = replace(desk.state, running=None)
    for incident in desk.open_incidents():
        if incident.opened == desk.now and not incident.asked.attempts:
            _inherit(desk, incident)


def note(desk: Desk, request_id: str, course: Course) -> Sent | None:
    """A service reports of a request; None if it is unknown or over already."""
    sent = next((s for s in desk.state.requests if s.request_id == request_id), None)
    if sent is None or sent.course not in OPEN | {"expired", "lost"}:
        return None
    mark(desk, sent, course)
    if course == "failed":
        _tell(desk, sent, "failed")
        _again(desk, sent)
    return sent


def mark(desk: Desk, sent: Sent, course: Course) -> None:
    """Remember how far a request has come."""
    kept = tuple(
        replace(s, course=course, since=desk.now) if s.request_id == sent.request_id else s
        for s in desk.state.requests
    )
    desk.state = replace(desk.state, requests=kept)


def _tell(desk: Desk, sent: Sent, what: str) -> None:
    """Tell the owner of the incident; without one the reason is all there is."""
    most = desk.rules.retraining.attempts
    said = f"retraining {sent.request_id} (attempt {sent.attempt} of {most}) {what}"
    if sent.attempt >= most and what != "was not started before it expired":
        said += ": a person must look"
    incident = desk.incidents.get(sent.cause)
    if incident is not None and incident.ended is None:
        desk.incidents[incident.id] = replace(incident, remark=said)
    desk.say("event", said, None, sent.cause if incident is not None else "")


def _again(desk: Desk, sent: Sent) -> None:
    """Let the cause ask once more, if it still lasts and has an attempt left."""
    incident = desk.incidents.get(sent.cause)
    if incident is not None and incident.ended is None:
        asked = replace(incident.asked, open_again=True, held="")
        desk.incidents[incident.id] = replace(incident, asked=asked)
    wish = sent.wish
    if wish is not None and sent.attempt < desk.rules.retraining.attempts:
        again = replace(wish, attempt=sent.attempt + 1)
        if again not in desk.state.wishes:
            desk.state = replace(desk.state, wishes=(*desk.state.wishes, again))


def _lasts(desk: Desk, cause: str) -> bool:
    incident = desk.incidents.get(cause)
    return incident is not None and incident.ended is None


def _inherit(desk: Desk, incident: Incident) -> None:
    """A cause that returns after a retraining was to cure it has used up an attempt."""
    former = [sent for sent in desk.state.requests if _is_cure(desk, sent, incident, desk.now)]
    if not former:
        return
    last = former[-1]
    asked = replace(incident.asked, attempts=last.attempt, open_again=True)
    why = f"{incident.kind} returned after retraining {last.request_id} (attempt {last.attempt})"
    desk.incidents[incident.id] = replace(incident, asked=asked, remark=why)
    desk.say("event", why, None, incident.id)


def _is_cure(desk: Desk, sent: Sent, incident: Incident, now: Millis) -> bool:
    """Whether a retraining that finished lately was to cure the same thing."""
    recent = sent.course == "finished" and now - sent.since <= desk.rules.per
    same = (sent.kind, sent.segment) == (incident.kind, incident.segment)
    return recent and same and sent.cause != incident.id
