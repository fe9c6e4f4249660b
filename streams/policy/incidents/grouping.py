"""Which incident a moving signal belongs to: one that is open, one just over, or a new one.

Promises: strongest proof first, so that causes stand before their consequences ask; a signal
that is only strong enough to join never opens and never changes a class; a fault of data in the
whole does not swallow what moves in one segment alone.
Leaves to others: what entering an incident does (`incidents`).
"""

from typing import Final

import msgspec
from msgspec.structs import replace

from schemas.vocabulary import Kind
from streams.policy.desk import ALIVE, Desk
from streams.policy.family import ALONE, EXPLAINS, INPUTS, OUTCOMES, PROOF
from streams.policy.incidents.course import enter, open_new, reopen, track
from streams.policy.signals.observation import Observation
from streams.policy.signals.scope import WHOLE, scope_of, siblings
from streams.policy.state import MAX_SIGNALS, Incident, Tracked

Tier = str
"""Families whose segments are judged together: all outcomes, else each family by itself."""


class Cluster(msgspec.Struct, frozen=True):
    """Where the signals of a tier that newly move do so: their segment, and all they move in."""

    scope: str
    moving: frozenset[str]


NOWHERE: Final = Cluster(WHOLE, frozenset())


class Movers(msgspec.Struct, frozen=True, kw_only=True):
    """The signals of a pane that belong somewhere, each list sorted by key.

    `openers` may open, `waiters` have alarmed but are not sustained, `joiners` may only join.
    """

    openers: list[Observation]
    waiters: list[Observation]
    joiners: list[Observation]


def assign(desk: Desk, movers: Movers) -> None:
    """Give every opener a place; let waiters and joiners in where one explains them."""
    clusters = clusters_of(desk)
    for seen in sorted(movers.openers, key=strongest):
        place(desk, seen, clusters.get(tier_of(seen), NOWHERE))
    for seen in sorted(movers.waiters, key=strongest):
        found = _match(desk, seen, clusters.get(tier_of(seen), NOWHERE))
        if found is not None:
            enter(desk, seen, found.id, "joined", _why(seen, found))
    for seen in sorted(movers.joiners, key=strongest):
        found = _match(desk, seen, clusters.get(tier_of(seen), NOWHERE))
        if found is not None and len(desk.signals) < MAX_SIGNALS:
            enter(desk, seen, found.id, "joined", _why(seen, found))


def place(desk: Desk, seen: Observation, cluster: Cluster, leaving: str = "") -> None:
    """Open, join or reopen for a signal entitled to fire; `leaving` is not asked."""
    before = desk.signals.get(seen.key)
    found = _former(desk, before) or _match(desk, seen, cluster, leaving)
    if found is not None:
        enter(desk, seen, found.id, "joined", _why(seen, found))
        return
    for over in desk.ended_incidents():
        if over.id == leaving:
            continue
        if _echoes(desk, seen, over, cluster):
            kept = before or track(desk, seen, "pending")
            desk.put(replace(kept, breaches=kept.breaches + 1, heard=desk.now))
            desk.say("echo", f"its window still holds rows of {over.kind}", seen.key, over.id)
            return
        if _returns(desk, seen, over, cluster):
            reopen(desk, over.id)
            enter(desk, seen, over.id, "joined", "it breached again within the cool-down")
            return
    if not open_new(desk, seen, cluster.scope) and before is None:
        desk.put(track(desk, seen, "pending"))


def _former(desk: Desk, tracked: Tracked | None) -> Incident | None:
    """The incident a signal that cools down has left while others still fire in it."""
    if tracked is None or tracked.phase != "cooling" or tracked.closed_by_person:
        return None
    incident = desk.incidents.get(tracked.incident)
    return incident if incident is not None and incident.ended is None else None


def clusters_of(desk: Desk) -> dict[tuple[Tier, str], Cluster]:
    """Per tier and version, the scope of what moves there and is in no incident yet."""
    fresh: dict[tuple[Tier, str], set[str]] = {}
    moving: dict[tuple[Tier, str], set[str]] = {}
    for key, seen in desk.seen.items():
        tracked = desk.signals.get(key)
        if seen.moves and not (tracked is not None and tracked.phase in ALIVE):
            fresh.setdefault(tier_of(seen), set()).add(key.signal)
            moving.setdefault(tier_of(seen), set()).add(key.segment)
    by_signal: dict[tuple[str, str], list[Observation]] = {}
    for key, seen in desk.seen.items():
        by_signal.setdefault((key.version, key.signal), []).append(seen)
    found: dict[tuple[Tier, str], Cluster] = {}
    for (tier, version), signals in fresh.items():
        part = [o for signal in sorted(signals) for o in by_signal[version, signal]]
        found[tier, version] = Cluster(scope_of(part), frozenset(moving[tier, version]))
    return found


def tier_of(seen: Observation) -> tuple[Tier, str]:
    """The cluster a signal belongs to."""
    return ("outcomes" if seen.family in OUTCOMES else seen.family, seen.key.version)


def strongest(seen: Observation) -> tuple[object, ...]:
    """Sort key: causes before consequences, alarms and red before the rest, then by name."""
    return (-PROOF[seen.family], not seen.alarm, seen.severity != "red", seen.key)


def _match(desk: Desk, seen: Observation, cluster: Cluster, leaving: str = "") -> Incident | None:
    """The open incident that shares this signal's cause: its own kind before one explaining it."""
    fitting = [
        incident
        for incident in desk.open_incidents()
        if incident.id != leaving and _fits(desk, seen, incident, cluster)
    ]
    own = [i for i in fitting if i.kind == seen.family]
    return next(iter(own or fitting), None)


def _fits(desk: Desk, seen: Observation, incident: Incident, cluster: Cluster) -> bool:
    """Whether the signal and the open incident share a cause."""
    family, kind = seen.family, incident.kind
    if not _same_world(seen, incident) or not (seen.alarm or desk.is_loud(incident.id)):
        return False
    if ALONE & {family, kind}:
        known = desk.knows(incident.id, seen.key.signal)
        return family == kind and (known or _at_once(desk, seen, incident))
    if PROOF[family] > PROOF[kind]:
        return _overrules(desk, seen, incident, cluster)
    if family in INPUTS:
        if desk.knows(incident.id, seen.key.signal):
            return True
        lasting = family == kind == "covariate_drift" and _compatible(desk, seen, incident, cluster)
        return lasting or _at_once(desk, seen, incident)
    if family == kind:
        return _compatible(desk, seen, incident, cluster)
    if family not in EXPLAINS[kind] or not _covers(desk, seen, incident, cluster):
        return False
    # Joining pages nobody, a metric only says how bad it is, and outcomes explain each other
    # while they last. An alarm of its own long after the inputs moved has another cause.
    free = not seen.alarm or family == "performance_drop" or kind not in INPUTS
    return free or _at_once(desk, seen, incident)


def _overrules(desk: Desk, seen: Observation, incident: Incident, cluster: Cluster) -> bool:
    """Whether a signal is a cause that shows after its consequence opened the incident.

    It must be proven by itself and have moved as early, unless it is the same input.
    """
    family = seen.family
    if not seen.alarm or not (incident.kind in EXPLAINS[family] or family in INPUTS):
        return False
    if family in INPUTS and desk.knows(incident.id, seen.key.signal):
        return True
    reaches = _reaches(family, cluster.scope, incident.segment)
    return reaches and _at_once(desk, seen, incident)


def _same_world(seen: Observation, incident: Incident) -> bool:
    """Inputs are the world of every version; what a version makes of them is its own."""
    return (
        seen.key.version in incident.versions
        or bool(INPUTS & {seen.family, incident.kind})
        or seen.family == incident.kind
    )


def _at_once(desk: Desk, seen: Observation, incident: Incident) -> bool:
    """Whether the signal began to move when the incident's cause did, lag allowed for."""
    late = seen.family in OUTCOMES or seen.family == "prediction_drift"
    slack = desk.rules.lag if late or incident.kind in OUTCOMES else desk.rules.young
    began = incident.opened if incident.change_point is None else incident.change_point
    return began - slack <= seen.onset <= incident.moved + slack


def _compatible(desk: Desk, seen: Observation, incident: Incident, cluster: Cluster) -> bool:
    """Whether two movements of one family may be one: same segment, or widened while young."""
    if incident.segment == cluster.scope or WHOLE in (incident.segment, cluster.scope):
        apart = any(siblings(incident.segment, other) for other in cluster.moving)
        return not apart or _at_once(desk, seen, incident)
    return _at_once(desk, seen, incident)


def _covers(desk: Desk, seen: Observation, incident: Incident, cluster: Cluster) -> bool:
    """Whether the incident's segment can explain a consequence where it shows."""
    if not _reaches(incident.kind, incident.segment, cluster.scope):
        return False
    if incident.segment in (WHOLE, cluster.scope):
        return True
    return _compatible(desk, seen, incident, cluster)


def _reaches(kind: Kind, cause: str, effect: str) -> bool:
    """A fault of data does not move one segment alone while it is in the whole, or elsewhere."""
    return kind != "data_quality" or effect in (cause, WHOLE)


def _echoes(desk: Desk, seen: Observation, over: Incident, cluster: Cluster) -> bool:
    """Whether an incident that is over still explains the signal, by rows in its window."""
    if seen.family not in EXPLAINS[over.kind] or not _same_world(seen, over):
        return False
    calm = over.calmed if over.calmed is not None else over.ended
    reaches_back = calm is not None and seen.window_start < calm
    return reaches_back and _covers(desk, seen, over, cluster)


def _returns(desk: Desk, seen: Observation, over: Incident, cluster: Cluster) -> bool:
    """Whether the signal takes up an incident that is cooling down."""
    if over.closed_by_person or desk.now >= over.cool_until:
        return False
    tracked = desk.signals.get(seen.key)
    if tracked is not None and tracked.phase == "cooling" and tracked.incident == over.id:
        return True
    alike = seen.family == over.kind or {seen.family, over.kind} <= INPUTS
    weaker = PROOF[seen.family] <= PROOF[over.kind]
    return alike and weaker and _fits(desk, seen, over, cluster)


def _why(seen: Observation, incident: Incident) -> str:
    """Why a signal joins."""
    if seen.family == incident.kind:
        return f"moves with the {incident.kind} of this incident"
    if PROOF[seen.family] > PROOF[incident.kind]:
        return f"{seen.family} that began with this incident and explains it"
    return f"follows from the {incident.kind} of this incident"
