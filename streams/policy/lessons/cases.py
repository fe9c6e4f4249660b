"""Cases: what is kept of incidents to learn from, with the verdicts people give them.

Promises: bounded; a verdict is given once, also of an incident that is over and forgotten by all
else; what was measured is kept as it was, so a threshold can be tried on it later.
Leaves to others: what follows (`advice`, `record`).
"""

from typing import Final, Literal

from msgspec.structs import replace

from schemas.finding import Finding
from schemas.inputs import ModelEvent
from schemas.log import Millis
from streams.policy.desk import Desk, identity
from streams.policy.severity import fall_of
from streams.policy.signals.scope import size_of
from streams.policy.state import MAX_KEPT, Case, Incident, Missed, Peak, Tracked

MOST_PEAKS: Final = 4
MOST_TRAIL: Final = 24
MOST_TEXT: Final = 256


def keep(desk: Desk) -> None:
    """Bring the cases of incidents that are open, or just over, up to date."""
    cases = {case.id: case for case in desk.state.cases}
    for incident in sorted(desk.incidents.values(), key=lambda i: (i.opened, i.id)):
        case = cases.get(incident.id)
        if case is not None and case.ended is not None and case.ended == incident.ended:
            continue
        found = _updated(desk, incident, case)
        if found is not None:
            cases[incident.id] = found
    kept = sorted(cases.values(), key=lambda case: (case.opened, case.id))[-MAX_KEPT:]
    if tuple(kept) != desk.state.cases:
        desk.state = replace(desk.state, cases=tuple(kept))


def judge(desk: Desk, event: ModelEvent) -> Case | None:
    """Write a verdict into its case; None if there is none, or it has a verdict already."""
    case = next((one for one in desk.state.cases if one.id == event.incident_id), None)
    if case is None or case.verdict:
        return None
    judged = replace(
        case,
        verdict=event.verdict or "unknown",
        judged=desk.now,
        author=(event.author or "")[:MOST_TEXT],
        root_cause=(event.root_cause or "")[:MOST_TEXT],
        resolution=(event.resolution or "")[:MOST_TEXT],
        prevention=(event.prevention or "")[:MOST_TEXT],
    )
    kept = tuple(judged if one.id == case.id else one for one in desk.state.cases)
    desk.state = replace(desk.state, cases=kept)
    return judged


def miss(desk: Desk, event: ModelEvent, start: Millis, end: Millis) -> bool:
    """Note an incident that nobody was told of; False if it is known."""
    name = event.id or identity("missed", start, end)
    if any(one.id == name for one in desk.state.missed):
        return False
    missed = (*desk.state.missed, Missed(name, start, end))
    desk.state = replace(desk.state, missed=missed[-MAX_KEPT:])
    return True


def measured(finding: Finding) -> tuple[Literal["psi", "fall", "size"], float]:
    """The size of an effect by the measure that its severity goes by."""
    fall = fall_of(finding)
    if fall is not None:
        return "fall", fall
    if finding.effect.psi is not None:
        return "psi", finding.effect.psi
    return "size", size_of(finding) or 0.0


def _updated(desk: Desk, incident: Incident, case: Case | None) -> Case | None:
    """The case of an incident as it is now; None while it has no member yet."""
    if case is None:
        first = _opener(desk, incident)
        if first is None:
            return None
        measure, size = measured(first.last)
        opened = Peak(first.key.signal, first.key.segment, measure, size)
        case = Case(
            id=incident.id,
            kind=incident.kind,
            segment=incident.segment,
            detector=first.last.detector,
            opened=incident.opened,
            peaks=(opened,),
        )
    case = replace(
        case,
        kind=incident.kind,
        segment=incident.segment,
        changed=incident.change_point,
        acknowledged=incident.acknowledged,
        ended=incident.ended,
    )
    return case if incident.ended is not None else _measure(desk, incident, case)


def _opener(desk: Desk, incident: Incident) -> Tracked | None:
    """The signal that an incident began with: of its first pane, its own kind before others."""
    first = [t for t in desk.alive(incident.id) if t.alarmed and t.opened <= incident.opened]
    return min(first, key=lambda t: (t.family != incident.kind, t.key), default=None)


def _measure(desk: Desk, incident: Incident, case: Case) -> Case:
    """Add what the members show at this pane."""
    peaks = {(peak.signal, peak.segment): peak for peak in case.peaks}
    lead = case.peaks[0]
    trail = case.trail
    for t in desk.alive(incident.id):
        seen = desk.seen.get(t.key)
        if not t.alarmed or t.phase != "firing" or seen is None or not seen.judged:
            continue
        measure, size = measured(seen.finding)
        place = t.key.signal, t.key.segment
        former = peaks.get(place)
        if former is None or size > former.size:
            peaks[place] = Peak(*place, measure, round(size, 6))
        if place == (lead.signal, lead.segment) and len(trail) < MOST_TRAIL:
            trail = (*trail, round(size, 6))
    first = peaks.pop((lead.signal, lead.segment))
    rest = sorted(peaks.values(), key=lambda p: (-p.size, p.signal, p.segment))
    return replace(case, peaks=(first, *rest)[:MOST_PEAKS], trail=trail)
