"""Versions: what people and services say of them, and what a person should look at first.

Promises: saying something twice changes nothing; a version that is promoted or withdrawn ends
what no longer matters.
Leaves to others: the verdict on a canary (`rollout`), requests for the way back (`rollback`).
"""

from typing import Any, Final

from msgspec.structs import replace

from schemas.inputs import Deployment, ModelEvent, TrainingWindow
from schemas.instants import parse
from schemas.log import Millis
from schemas.output_parts import Bound
from streams.policy.desk import Desk, identity
from streams.policy.incidents.course import leave_versions
from streams.policy.state import MAX_KEPT, Version

SHARP: Final = 2.0
"""A training window so many times longer or shorter than the champion's is a sharp change."""


def deployed(desk: Desk, at: Millis, event: ModelEvent) -> None:
    """A version is there; what it was made of may raise doubts."""
    if event.version is not None:
        _update(desk, event.version, at, deployed=at, withdrawn=False)
        _examine(desk, event.version, event.deployment)
        desk.say("event", f"version {event.version} was deployed")


def canary_started(desk: Desk, at: Millis, event: ModelEvent) -> None:
    """A version gets a share of the traffic; a further event is its next step."""
    name = event.version
    if name is None:
        desk.say("ignored", "a canary was started, but the event names no version")
        return
    version = _known(desk, name, at)
    says: dict[str, Any] = {"deployed": version.deployed or at, "withdrawn": False}
    if version.canaried is None or version.withdrawn:
        says |= {"canaried": at, "asked_back": False}
    if version.stepped is None or version.withdrawn or event.traffic_share != version.share:
        says |= {"share": event.traffic_share, "stepped": at}
    _update(desk, name, at, **says)
    _examine(desk, name, event.deployment)
    share = "" if event.traffic_share is None else f" with {100 * event.traffic_share:g} %"
    desk.say("event", f"version {name} is a canary{share}")


def approved(desk: Desk, at: Millis, event: ModelEvent) -> None:
    """A person lets a version serve, or does not."""
    if event.version is None:
        desk.say("ignored", f"{event.type}, but the event names no version")
        return
    _update(desk, event.version, at, approved=event.type == "approved")
    desk.say("event", f"version {event.version} was {event.type} by {event.author or 'somebody'}")


def promoted(desk: Desk, at: Millis, event: ModelEvent) -> None:
    """A new champion: a reference of its own, and what others signalled is over."""
    if event.version is None:
        desk.say("ignored", "promoted, but the event names no version")
        return
    waits = waits_for(desk, _known(desk, event.version, at))
    if waits:
        desk.say("event", f"version {event.version} was promoted, although {waits}")
    _update(desk, event.version, at, promoted=at, withdrawn=False, share=None, canaried=None)
    _update(desk, event.version, at, stepped=None)
    why = f"version {event.version} was promoted"
    for incident in desk.open_incidents():
        others = sorted({t.key.version for t in desk.alive(incident.id)} - {event.version})
        for version in others:
            leave_versions(desk, incident, version, why)
        leave_versions(desk, incident, event.version, why, only="canary:")
    desk.rebuild(event.version, at, why)
    desk.say("event", why)


def rolled_back(desk: Desk, at: Millis, event: ModelEvent) -> None:
    """A version is withdrawn: nothing it signalled matters any more."""
    if event.version is None:
        desk.say("ignored", "rolled back, but the event names no version")
        return
    _update(desk, event.version, at, withdrawn=True, share=None, canaried=None, stepped=None)
    why = f"version {event.version} was rolled back"
    for incident in desk.open_incidents():
        leave_versions(desk, incident, event.version, why)
    desk.say("event", why)


def waits_for(desk: Desk, version: Version) -> str:
    """What a person must do before a version may serve all; empty: nothing."""
    if version.approved:
        return ""
    if version.doubts:
        return f"nobody has approved it ({'; '.join(version.doubts)})"
    return "nobody has approved it" if desk.rules.retraining.approval else ""


def _examine(desk: Desk, name: str, made: Deployment | None) -> None:
    """Compare what a version was made of with the gates and with the champion."""
    if made is None:
        return
    before = [v for v in desk.state.versions if v.name != name and not v.withdrawn]
    champion = max(before, key=lambda v: (v.promoted or 0, v.seen), default=None)
    doubts = [
        why
        for metric, bound in sorted(desk.rules.retraining.gates.metrics.items())
        if (why := _gate(metric, bound, made.offline_metrics.get(metric)))
    ]
    features = "" if made.features is None else identity(*sorted(made.features))
    trained = _length(made)
    if champion is not None:
        if features and champion.features and features != champion.features:
            doubts.append("its features changed")
        if trained and champion.trained:
            ratio = trained / champion.trained
            if not 1 / SHARP <= ratio <= SHARP:
                doubts.append(f"its training window is {ratio:.2g} times the champion's")
    _update(
        desk,
        name,
        desk.now,
        doubts=tuple(doubts)[:MAX_KEPT],
        features=features,
        trained=trained,
    )


def _gate(metric: str, bound: Bound, value: float | None) -> str:
    """Why a gate is not passed; empty if it is."""
    if value is None:
        return f"gate {metric}: not measured"
    if bound.min is not None and value < bound.min:
        return f"gate {metric}: {value:.4g} is below {bound.min:g}"
    if bound.max is not None and value > bound.max:
        return f"gate {metric}: {value:.4g} is above {bound.max:g}"
    return ""


def _length(made: Deployment) -> Millis | None:
    """How long its training window is, where that is readable."""
    window = made.training_window
    if not isinstance(window, TrainingWindow):
        return None
    try:
        return max(0, parse(window.end) - parse(window.start)) or None
    except ValueError:
        return None


def _known(desk: Desk, name: str, at: Millis) -> Version:
    return next((v for v in desk.state.versions if v.name == name), Version(name=name, seen=at))


def _update(desk: Desk, name: str, at: Millis, **says: Any) -> None:  # noqa: ANN401 - fields
    """Remember what happened to a version."""
    versions = {version.name: version for version in desk.state.versions}
    versions[name] = replace(versions.get(name, Version(name=name, seen=at)), **says)
    desk.state = replace(desk.state, versions=tuple(versions.values())[-MAX_KEPT:])
