"""The verdict on a canary at each pane: advance, hold or rollback, with its reason.

Promises: rollback once harm is proven or a person rejected it, and one request for it; advance
only when it is proven to be no worse by more than the margin, in this step, after its least time
and rows; before it serves all, whatever approval is due. Until then hold, and why. A doubt (by its
scores alone) holds it back where no labels prove it right and no person has approved it.
Leaves to others: the proof (monitor), moving traffic (a deployer).
"""

from typing import Final

from msgspec.structs import replace

from schemas.instants import rfc3339
from schemas.output_parts import Current, Effect, Ground, ReferenceRef, Rollout, Window
from schemas.outputs import Reading, RollbackRequest, finite
from schemas.vocabulary import RolloutVerdict
from streams.policy.desk import Desk, identity
from streams.policy.incidents.drift import effect_of
from streams.policy.rollout.rollback import predecessor
from streams.policy.rollout.versions import waits_for
from streams.policy.signals.observation import Observation
from streams.policy.state import SignalKey, Version

READY: Final = "canary:ready"
_ERRORS: Final = "canary:error"
_WORDS: Final = {
    _ERRORS: "errors",
    "canary:failed": "failures",
    "canary:slow": "slow answers",
    "canary:estimate": "errors by the meaning of its scores",
}
_FIGURE: Final = "canary:metric:"
_SCORES: Final = "canary:score"


def decide(desk: Desk) -> None:
    """Say of every canary what to do with it now."""
    for version in sorted(desk.state.versions, key=lambda v: v.name):
        ready = desk.seen.get(SignalKey(version.name, "*", READY))
        if ready is None or version.withdrawn:
            continue
        shown = [
            desk.seen[key]
            for key in sorted(desk.seen)
            if (key.version, key.segment) == (version.name, "*") and _compares(key.signal)
        ]
        harms = [one for one in shown if one.judged and one.finding.alarm]
        doubts = [one for one in shown if one.judged and _doubts(one)]
        verdict, reason = _verdict(desk, version, ready, harms, doubts)
        _say(desk, version, ready, verdict, reason)
        if verdict == "rollback" and not version.asked_back:
            _ask_back(desk, version, ready, harms, reason)


def next_share(desk: Desk, share: float | None) -> float:
    """The share after this one."""
    steps = desk.rules.rollout.steps
    return next((step for step in steps if share is None or step > share + 1e-9), steps[-1])


def _verdict(
    desk: Desk,
    version: Version,
    ready: Observation,
    harms: list[Observation],
    doubts: list[Observation],
) -> tuple[RolloutVerdict, str]:
    """What to do, and why."""
    worries = "".join(f"; {_doubt(one)}" for one in doubts)
    proof = ready.finding
    if version.approved is False:
        return "rollback", "it was rejected"
    if harms:
        return "rollback", "; ".join(_harm(one) for one in harms)
    bar = _bar(desk, version, ready)
    if bar:
        return "hold", f"{bar}{worries}"
    labelled = SignalKey(version.name, "*", _ERRORS) in desk.seen
    if worries and not (labelled or version.approved):
        return "hold", f"no worse in what is known without labels{worries}; approve it or reject it"
    due = waits_for(desk, version)
    if due and next_share(desk, version.share) >= 1:
        return "hold", f"it is proven to be no worse, but {due}"
    return (
        "advance",
        f"proven to be no worse than version {proof.reference_id} over {proof.rows:,} rows",
    )


def _bar(desk: Desk, version: Version, ready: Observation) -> str:
    """What is not yet shown in this step; empty: it is proven to be no worse."""
    rules, proof = desk.rules.rollout, ready.finding
    if not ready.judged:
        return "nothing to compare it by yet"
    waited = desk.now - (version.stepped if version.stepped is not None else version.seen)
    if waited < rules.min_duration:
        return "this step is younger than its least time"
    if proof.rows < rules.min_rows:
        return f"{proof.rows:,} of at least {rules.min_rows:,} rows in this step"
    if proof.statistic is None or proof.threshold is None or proof.statistic < proof.threshold:
        return "not yet proven to be no worse"
    return ""


def _compares(signal: str) -> bool:
    """Whether a signal compares a canary with its champion."""
    return signal in _WORDS or signal == _SCORES or signal.startswith(_FIGURE)


def _doubts(seen: Observation) -> bool:
    """Whether a comparison that alarms nobody has proven a difference."""
    one = seen.finding
    if one.alarm or one.statistic is None or one.threshold is None:
        return False
    return one.statistic >= one.threshold


def _doubt(seen: Observation) -> str:
    if seen.key.signal != _SCORES:
        return _harm(seen)
    psi = seen.finding.effect.psi
    size = "" if psi is None else f" (PSI {psi:.2f})"
    return (
        f"its scores are spread otherwise than those of version {seen.finding.reference_id}{size}"
    )


def _harm(seen: Observation) -> str:
    effect = seen.finding.effect
    name = seen.key.signal.removeprefix(_FIGURE)
    what = _WORDS.get(seen.key.signal, name)
    if name != seen.key.signal and effect.current is not None and effect.baseline is not None:
        champion = seen.finding.reference_id
        return f"{name} {effect.current:.4g} beside {effect.baseline:.4g} of version {champion}"
    if effect.current is None or effect.baseline is None:
        return f"more {what} than the champion"
    return (
        f"{what} in {100 * effect.current:.1f} % of its rows,"
        f" in {100 * effect.baseline:.1f} % of those of version {seen.finding.reference_id}"
    )


def _say(
    desk: Desk, version: Version, ready: Observation, verdict: RolloutVerdict, reason: str
) -> None:
    """The verdict as a reading."""
    proof = ready.finding
    onward = next_share(desk, version.share) if verdict == "advance" else None
    desk.readings.append(
        Reading(
            model=desk.rules.model,
            version=version.name,
            segment="*",
            monitor="canary/rollout",
            signal="canary",
            detector="rollout",
            statistic=finite(proof.statistic) if ready.judged else None,
            threshold=proof.threshold,
            breach=verdict == "rollback",
            severity="red" if verdict == "rollback" else None,
            effect=effect_of(proof.effect) if ready.judged else Effect(),
            reference=ReferenceRef(id=proof.reference_id, rows=proof.reference_rows),
            current=Current(
                rows=proof.rows,
                window=Window(start=rfc3339(proof.window_start), end=rfc3339(proof.window_end)),
            ),
            state="judged" if ready.judged else "too_few_rows",
            rollout=Rollout(
                verdict=verdict,
                share=version.share,
                next_share=0.0 if verdict == "rollback" else onward,
                reason=reason,
            ),
        )
    )
    desk.say("canary", f"{version.name}: {verdict}, {reason}")


def _ask_back(
    desk: Desk, version: Version, ready: Observation, harms: list[Observation], reason: str
) -> None:
    """Ask once for the way back to the champion."""
    champion = ready.finding.reference_id or predecessor(desk.state.versions, version.name)
    name = version.name
    desk.rollback_requests.append(
        RollbackRequest(
            request_id=identity("rollback", desk.rules.model, "canary", name, version.canaried),
            model=desk.rules.model,
            version=name,
            to_version=champion or None,
            reason=f"canary: {reason}",
            severity="red",
            evidence=tuple(
                Ground(
                    explanation=_harm(one),
                    signal=one.key.signal,
                    segment=one.key.segment,
                    kind="canary",
                    severity=one.severity,
                )
                for one in harms
            ),
        )
    )
    kept = tuple(replace(v, asked_back=True) if v.name == name else v for v in desk.state.versions)
    desk.state = replace(desk.state, versions=kept)
    desk.say("rollback_requested", reason)
