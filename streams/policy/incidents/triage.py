"""What an incident is taken for: rules that look at several signals at once, and the reasons.

Promises: pure functions; every class comes with what speaks for it, what against, and one
recommended action.
Leaves to others: the order of proof between families (`family`), sentences of one signal
(`explain`).
"""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from schemas.output_parts import Triage
from schemas.vocabulary import RecommendedAction
from streams.policy.desk import ALIVE, Desk
from streams.policy.family import INPUTS, OUTCOMES, PROOF, Family
from streams.policy.incidents.explain import concentration, leading, remedy, sentence, subject
from streams.policy.severity import RANK
from streams.policy.signals.observation import Observation
from streams.policy.state import Incident, SignalKey, Tracked

MOST_REASONS: Final = 6
ACTION: Final[dict[Family, RecommendedAction]] = {
    "data_quality": "fix_pipeline",
    "novelty": "retrain_full",
    "covariate_drift": "retrain_incremental",
    "prediction_drift": "investigate",
    "concept_drift": "retrain_full",
    "label_drift": "retrain_incremental",
    "calibration_drift": "investigate",
    "performance_drop": "retrain_full",
    "fairness": "investigate",
    "operational": "investigate",
    "kpi": "investigate",
    "canary": "rollback",
}
_MEANING: Final[dict[Family, str]] = {
    "data_quality": "values are missing, constant, rescaled or absent: a fault of data, no drift",
    "novelty": "valid values appear that the reference does not know",
    "covariate_drift": "the distribution of known inputs moved",
    "prediction_drift": "predictions moved and no watched input did",
    "concept_drift": "errors moved and no watched input explains it",
    "label_drift": "the mix of true outcomes moved, errors and inputs did not",
    "calibration_drift": "scores no longer mean what they say, inputs and decisions held",
    "performance_drop": "a quality metric fell, or swings, and no watched signal explains it",
    "fairness": "groups are treated differently from before",
    "operational": "the service behaves differently from before",
    "kpi": "a business figure left its range",
    "canary": "the canary differs from the champion",
}


def refine(desk: Desk, seen: Mapping[SignalKey, Observation]) -> dict[SignalKey, Observation]:
    """The observations of a pane, reclassed where only several together tell.

    Scores that move while inputs and decisions hold are a matter of calibration, and so are
    errors that move between score bins while the error rate holds. Inputs whose incident has
    long settled are the background, not a movement.
    """
    inputs_move = any(
        o.alarm and o.family in INPUTS and not _settled(desk, desk.signals.get(key))
        for key, o in seen.items()
    )
    moving = {k for k, o in seen.items() if o.moves or _goes_on(o, desk.signals.get(k))}
    found = {key: _settled_class(desk, key, one) for key, one in seen.items()}
    if inputs_move or any(incident.kind in INPUTS for incident in desk.open_incidents()):
        # Other inputs may well be easier: only a gain that nothing explains is suspicious.
        for key, one in seen.items():
            if one.finding.symptom == "gain" and key not in desk.signals:
                found[key] = replace(one, alarm=False, joins=False, doubt=False)
    for version in sorted({key.version for key in seen}):
        names = {key.signal for key in moving if key.version == version}
        decisions_hold = _holds(seen, moving, version, "prediction")
        scores = "score" in names and decisions_hold and not inputs_move
        bins = _holds(seen, moving, version, "error") and (scores or "calibration" in names)
        for key, one in seen.items():
            if key.version != version:
                continue
            by_score = scores and key.signal == "score" and one.family == "prediction_drift"
            if by_score or (bins and key.signal.startswith("error|")):
                found[key] = replace(one, family="calibration_drift")
    return found


def decisions_held(desk: Desk, versions: tuple[str, ...]) -> bool:
    """Whether the decisions of these versions were judged and hold still."""
    moving = {key for key, o in desk.seen.items() if o.moves}
    return any(_holds(desk.seen, moving, version, "prediction") for version in versions)


def triage(desk: Desk, incident: Incident, members: list[Tracked]) -> Triage:
    """The class of an incident with the reasons for and against it."""
    ranked = sorted(members, key=lambda t: (not t.alarmed, -RANK[t.severity], t.key))
    own = [t for t in ranked if t.family == incident.kind]
    rules = desk.rules
    because = [_MEANING[incident.kind]]
    because += [
        sentence(t.last, t.severity, rules.limits_of(t.key)) for t in own[: MOST_REASONS - 2]
    ]
    because += [concentration(t.last) for t in own if t.last.slices][:1]
    because += [remedy(t.last) for t in own if t.last.symptom == "refused"][:1]
    others = {key.signal for key in desk.seen if key.signal.startswith("feature")}
    quiet = len(others - {t.key.signal for t in members})
    if incident.kind in ("concept_drift", "calibration_drift", "prediction_drift", "label_drift"):
        if quiet:
            because.append(f"{quiet} watched inputs are in no incident of this cause")
        if incident.decisions_held and incident.kind == "calibration_drift":
            because.append("decisions were judged at the same time and hold")
    if incident.segment != "*":
        because.append(f"it stands out in {incident.segment}; the other values hold still")
    return Triage(
        class_=incident.kind,
        because=tuple(because[: MOST_REASONS + 2]),
        against=tuple(_against(incident, members)[:MOST_REASONS]),
    )


def _against(incident: Incident, members: list[Tracked]) -> list[str]:
    """What does not fit, and what would have been needed to be surer."""
    found: list[str] = []
    families = sorted({t.family for t in members} - {incident.kind})
    for family in families:
        names = sorted({subject(t.key.signal) for t in members if t.family == family})
        listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")  # noqa: PLR2004
        read = "taken for its consequence"
        if PROOF[family] > PROOF[incident.kind]:
            read = "milder, so it may explain a part of it"
        if family == "label_drift" and incident.kind == "concept_drift":
            read = "label drift alone would leave the errors where they are"
        elif family in INPUTS:
            read = "taken for the same cause, may be another"
        found.append(f"{family} too ({listed}): {read}")
    if incident.kind in OUTCOMES | {"prediction_drift"} and incident.inputs_judged == 0:
        found.append("no input was judged, so a cause among the inputs cannot be ruled out")
    if incident.kind == "calibration_drift" and not any(
        t.family in OUTCOMES and t.key.signal != "score" for t in members
    ):
        found.append("labels have not confirmed it yet")
    ruled = ("silence", "refused", "replaced")  # a rule assumes nothing, and has no reference
    own = [t for t in members if t.family == incident.kind and t.last.symptom not in ruled]
    if own and all(t.last.dispersion == 1.0 for t in own):
        found.append("rows are assumed independent (dispersion 1)")
    least = min((t.last.reference_rows for t in own), default=0)
    if own:
        found.append(f"normal rests on {least:,} reference rows")
    return found


def _settled(desk: Desk, tracked: Tracked | None) -> bool:
    """Whether a signal fires in an incident whose cause moved too long ago to matter here."""
    if tracked is None or tracked.phase not in ALIVE:
        return False
    return desk.now - desk.incidents[tracked.incident].moved > desk.rules.lag


def _settled_class(desk: Desk, key: SignalKey, seen: Observation) -> Observation:
    """A column that has been leaving its range for long is no broken one once it is all out."""
    tracked = desk.signals.get(key)
    if tracked is None or tracked.phase not in ALIVE or tracked.family != "novelty":
        return seen
    lead = leading(seen.finding.cells, 1)
    beyond = bool(lead) and lead[0].name.startswith(("below ", "above "))
    slow = beyond and desk.now - tracked.opened > desk.rules.lag
    left = slow and seen.finding.symptom in ("rescaled", "constant")
    return replace(seen, family="novelty") if left else seen


def _goes_on(seen: Observation, tracked: Tracked | None) -> bool:
    """Whether a signal that fires already is still outside its tolerance."""
    return tracked is not None and tracked.phase in ALIVE and seen.judged and not seen.inside


def _holds(
    seen: Mapping[SignalKey, Observation], moving: set[SignalKey], version: str, signal: str
) -> bool:
    """Whether a signal of the version was judged somewhere and moves nowhere."""
    mine = [key for key in seen if key.version == version and key.signal == signal]
    return any(seen[key].judged for key in mine) and not any(key in moving for key in mine)
