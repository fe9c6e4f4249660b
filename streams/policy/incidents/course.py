"""Incidents: opened, joined, reclassed by stronger proof, reopened, ended.

Promises: an id is a function of model, opening pane and first signal, never of the class; a
class only moves to stronger proof; whatever enters leaves, by a drift event each time.
Leaves to others: which signal belongs where (`grouping`), when a signal is over (`signals`).
"""

from typing import Final

from msgspec.structs import replace

from schemas.finding import Finding
from schemas.log import Millis
from schemas.vocabulary import Severity
from streams.policy.desk import Desk, identity
from streams.policy.family import INPUTS, PROOF, Family
from streams.policy.incidents.drift import announce
from streams.policy.incidents.explain import leading, sentence
from streams.policy.severity import RANK
from streams.policy.signals.observation import Observation
from streams.policy.state import MAX_INCIDENTS, MAX_KEPT, Incident, Phase, Tracked

MOST_RETURNS: Final = 9
"""How often it is counted that a signal came back to its incident."""

KEPT_CELLS: Final = 4
"""Leading cells a remembered finding keeps."""


def slim(finding: Finding, before: Finding | None = None) -> Finding:
    """The finding without its bulk, for the state; its form is that of `before` if it has none."""
    cells = tuple(leading(finding.cells, KEPT_CELLS))
    shape, breadth = finding.shape, finding.breadth
    if before is not None:
        shape, breadth = shape or before.shape, breadth or before.breadth
    return replace(
        finding, histogram=(), portrait=(), evidence=(), cells=cells, shape=shape, breadth=breadth
    )


def track(desk: Desk, seen: Observation, phase: Phase) -> Tracked:
    """A signal not remembered so far, as it is now."""
    lead = leading(seen.finding.cells, 1)
    return Tracked(
        key=seen.key,
        phase=phase,
        since=desk.now,
        heard=desk.now,
        severity=seen.severity or "yellow",
        family=seen.family,
        # Only an alarm, or one whose effect is in doubt, makes a signal wait.
        alarmed=seen.alarm or phase == "pending",
        lead=lead[0].name if lead else "",
        lead_shift=lead[0].current - lead[0].reference if lead else 0.0,
        direction=seen.finding.direction,
        last=slim(seen.finding),
    )


def open_new(desk: Desk, seen: Observation, segment: str) -> bool:
    """Open an incident with its first signal; False if there is no room for one more."""
    if len(desk.incidents) >= MAX_INCIDENTS:
        desk.say("suppressed", f"{MAX_INCIDENTS} incidents are remembered already", seen.key)
        return False
    key = seen.key
    # Panes of two epochs may end at one instant.
    apart = (desk.rules.epoch,) if desk.rules.epoch else ()
    parts = desk.rules.model, desk.now, key.version, key.segment, key.signal
    name = identity("incident", *parts, *apart)
    versions = (key.version,)
    desk.incidents[name] = Incident(
        id=name,
        kind=seen.family,
        severity=seen.severity or "yellow",
        segment=segment,
        versions=versions,
        opened=desk.now,
        moved=desk.now,
        change_point=seen.finding.change_point,
        inputs_judged=sum(
            1 for key, o in desk.seen.items() if o.judged and key.signal.startswith("feature")
        ),
    )
    openings = (*desk.state.openings, desk.now)
    since = desk.now - desk.rules.per
    desk.state = replace(desk.state, openings=tuple(o for o in openings if o > since)[-MAX_KEPT:])
    limits = desk.rules.limits_of(key)
    why = sentence(seen.finding, seen.severity, limits)
    enter(desk, seen, name, "opened", why)
    return True


def enter(desk: Desk, seen: Observation, name: str, what: str, why: str) -> None:
    """Let a signal fire as a member of the open incident `name`."""
    before = desk.signals.get(seen.key)
    if before is not None and before.incident and before.incident != name:
        desk.forget(seen.key)
    proven = seen.alarm or (before is not None and before.phase == "pending")
    fired = track(desk, seen, "firing")
    back = before is not None and before.incident == name and before.phase == "cooling"
    returns = min(before.returns + 1, MOST_RETURNS) if before is not None and back else 0
    fired = replace(fired, incident=name, opened=desk.now, alarmed=proven, returns=returns)
    desk.put(fired)
    announce(desk, fired, "opened", why)
    desk.say("opened" if what == "opened" else "joined", why, seen.key, name)
    incident = desk.incidents[name]
    if seen.key.version not in incident.versions and len(incident.versions) < MAX_KEPT:
        versions = tuple(sorted((*incident.versions, seen.key.version)))
        desk.incidents[name] = replace(incident, versions=versions)
    if proven:
        cause_moved(desk, name, seen)


def cause_moved(desk: Desk, name: str, seen: Observation) -> None:
    """Note that an alarmed member moved: it may date, or reclass, the incident."""
    incident = desk.incidents[name]
    stronger = PROOF[seen.family] > PROOF[incident.kind]
    # A mild departure of a better proven kind is a detail of what is red, not its cause.
    if stronger and RANK[seen.severity] >= RANK[incident.severity]:
        desk.say(
            "classified",
            f"{seen.family} is stronger proof than {incident.kind}",
            seen.key,
            name,
        )
        incident = replace(incident, kind=seen.family, change_point=None, calmed=None)
    if seen.family == incident.kind or (seen.family in INPUTS and incident.kind in INPUTS):
        change = _earlier(incident.change_point, seen.finding.change_point)
        incident = replace(incident, moved=desk.now, change_point=change, calmed=None)
    desk.incidents[name] = incident


def reopen(desk: Desk, name: str) -> None:
    """Take an ended incident up again, under its id."""
    incident = desk.incidents[name]
    desk.incidents[name] = replace(incident, ended=None, calmed=None, cool_until=0, moved=desk.now)
    desk.say("reopened", "it breached again within the cool-down", None, name)


def leave(desk: Desk, tracked: Tracked, why: str, *, by_person: bool = False) -> None:
    """Let a firing signal be over: resolved, cooling down, its detectors restarted."""
    announce(desk, tracked, "resolved", why, previous=tracked.severity)
    desk.say("resolved", why, tracked.key, tracked.incident)
    desk.restart([tracked.key])
    desk.put(
        replace(
            tracked,
            phase="cooling",
            since=desk.now,
            breaches=0,
            clears=0,
            milder=0,
            closed_by_person=by_person,
        )
    )


def end(desk: Desk, name: str, why: str, *, by_person: bool = False) -> None:
    """End an incident none of whose signals is left."""
    desk.incidents[name] = replace(
        desk.incidents[name],
        ended=desk.now,
        calmed=desk.incidents[name].calmed or desk.now,
        cool_until=desk.now + desk.rules.cooling,
        closed_by_person=by_person,
    )
    desk.say("resolved", why, None, name)


def leave_versions(
    desk: Desk, incident: Incident, version: str | None, why: str, only: str = ""
) -> None:
    """Let the signals of a version (None: all) leave an incident; end it if none is left.

    `only`: those whose names begin so.
    """
    going = [
        t
        for t in desk.alive(incident.id)
        if version in (None, t.key.version) and t.key.signal.startswith(only)
    ]
    for tracked in going:
        leave(desk, tracked, why)
    if going and not desk.alive(incident.id):
        end(desk, incident.id, why)


def severity_of_members(members: list[Tracked]) -> Severity:
    """The worst severity of signals that fire."""
    return max((t.severity for t in members), key=lambda s: RANK[s], default="yellow")


def causes(members: list[Tracked], kind: Family) -> list[Tracked]:
    """The members that are the cause, not a consequence."""
    return [t for t in members if t.family == kind]


def _earlier(one: Millis | None, other: Millis | None) -> Millis | None:
    known = [instant for instant in (one, other) if instant is not None]
    return min(known, default=None)
