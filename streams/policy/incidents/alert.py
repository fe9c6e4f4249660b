"""Alerts: one per incident, told again only when it is materially different.

Promises: an alert is a function of the incident and its signals; at most MOST_SIGNALS signals
and MOST_SEGMENTS segments, so it stays far below 50 KB; an unchanged incident is silent; a
silenced one is told when the silence ends.
Leaves to others: sending.
"""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from schemas.instants import rfc3339
from schemas.output_parts import Annotations, Performance, SignalInIncident
from schemas.outputs import Alert, finite
from schemas.vocabulary import AlertStatus, RecommendedAction
from streams.policy.desk import ALIVE, Desk, identity
from streams.policy.family import INPUTS, SWINGS
from streams.policy.incidents.course import causes
from streams.policy.incidents.drift import effect_of
from streams.policy.incidents.escalation import is_escalated
from streams.policy.incidents.explain import place, sentence
from streams.policy.incidents.triage import ACTION, decisions_held, triage
from streams.policy.rules import Route, matches
from streams.policy.severity import RANK
from streams.policy.signals.almanac import silences
from streams.policy.signals.scope import WHOLE, size_of
from streams.policy.state import Incident, Told, Tracked

MOST_SIGNALS: Final = 20
MOST_SEGMENTS: Final = 20
GREW: Final = 2
"""An incident has grown materially when so many times as many signals are its cause."""


def tell(desk: Desk) -> None:
    """Put the alerts of this pane on the desk."""
    for name in sorted(desk.incidents):
        incident = desk.incidents[name]
        if incident.told is None and incident.ended is None and incident.opened == desk.now:
            held = decisions_held(desk, incident.versions)
            incident = replace(incident, decisions_held=held)
            desk.incidents[name] = incident
        members = desk.members(name)
        now = _told(desk, incident, members)
        if now is None or not _material(incident.told, now):
            continue
        if now.status == "firing" and _silenced(desk, members):
            desk.say("silenced", "all its signals are silenced", None, name)
            continue
        before = incident.told
        incident = replace(incident, told=now)
        desk.incidents[name] = incident
        desk.alerts.append(_alert(desk, incident, members, now.status))
        said = "first alert" if before is None else _difference(before, now)
        desk.say("alerted", said, None, name)


def _silenced(desk: Desk, members: list[Tracked]) -> bool:
    """Whether every signal that fires is silenced."""
    in_force = list(silences(desk))
    alive = [t for t in members if t.phase in ALIVE]
    return bool(alive) and all(
        any(matches(s.signal, t.key.signal) and matches(s.segment, t.key.segment) for s in in_force)
        for t in alive
    )


def _told(desk: Desk, incident: Incident, members: list[Tracked]) -> Told | None:
    """What an alert would say now; None where there is nothing to say."""
    status: AlertStatus = "firing" if incident.ended is None else "resolved"
    if status == "resolved" and incident.told is None:
        return None
    alive = [t for t in members if t.alarmed and t.phase in ALIVE]
    return Told(
        status=status,
        severity=incident.severity,
        kind=incident.kind,
        segment=incident.segment,
        causes=max(1, len(causes(alive, incident.kind))),
        owner=incident.owner or _route(desk, incident).owner,
        acknowledged_by=incident.acknowledged_by,
        remark=incident.remark,
        escalated=is_escalated(desk, incident),
    )


def _material(before: Told | None, now: Told) -> bool:
    """Whether it is worth telling again. A resolved incident only has remarks to add."""
    if before is None:
        return True
    if "resolved" in (before.status, now.status):
        return before.status != now.status or before.remark != now.remark
    if now.causes >= GREW * before.causes + 1:
        return True
    return replace(now, causes=before.causes) != before


def _difference(before: Told, now: Told) -> str:
    """Why an alert is told again."""
    if now.remark != before.remark:
        return now.remark
    if now.escalated and not before.escalated:
        return "red, and nobody has acknowledged it"
    if now.status == "resolved":
        return "resolved"
    return f"now {now.severity} {now.kind} in {now.segment} with {now.causes} causes"


def _alert(desk: Desk, incident: Incident, members: list[Tracked], status: AlertStatus) -> Alert:
    """The alert of an incident as it stands."""
    alive = [t for t in members if t.phase in ALIVE]
    shown = alive or members
    ranked = ranked_signals(shown, incident)
    version = incident.versions[-1]
    route = _route(desk, incident)
    where = place(desk.rules.model, version, incident.segment)
    leader = next((t for t in ranked if t.family == incident.kind), ranked[0] if ranked else None)
    summary = (
        ""
        if leader is None
        else sentence(leader.last, leader.severity, desk.rules.limits_of(leader.key))
    )
    if len(shown) > 1:
        rest = len(shown) - 1
        summary += f"; {rest} more signal{'s' if rest > 1 else ''} moved"
    if incident.remark:
        summary += f"; {incident.remark}"
    return Alert(
        status=status,
        sequence=max(0, desk.sequence),
        recommended_action=action_of(desk, incident),
        acknowledged_by=incident.acknowledged_by or None,
        incident_id=incident.id,
        fingerprint=identity("fingerprint", desk.rules.model, incident.id),
        severity=incident.severity,
        model=desk.rules.model,
        version=version,
        title=f"{where}: {incident.kind.replace('_', ' ')} ({incident.severity})",
        summary=summary,
        triage=triage(desk, incident, shown),
        segments=_segments(incident, shown),
        signals=tuple(_signals(desk, ranked)),
        performance=_performance(desk, version, shown),
        starts_at=rfc3339(incident.opened),
        updated_at=rfc3339(desk.now),
        ends_at=None if incident.ended is None else rfc3339(incident.ended),
        labels=_labels(desk, incident, version, route),
        annotations=Annotations(runbook_url=route.runbook or None),
        owner=incident.owner or route.owner or None,
        advice=incident.advice,
        breadth=next((t.last.breadth for t in ranked if _tells_breadth(t, incident)), None),
    )


def action_of(desk: Desk, incident: Incident) -> RecommendedAction:
    """What to do: by class, unless the incident asked for a rollback or is past retraining."""
    if incident.asked.rollback:
        return "rollback"
    if incident.asked.attempts >= desk.rules.retraining.attempts and incident.asked.open_again:
        return "investigate"
    if incident.kind == "covariate_drift" and not _hurts(desk, incident):
        moved = desk.now - incident.opened
        # What has lasted long without hurting anybody is how the world is now.
        return "accept_as_new_normal" if moved > desk.rules.per else ACTION[incident.kind]
    if incident.kind == "performance_drop" and _swings(desk, incident):
        return "investigate"
    return ACTION[incident.kind]


def ranked_signals(members: list[Tracked], incident: Incident) -> list[Tracked]:
    """Signals by contribution: the cause first, then by severity and size."""

    def weight(t: Tracked) -> tuple[object, ...]:
        size = _size(t)
        return (t.family != incident.kind, not t.alarmed, -RANK[t.severity], -size, t.key)

    return sorted(members, key=weight)


def _tells_breadth(t: Tracked, incident: Incident) -> bool:
    """Whether a signal can say how broad its incident is: the cause's can."""
    return t.family == incident.kind and t.last.breadth is not None


def _signals(desk: Desk, ranked: list[Tracked]) -> Iterable[SignalInIncident]:
    """The leading signals, each with its share of all sizes."""
    total = sum(_size(t) for t in ranked)
    for t in ranked[:MOST_SIGNALS]:
        yield SignalInIncident(
            signal=t.key.signal,
            segment=t.key.segment,
            kind=t.family,
            detector=t.last.detector,
            severity=t.severity,
            contribution=round(min(1.0, _size(t) / total), 6) if total > 0 else 0.0,
            statistic=finite(t.last.statistic),
            threshold=finite(t.last.threshold),
            effect=effect_of(t.last.effect),
            explanation=sentence(t.last, t.severity, desk.rules.limits_of(t.key)),
        )


def _size(t: Tracked) -> float:
    """The size of a signal's effect on one rough scale: PSI, a fall, or tolerances."""
    psi = t.last.effect.psi
    size = abs(psi) if psi is not None else size_of(t.last)
    return size if size is not None and size == size and size < 1e9 else 0.0  # noqa: PLR0124, PLR2004


def _segments(incident: Incident, members: list[Tracked]) -> tuple[str, ...]:
    """The incident's own segment first, then those its signals move in."""
    rest = sorted({t.key.segment for t in members} - {incident.segment})
    return (incident.segment, *rest)[:MOST_SEGMENTS]


def _performance(desk: Desk, version: str, members: list[Tracked]) -> Performance:
    """The metric that fell most, realised against baseline; without one, how the version stands.

    What is estimated is of the present predictions, what is realised of those that have labels.
    """
    known = desk.standing.performance.get(version, Performance())
    metrics = [t for t in members if t.family == "performance_drop" and t.last.effect.baseline]
    if not metrics:
        return known
    worst = max(metrics, key=lambda t: (t.last.effect.fall_ratio or 0.0, t.key))
    name = worst.key.signal.partition(":")[2] or worst.key.signal
    effect = worst.last.effect
    same = name == known.metric and worst.key.segment == WHOLE and worst.key.version == version
    return Performance(
        metric=name,
        estimated=known.estimated if same else None,
        realised=finite(effect.current),
        baseline=finite(effect.baseline),
    )


def _hurts(desk: Desk, incident: Incident) -> bool:
    """Whether anything but inputs and predictions moves in the incident."""
    quiet = INPUTS | {"prediction_drift"}
    return any(t.family not in quiet for t in desk.alive(incident.id))


def _swings(desk: Desk, incident: Incident) -> bool:
    """Whether nothing in the incident fell: its panes are better and worse in turn."""
    return {SWINGS} == {t.key.signal for t in desk.members(incident.id)}


def _route(desk: Desk, incident: Incident) -> Route:
    if not desk.rules.routes:
        return Route()
    signals = [t.key.signal for t in causes(desk.members(incident.id), incident.kind)]
    return desk.rules.route(incident.kind, incident.severity, incident.segment, signals)


def _labels(desk: Desk, incident: Incident, version: str, route: Route) -> dict[str, str]:
    """Labels for routing, as Alertmanager has them."""
    labels = {
        "alertname": incident.kind,
        "model": desk.rules.model,
        "version": version,
        "segment": incident.segment,
        "severity": incident.severity,
    }
    sink = route.sink
    if is_escalated(desk, incident):
        labels["escalated"] = "true"
        escalation = desk.rules.escalation
        sink = escalation.sink or sink
        if escalation.owner:
            labels["escalated_to"] = escalation.owner
    return {**labels, "sink": sink} if sink else labels
