"""When to ask for the way back: far below the baseline, or a spike just after a deployment.

Promises: one request per incident and version; none where data are at fault or where no other
version was ever known.
Leaves to others: what a deployer does with it.
"""

from msgspec.structs import replace

from schemas.log import Millis
from schemas.output_parts import Ground
from schemas.outputs import RollbackRequest
from streams.policy.desk import Desk, identity
from streams.policy.incidents.explain import sentence
from streams.policy.severity import fall_of
from streams.policy.state import Incident, Tracked, Version

QUALITY = ("performance_drop", "concept_drift")


def consider(desk: Desk) -> None:
    """Put the rollback requests of this pane on the desk, or say why not."""
    for incident in sorted(desk.open_incidents(), key=lambda i: (i.opened, i.id)):
        if incident.asked.rollback:
            continue
        found = [
            (t, why) for t in desk.alive(incident.id) if (why := _why(desk, t, incident)) != ""
        ]
        if found:
            _ask(desk, incident, found)


def note_versions(desk: Desk) -> None:
    """Remember which versions there are, in the order they were first seen."""
    known = {version.name for version in desk.state.versions}
    fresh = sorted({key.version for key, seen in desk.seen.items() if seen.judged} - known)
    if fresh:
        added = tuple(Version(name=name, seen=desk.now) for name in fresh)
        desk.state = replace(desk.state, versions=(*desk.state.versions, *added)[-64:])


def predecessor(versions: tuple[Version, ...], name: str) -> str | None:
    """The version that served before `name`; None if none is known."""
    ranked = sorted((v for v in versions), key=lambda v: (_since(v), v.name))
    before = [v.name for v in ranked if not v.withdrawn and v.name != name]
    mine = next((v for v in ranked if v.name == name), None)
    if mine is not None:
        older = [v.name for v in ranked if not v.withdrawn and _since(v) < _since(mine)]
        return older[-1] if older else None
    return before[-1] if before else None


def _since(version: Version) -> Millis:
    """When a version began to serve, as far as anyone said."""
    known = (version.seen, version.deployed, version.promoted)
    return min(instant for instant in known if instant is not None)


def _why(desk: Desk, t: Tracked, incident: Incident) -> str:
    """Why a member's version should go back; empty if it need not."""
    if not t.alarmed or t.phase != "firing" or t.family not in QUALITY:
        return ""
    rules, fall = desk.rules, fall_of(t.last)
    far = rules.rollback_at is not None and fall is not None and fall >= rules.rollback_at
    if far and t.key.segment == "*" and rules.rollback_at is not None:
        return f"more than {100 * rules.rollback_at:g} % below its baseline"
    version = next((v for v in desk.state.versions if v.name == t.key.version), None)
    starts = [] if version is None else [version.deployed, version.promoted]
    for start in starts:
        within = rules.spike_within
        if start is None or within is None or t.severity != "red":
            continue
        if start <= incident.opened <= start + within + rules.pane:
            return "it fell this far just after its deployment"
    return ""


def _ask(desk: Desk, incident: Incident, found: list[tuple[Tracked, str]]) -> None:
    """Ask once for an incident; or say why going back would not help."""
    worst, why = max(found, key=lambda pair: (fall_of(pair[0].last) or 0.0, pair[0].key))
    version = worst.key.version
    target = predecessor(desk.state.versions, version)
    bar = ""
    if incident.kind == "data_quality":
        bar = "data are at fault: the version before would suffer too"
    elif target is None:
        bar = "no version before this one is known"
    if bar:
        # Said when the signal moves, not at every pane it stays moved.
        if worst.since == desk.now:
            desk.say("rollback_held", bar, worst.key, incident.id)
        return
    said = sentence(worst.last, worst.severity, desk.rules.limits_of(worst.key))
    desk.rollback_requests.append(
        RollbackRequest(
            request_id=identity("rollback", desk.rules.model, incident.id, version),
            model=desk.rules.model,
            version=version,
            to_version=target,
            reason=f"{why}: {said}",
            severity=worst.severity,
            evidence=tuple(
                Ground(
                    explanation=sentence(t.last, t.severity, desk.rules.limits_of(t.key)),
                    incident_id=incident.id,
                    signal=t.key.signal,
                    segment=t.key.segment,
                    kind=t.family,
                    severity=t.severity,
                )
                for t, _ in found[:10]
            ),
        )
    )
    desk.say("rollback_requested", why, worst.key, incident.id)
    asked = replace(incident.asked, rollback=True)
    desk.incidents[incident.id] = replace(incident, asked=asked)
