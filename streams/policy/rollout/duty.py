"""Which versions are on duty: only of those does a signal matter to anyone.

Promises: a version that was withdrawn, or that another one was promoted over, is heard no more,
though labels of the rows it scored still come; it is again from its next deployment, canary or
promotion on. Of a canary only what it shows beside the champion counts (`canary:`): it is meant to
differ from the reference, and most so where it is to cure a drift. That holds until it is promoted,
also with all of the traffic. What was held against a reference that this pane replaces is over.
Leaves to others: ending what such versions had signalled (`versions`).
"""

from collections.abc import Iterable

from schemas.log import Millis
from streams.policy.desk import Desk
from streams.policy.signals.observation import Observation
from streams.policy.state import Version

CANARY = "canary:"


def on_duty(desk: Desk, seen: Iterable[Observation]) -> list[Observation]:
    """The observations of this pane that count."""
    versions = desk.state.versions
    champion = max(
        (v for v in versions if v.promoted is not None and not v.withdrawn),
        key=lambda v: v.promoted or 0,
        default=None,
    )
    known = {version.name: version for version in versions}
    return [
        one
        for one in seen
        if not desk.renews(one.key.version) and _counts(one, known.get(one.key.version), champion)
    ]


def _counts(one: Observation, version: Version | None, champion: Version | None) -> bool:
    if version is None:
        return True
    if version.withdrawn:
        return False
    if version.canaried is not None:
        return one.key.signal.startswith(CANARY)
    return champion in (None, version) or _begun(version) > _begun(champion)


def _begun(version: Version) -> Millis:
    """When it was last let in; where nobody said, when it was first seen."""
    told = [at for at in (version.deployed, version.canaried, version.promoted) if at is not None]
    return max(told, default=version.seen)
