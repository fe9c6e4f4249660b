"""Every signal's step at a pane: who waits, who fires on, who turns, who is over.

Promises: whoever is entitled to an incident is handed on, never lost; a detector that is spent
without an incident is restarted, so that it cannot alarm for ever.
Leaves to others: the table (`states`), the incident (`incidents.grouping`).
"""

from typing import Final

from msgspec.structs import replace

from streams.policy.desk import ALIVE, Desk
from streams.policy.family import INPUTS, PROOF
from streams.policy.incidents.course import cause_moved, leave, slim, track
from streams.policy.incidents.drift import announce
from streams.policy.incidents.explain import leading, sentence
from streams.policy.incidents.grouping import Movers
from streams.policy.severity import RANK, is_still
from streams.policy.signals.observation import Observation
from streams.policy.signals.states import Patience, Step, step
from streams.policy.state import MAX_SIGNALS, Tracked

OPPOSITES: Final = frozenset(
    frozenset(pair)
    for pair in (("up", "down"), ("rise", "fall"), ("rose", "fell"), ("higher", "lower"))
)
LONGEST_CALM: Final = 48
"""Panes inside the tolerance after which any signal is over: nearly all of its window is new."""

TURNED_SHARE: Final = 0.5
"""A cell has reversed when it moved back across its reference by half of what it had moved."""


def advance(desk: Desk) -> Movers:
    """Take every observed signal one step; those that need an incident are returned."""
    movers = Movers(openers=[], waiters=[], joiners=[])
    for key in sorted(desk.seen):
        seen = desk.seen[key]
        tracked = desk.signals.get(key)
        phase = tracked.phase if tracked is not None else None
        counts = (tracked.breaches, tracked.clears) if tracked is not None else (0, 0)
        found = step(phase, seen.given(phase), *counts, _patience(desk, tracked))
        if tracked is None:
            _quiet(desk, seen, found, movers)
        elif tracked.phase == "pending":
            _pending(desk, seen, tracked, found, movers)
        elif tracked.phase in ALIVE:
            _alive(desk, seen, tracked, found)
        else:
            _cooling(desk, seen, tracked, found, movers)
    return movers


def _patience(desk: Desk, tracked: Tracked | None) -> Patience:
    """Who has come back must be calm for twice as long each time, up to a window of panes."""
    rule = desk.rules.patience
    if tracked is None or not tracked.returns:
        return rule
    most = max(rule.resolve_after, LONGEST_CALM)
    return replace(rule, resolve_after=min(rule.resolve_after << tracked.returns, most))


def _quiet(desk: Desk, seen: Observation, found: Step, movers: Movers) -> None:
    """A signal not remembered: it opens, waits, or may join."""
    if found.act == "stay":
        if seen.joins:
            movers.joiners.append(seen)
        return
    if len(desk.signals) >= MAX_SIGNALS:
        desk.say("suppressed", f"{MAX_SIGNALS} signals are remembered already", seen.key)
        return
    if found.act == "open":
        movers.openers.append(seen)
        return
    desk.put(replace(track(desk, seen, "pending"), breaches=found.breaches, clears=found.clears))
    needed = desk.rules.patience.sustained
    desk.say("pending", f"breached in {found.breaches} of {needed} judged panes", seen.key)
    if seen.alarm:
        movers.waiters.append(seen)


def _pending(desk: Desk, seen: Observation, tracked: Tracked, found: Step, movers: Movers) -> None:
    """A signal that waits to be sustained."""
    if found.act == "open":
        movers.openers.append(seen)
    elif found.act in ("drop", "restart"):
        desk.forget(seen.key)
        if found.act == "restart":
            desk.restart([seen.key])
        desk.say("dropped", "back inside the tolerance before it was sustained", seen.key)
    elif seen.judged:
        desk.put(replace(tracked, breaches=found.breaches, clears=found.clears, heard=desk.now))
        needed = desk.rules.patience.sustained
        desk.say("pending", f"breached in {found.breaches} of {needed} judged panes", seen.key)
        if not seen.inside and seen.severity is not None:
            movers.waiters.append(seen)


def _alive(desk: Desk, seen: Observation, tracked: Tracked, found: Step) -> None:
    """A signal that fires or is resolving: its severity, its direction, its end."""
    if not seen.judged:
        return
    if found.act == "resolve":
        leave(desk, tracked, f"inside the tolerance for {found.clears} judged panes")
        return
    phase = tracked.phase
    if found.act == "calm":
        phase = "resolving"
        desk.say("resolving", "back inside the tolerance", seen.key, tracked.incident)
    elif found.act == "back":
        phase = "firing"
    since = tracked.since if phase == tracked.phase else desk.now
    tracked = replace(
        tracked,
        phase=phase,
        since=since,
        heard=desk.now,
        breaches=found.breaches,
        clears=found.clears,
    )
    if phase == "firing":
        tracked = replace(tracked, last=slim(seen.finding, tracked.last))
        tracked = _proven(desk, seen, tracked)
        tracked = _graded(desk, seen, tracked)
        tracked = _turned(desk, seen, tracked)
    desk.put(tracked)


def _cooling(desk: Desk, seen: Observation, tracked: Tracked, found: Step, movers: Movers) -> None:
    """A signal that was resolved lately: it reopens, or what it says is counted only."""
    if found.act == "reopen" and not tracked.closed_by_person:
        movers.openers.append(seen)
        return
    desk.put(replace(tracked, breaches=found.breaches, clears=found.clears, heard=desk.now))
    if seen.alarm:
        desk.state = replace(desk.state, suppressed=desk.state.suppressed + 1)
        desk.say("suppressed", "it is cooling down", seen.key, tracked.incident)
    elif seen.joins and not tracked.closed_by_person:
        movers.joiners.append(seen)


def _proven(desk: Desk, seen: Observation, tracked: Tracked) -> Tracked:
    """A member that alarms by itself, or in a worse way, may give its incident a class."""
    if not seen.alarm:
        return tracked
    stronger = PROOF[seen.family] > PROOF[tracked.family]
    first = not tracked.alarmed
    if not stronger and not first:
        return tracked
    incident = desk.incidents[tracked.incident]
    young = desk.now - incident.opened <= desk.rules.lag
    if young or seen.family in INPUTS or PROOF[seen.family] <= PROOF[incident.kind]:
        cause_moved(desk, incident.id, seen)
        family = seen.family if stronger else tracked.family
        return replace(tracked, alarmed=True, family=family)
    return replace(tracked, alarmed=True)


def _graded(desk: Desk, seen: Observation, tracked: Tracked) -> Tracked:
    """Severity rises at once; it falls once, clearly, after as many panes as resolving takes."""
    limits = desk.rules.limits_of(seen.key)
    if seen.severity is None or RANK[seen.severity] == RANK[tracked.severity]:
        return replace(tracked, milder=0)
    was = tracked.severity
    if RANK[seen.severity] > RANK[was]:
        tracked = replace(tracked, severity=seen.severity, milder=0)
        why = sentence(seen.finding, seen.severity, limits)
        announce(desk, tracked, "escalated", why, previous=was)
        desk.say("escalated", why, seen.key, tracked.incident)
        if tracked.alarmed and seen.family == tracked.family:
            cause_moved(desk, tracked.incident, seen)  # it was too mild to be the cause
        return tracked
    if tracked.fallen or is_still(was, seen.finding, seen.family, limits):
        return replace(tracked, milder=0)
    if tracked.milder + 1 < desk.rules.patience.resolve_after:
        return replace(tracked, milder=tracked.milder + 1)
    tracked = replace(tracked, severity=seen.severity, milder=0, fallen=True)
    why = sentence(seen.finding, seen.severity, limits)
    announce(desk, tracked, "deescalated", why, previous=was)
    desk.say("deescalated", why, seen.key, tracked.incident)
    return tracked


def _turned(desk: Desk, seen: Observation, tracked: Tracked) -> Tracked:
    """A signal that now departs another way: the old departure is over, a new one opens.

    Not while it is young: a window that still fills changes its leading cells by itself.
    """
    if desk.now - max(tracked.opened, tracked.turned) < desk.rules.young:
        return tracked
    why = _reversal(seen, tracked)
    if not why:
        return tracked
    announce(desk, tracked, "resolved", f"superseded: {why}", previous=tracked.severity)
    lead = leading(seen.finding.cells, 1)
    tracked = replace(
        tracked,
        turned=desk.now,
        lead=lead[0].name if lead else "",
        lead_shift=lead[0].current - lead[0].reference if lead else 0.0,
        direction=seen.finding.direction,
    )
    announce(desk, tracked, "opened", f"supersedes its former departure: {why}")
    desk.say("superseded", why, seen.key, tracked.incident)
    cause_moved(desk, tracked.incident, seen)
    return tracked


def _reversal(seen: Observation, tracked: Tracked) -> str:
    """In words how the departure differs from the one that opened; empty if it does not."""
    now = seen.finding.direction
    if frozenset({now, tracked.direction}) in OPPOSITES:
        return f"it moves {now}, not {tracked.direction} as before"
    if not tracked.lead:
        return ""
    shifts = {cell.name: cell.current - cell.reference for cell in seen.finding.cells}
    shift = shifts.get(tracked.lead)
    if shift is None:
        lead = leading(seen.finding.cells, 1)
        return f"{lead[0].name!r} leads, not {tracked.lead!r} as before" if lead else ""
    if shift * tracked.lead_shift < 0 and abs(shift) >= TURNED_SHARE * abs(tracked.lead_shift):
        return f"{tracked.lead!r} moved the other way"
    return ""
