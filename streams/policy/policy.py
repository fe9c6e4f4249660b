"""The policy of one model: findings and events of a closed pane in, decisions with reasons out.

Promises: a pure function of (state, pane, findings, events); the order and repetition of
findings change nothing; every call says why, also when nothing is sent; time is the model's
watermark and nothing else. The given state is never changed.
Leaves to others: statistics (monitor), envelope and sending (monitor, runtime).
"""

from collections.abc import Sequence

from msgspec.structs import replace

from schemas.config_model import ModelConfig
from schemas.finding import Finding
from schemas.inputs import ModelEvent
from schemas.lamp import Lamp
from schemas.log import Millis
from schemas.standing import UNKNOWN, Standing
from schemas.vocabulary import Severity
from streams.policy import occurrences
from streams.policy.compile import compile_rules
from streams.policy.decisions import Decisions
from streams.policy.desk import Desk
from streams.policy.family import family_of
from streams.policy.incidents import alert, escalation, grouping, settle
from streams.policy.incidents.renewal import renewed
from streams.policy.incidents.triage import refine
from streams.policy.lessons import cases
from streams.policy.retraining import retrain
from streams.policy.rollout import rollback, verdict
from streams.policy.rollout.duty import on_duty
from streams.policy.severity import severity_of
from streams.policy.signals import almanac, steps
from streams.policy.signals.floors import is_limited, with_floors
from streams.policy.signals.observation import observe
from streams.policy.state import MAX_KEPT, Fault, PolicyState, SignalKey, Stretch


class Policy:
    """Compiled once per model and config; holds no state of its own."""

    def __init__(self, config: ModelConfig, model: str, pane_ms: Millis, epoch: int = 0) -> None:
        self.rules = compile_rules(config, model, pane_ms, epoch)

    def severity(self, finding: Finding) -> Severity | None:
        """How bad one finding is by itself, for readings; None where it is no breach."""
        if finding.state != "judged" or finding.inside or not finding.alarm:
            return None
        limits = self.rules.limits_of(SignalKey(finding.version, finding.segment, finding.signal))
        return severity_of(finding, family_of(finding.signal, finding.symptom), limits)

    def acts_on(self, finding: Finding) -> bool:
        """Whether a finding can matter here: what is meant to alert, or has an absolute limit."""
        return finding.role == "alert" or is_limited(finding, self.rules.limits_of)

    def lamp(self, state: PolicyState) -> Lamp:
        """How a model in this state stands."""
        rules, ends = self.rules, state.now
        going = [one.severity for one in state.incidents if one.ended is None]
        spent = sum(1 for opened in state.openings if opened > ends - rules.per)
        return Lamp(
            model=rules.model,
            until=None if state.began is None else ends,
            incidents={"yellow": going.count("yellow"), "red": going.count("red")},
            spent=spent / rules.allowed if rules.allowed else 0.0,
        )

    def renewed(self, state: PolicyState, why: str, sequence: int) -> tuple[PolicyState, Decisions]:
        """What this epoch begins with after `state` of an earlier one, and what ends with that."""
        return renewed(state, self.rules, why, sequence)

    def judge(
        self,
        state: PolicyState,
        now: Millis,
        findings: Sequence[Finding],
        events: Sequence[tuple[Millis, ModelEvent]] = (),
        sequence: int = 0,
        standing: Standing = UNKNOWN,
    ) -> tuple[PolicyState, Decisions]:
        """The next state and what to do, for the pane that ends at `now`.

        `events` are the model's with their instants; `sequence` is the journal offset that
        closed the pane. An instant before the last one counts as the last one. `standing` is told
        along, and decides nothing.
        """
        desk = Desk(state, self.rules, max(now, state.now), sequence, standing)
        mine = [finding for finding in findings if finding.model == self.rules.model]
        acting = with_floors(mine, self.rules.limits_of)
        seen = almanac.except_holidays(desk, observe(acting, self.rules.limits_of, desk.now))
        occurrences.hear(desk, events)
        counting = on_duty(desk, seen)
        desk.seen = refine(desk, {one.key: one for one in counting})
        if desk.state.began is None:
            desk.state = replace(desk.state, began=desk.now)
        rollback.note_versions(desk)
        settle.retire(desk)
        grouping.assign(desk, steps.advance(desk))
        settle.settle(desk)
        _note_faults(desk)
        cases.keep(desk)
        rollback.consider(desk)
        verdict.decide(desk)
        retrain.decide(desk)
        escalation.watch_red(desk)
        alert.tell(desk)
        _sweep(desk)
        if not desk.reasons:
            judged = sum(1 for one in seen if one.judged)
            desk.say("quiet", f"{judged} of {len(seen)} signals judged, nothing new to say")
        return desk.clear_up(), desk.decisions()


def _note_faults(desk: Desk) -> None:
    """Keep the stretches of faulty data up to date, for whoever trains on them."""
    faults = {fault.incident: fault for fault in desk.state.faults}
    for incident in desk.incidents.values():
        if incident.kind == "data_quality":
            start = incident.opened - desk.rules.pane
            if incident.change_point is not None:
                start = min(start, incident.change_point)
            faults[incident.id] = Fault(incident.id, Stretch(start, incident.ended))
    kept = sorted(faults.values(), key=lambda fault: (fault.stretch.start, fault.incident))
    found = tuple(kept[-MAX_KEPT:])
    if found != desk.state.faults:
        desk.state = replace(desk.state, faults=found)


def _sweep(desk: Desk) -> None:
    """Forget what can no longer matter."""
    rules, now = desk.rules, desk.now
    for key in sorted(desk.signals):
        tracked = desk.signals[key]
        if tracked.phase == "cooling" and now >= tracked.since + rules.cooling:
            if tracked.breaches and not tracked.closed_by_person:
                desk.put(replace(tracked, phase="pending", incident="", since=now))
            else:
                desk.forget(key)
        elif tracked.phase == "pending" and now - tracked.heard > settle.GONE_PANES * rules.pane:
            desk.forget(key)
            desk.say("dropped", "not heard of any more", key)
    for incident in desk.ended_incidents():
        ended = incident.ended if incident.ended is not None else now
        if now >= max(incident.cool_until, ended + rules.echo):
            del desk.incidents[incident.id]
    lasting = tuple(s for s in desk.state.silences if s.end > now)
    if lasting != desk.state.silences:
        desk.state = replace(desk.state, silences=lasting)
