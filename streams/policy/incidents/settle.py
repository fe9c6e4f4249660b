"""What becomes of incidents after their signals moved: ended, released, widened, graded.

Promises: an incident is open exactly as long as a signal of it fires or is resolving; what goes
on after its cause is over becomes a cause of its own.
Leaves to others: telling anyone (`alert`).
"""

from typing import Final

from msgspec.structs import replace

from schemas.log import Millis
from streams.policy.desk import Desk
from streams.policy.family import INPUTS
from streams.policy.incidents.course import causes, end, leave, severity_of_members
from streams.policy.incidents.grouping import NOWHERE, clusters_of, place, strongest, tier_of
from streams.policy.signals.observation import Observation
from streams.policy.signals.scope import WHOLE, scope_of
from streams.policy.state import Incident, Tracked

GONE_PANES: Final = 50
"""A version not judged for so long, while another one is, serves no more."""


def retire(desk: Desk) -> None:
    """Let the signals of versions that serve no more leave: nobody will ever see them inside."""
    served = {key.version for key, seen in desk.seen.items() if seen.judged}
    for incident in desk.open_incidents() if served else ():
        alive = desk.alive(incident.id)
        heard: dict[str, Millis] = {}
        for t in alive:
            heard[t.key.version] = max(heard.get(t.key.version, t.heard), t.heard)
        for t in alive:
            version = t.key.version
            if version not in served and desk.now - heard[version] > GONE_PANES * desk.rules.pane:
                leave(desk, t, f"version {version} serves no more")


def settle(desk: Desk) -> None:
    """Bring every open incident in line with its signals."""
    for name in [incident.id for incident in desk.open_incidents()]:
        _release(desk, desk.incidents[name])
    for incident in desk.open_incidents():
        members = desk.alive(incident.id)
        if members and not any(t.alarmed for t in members):
            for t in members:
                leave(desk, t, "what it joined is over")
            members = []
        if not members:
            end(desk, incident.id, "all its signals are back inside the tolerance")
            continue
        found = replace(
            incident,
            severity=severity_of_members(members),
            segment=_segment(desk, incident, members),
        )
        if found != incident:
            desk.incidents[incident.id] = found


def _segment(desk: Desk, incident: Incident, members: list[Tracked]) -> str:
    """Where the incident's cause moves, by its alarms and by who holds still at this pane.

    Looked at anew only when the cause moves; after its youth it can widen but not narrow, as
    signals that recover one by one would narrow it to the last.
    """
    own = [t for t in causes(members, incident.kind) if t.alarmed]
    reclassed = incident.told is not None and incident.told.kind != incident.kind
    if not reclassed and not any(desk.now in (t.opened, t.turned) for t in own):
        return incident.segment
    names = {(t.key.version, t.key.signal) for t in own}
    seen = [o for o in desk.seen.values() if (o.key.version, o.key.signal) in names]
    found = scope_of(seen, frozenset(t.key.segment for t in own)) if seen else incident.segment
    young = desk.now - incident.opened <= desk.rules.young
    return found if young or reclassed or found == WHOLE else incident.segment


def _release(desk: Desk, incident: Incident) -> None:
    """Let go of consequences that go on although the cause is over and out of their windows."""
    members = desk.alive(incident.id)
    if incident.kind not in INPUTS or not members:
        return
    if causes(members, incident.kind):
        if incident.calmed is not None:
            desk.incidents[incident.id] = replace(incident, calmed=None)
        return
    if incident.calmed is None:
        desk.incidents[incident.id] = replace(incident, calmed=desk.now)
        return
    lasting = [seen for t in members if (seen := _outlives(desk, t, incident.calmed)) is not None]
    if not lasting:
        return
    why = f"the {incident.kind} is over, and this goes on"
    for seen in lasting:
        leave(desk, desk.signals[seen.key], why)
        desk.say("released", why, seen.key, incident.id)
    for tracked in desk.alive(incident.id):
        if not tracked.alarmed:
            leave(desk, tracked, f"the {incident.kind} it joined is over")
    clusters = clusters_of(desk)
    for seen in sorted(lasting, key=strongest):
        desk.forget(seen.key)
        place(desk, seen, clusters.get(tier_of(seen), NOWHERE), leaving=incident.id)


def _outlives(desk: Desk, tracked: Tracked, calmed: Millis) -> Observation | None:
    """The observation of a member that still alarms on rows after the cause, else None."""
    seen = desk.seen.get(tracked.key)
    if seen is None or not seen.alarm or seen.window_start < calmed:
        return None
    return seen
