"""Retrain requests: which rows, how weighted, what the new version must show, and why.

Promises: a pure function of a cause; the id is the same however often the cause is repeated.
After a change of concept only rows after it; otherwise the history is kept and what came after
the change counts double. Stretches of faulty data are excluded.
Leaves to others: whether to ask (`retrain`).
"""

from typing import Final

import msgspec

from schemas.instants import rfc3339
from schemas.log import Millis
from schemas.output_parts import Bound, DataWindow, Exclusion, Gates, Ground, Suggestion, Weight
from schemas.outputs import RetrainRequest
from schemas.vocabulary import Strategy, Trigger, Urgency
from streams.policy.desk import Desk, identity
from streams.policy.family import OUTCOMES
from streams.policy.incidents.alert import ranked_signals
from streams.policy.incidents.explain import sentence
from streams.policy.state import Incident

MOST_GROUNDS: Final = 10
RECENT_WEIGHT: Final = 2.0
"""Rows after the change count double: the best-supported default between forgetting and inertia."""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Why a retraining is asked for; `identity` and `attempt` make the id."""

    identity: str
    attempt: int
    incidents: tuple[Incident, ...]
    trigger: Trigger
    urgency: Urgency
    reason: str
    since: Millis | None


def request_for(desk: Desk, cause: Cause, not_before: Millis | None) -> RetrainRequest:
    """The request of a cause, sent now."""
    change = _change(desk, cause)
    after_only = cause.trigger == "external" or any(
        i.kind in ("concept_drift", "performance_drop") for i in cause.incidents
    )
    until = expiry(desk, not_before)
    only = after_only and change is not None
    window, weights = _window(desk, change, until, after_only=only)
    strategy: Strategy = "incremental"
    if cause.trigger == "schedule" or any(
        i.kind in ("concept_drift", "novelty", "performance_drop") for i in cause.incidents
    ):
        strategy = "full"
    if _overdue(desk):
        strategy = "full"
    version = _version(desk, cause)
    return RetrainRequest(
        request_id=identity("retrain", desk.rules.model, cause.identity, cause.attempt),
        model=desk.rules.model,
        version=version,
        incident_ids=tuple(i.id for i in cause.incidents),
        trigger=cause.trigger,
        urgency=cause.urgency,
        reason=_reason(desk, cause),
        requested_at=rfc3339(desk.now),
        not_before=None if not_before is None else rfc3339(not_before),
        expires_at=rfc3339(until),
        attempt=cause.attempt,
        data_window=window,
        suggestion=Suggestion(strategy=strategy, weights=weights),
        gates=_gates(desk, version),
        evidence=tuple(_grounds(desk, cause)),
    )


def _overdue(desk: Desk) -> bool:
    """Whether the model was only trained on for so long that it should be trained anew."""
    state = desk.state
    last = state.full if state.full is not None else state.began
    longest = desk.rules.retraining.full_after
    return state.partial > 0 and last is not None and desk.now - last > longest


def _gates(desk: Desk, version: str) -> Gates:
    """The gates; those beside the present version with what it shows now, where that is known."""
    retraining = desk.rules.retraining
    known = desk.standing.performance.get(version)
    metrics = dict(retraining.gates.metrics)
    for name, delta in retraining.deltas:
        value = None if known is None or known.metric != name else known.realised
        if value is not None:
            bound = metrics.get(name, Bound())
            least = value + delta if bound.min is None else max(bound.min, value + delta)
            metrics[name] = msgspec.structs.replace(bound, min=round(least, 6))
    return msgspec.structs.replace(retraining.gates, metrics=metrics)


def expiry(desk: Desk, not_before: Millis | None) -> Millis:
    """When a request that is sent now is void."""
    return max(desk.now, not_before or desk.now) + desk.rules.retraining.expires_after


def _change(desk: Desk, cause: Cause) -> Millis | None:
    """When the world changed: the estimated change points, else when the incidents opened."""
    if cause.since is not None:
        return cause.since
    return min((_began(desk, incident) for incident in cause.incidents), default=None)


def _began(desk: Desk, incident: Incident) -> Millis:
    """When the rows of an incident changed.

    What labels tell is dated by their arrival: the predictions are older by the delay of labels.
    """
    began = incident.opened if incident.change_point is None else incident.change_point
    if incident.kind not in OUTCOMES:
        return began
    told = (t.last.label_delay for t in desk.alive(incident.id) if t.family in OUTCOMES)
    return began - max(told, default=0)


def _window(
    desk: Desk, change: Millis | None, until: Millis, *, after_only: bool
) -> tuple[DataWindow, tuple[Weight, ...]]:
    """The rows to train on, up to `until`, and their weights."""
    began = desk.state.began if desk.state.began is not None else desk.now
    start = min(began - desk.rules.pane, desk.now)
    if change is not None:
        change = min(change, desk.now)
        start = change if after_only else min(start, change)
    weights: tuple[Weight, ...] = ()
    if change is not None and start < change < desk.now:
        weights = (
            Weight(start=rfc3339(start), end=rfc3339(change), weight=1.0),
            Weight(start=rfc3339(change), end=rfc3339(until), weight=RECENT_WEIGHT),
        )
    counted = desk.standing.rows_from(start)
    window = DataWindow(
        start=rfc3339(start),
        end=rfc3339(until),
        change_point=None if change is None else rfc3339(change),
        rows=None if counted is None else counted[0],
        labelled_rows=None if counted is None else counted[1],
        exclude=_exclusions(desk, start, until),
    )
    return window, weights


def _exclusions(desk: Desk, start: Millis, until: Millis) -> tuple[Exclusion, ...]:
    """The stretches inside the window that are no example: faulty data, then the calendar's."""
    found = []
    for fault in sorted(desk.state.faults, key=lambda f: (f.stretch.start, f.incident)):
        begin = max(start, fault.stretch.start)
        end = min(desk.now, desk.now if fault.stretch.end is None else fault.stretch.end)
        if begin < end:
            why = f"data_quality, incident {fault.incident}"
            found.append(Exclusion(start=rfc3339(begin), end=rfc3339(end), reason=why))
    for day in desk.rules.calendar:
        begin, end = max(start, day.start), min(until, day.end)
        if begin < end:
            why = f"calendar, {day.name}"
            found.append(Exclusion(start=rfc3339(begin), end=rfc3339(end), reason=why))
    return tuple(found)


def _version(desk: Desk, cause: Cause) -> str:
    """The version to be replaced: the incident's newest, else the newest not withdrawn."""
    for incident in cause.incidents:
        return incident.versions[-1]
    names = [version.name for version in desk.state.versions if not version.withdrawn]
    return names[-1] if names else ""


def _reason(desk: Desk, cause: Cause) -> str:
    """The reason, with the number of labels wanted."""
    labels = desk.rules.retraining.min_labels
    wanted = f"; not before {labels:,} labelled rows are in the window" if labels else ""
    return f"{cause.reason}{wanted}"


def _grounds(desk: Desk, cause: Cause) -> list[Ground]:
    """The leading signals of each incident, in words."""
    found: list[Ground] = []
    for incident in cause.incidents:
        for t in ranked_signals(desk.alive(incident.id), incident)[:MOST_GROUNDS]:
            limits = desk.rules.limits_of(t.key)
            found.append(
                Ground(
                    explanation=sentence(t.last, t.severity, limits),
                    incident_id=incident.id,
                    signal=t.key.signal,
                    segment=t.key.segment,
                    kind=t.family,
                    severity=t.severity,
                )
            )
    return found[:MOST_GROUNDS]
