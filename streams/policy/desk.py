"""The work table of one call: what is remembered, what is seen, what is decided.

Promises: the state it was made from is never changed; `clear_up` gives the next state, equal to
the old one where nothing happened; everything it lists is in a fixed order.
Leaves to others: every decision.
"""

from collections.abc import Iterable
from hashlib import blake2b

from msgspec.structs import replace

from schemas.log import Millis
from schemas.outputs import Alert, DriftEvent, Reading, RetrainRequest, RollbackRequest
from schemas.standing import UNKNOWN, Standing
from streams.policy.decisions import Decisions, Reason, Rebuild, Restart, What
from streams.policy.rules import Rules
from streams.policy.signals.observation import Observation
from streams.policy.state import Incident, PolicyState, SignalKey, Tracked

ALIVE = ("firing", "resolving")


class Desk:
    """Mutable only within one call of the policy."""

    def __init__(
        self,
        state: PolicyState,
        rules: Rules,
        now: Millis,
        sequence: int,
        standing: Standing = UNKNOWN,
    ) -> None:
        self.state = state
        self.standing = standing
        self.rules = rules
        self.now = now
        self.sequence = sequence
        self.signals: dict[SignalKey, Tracked] = {t.key: t for t in state.signals}
        self.incidents: dict[str, Incident] = {i.id: i for i in state.incidents}
        self.seen: dict[SignalKey, Observation] = {}
        self.drift_events: list[DriftEvent] = []
        self.alerts: list[Alert] = []
        self.retrain_requests: list[RetrainRequest] = []
        self.rollback_requests: list[RollbackRequest] = []
        self.readings: list[Reading] = []
        self.reasons: list[Reason] = []
        self._restarts: set[SignalKey] = set()
        self._rebuilds: list[Rebuild] = []
        self._members: dict[str, dict[SignalKey, None]] = {}
        self._named: dict[str, set[str]] = {}
        for tracked in state.signals:
            self._index(tracked)

    def say(
        self, what: What, why: str, signal: SignalKey | None = None, incident: str = ""
    ) -> None:
        """Note why something was or was not done."""
        self.reasons.append(Reason(what=what, why=why, signal=signal, incident=incident))

    def put(self, tracked: Tracked) -> None:
        """Remember a signal, in the incident it names."""
        before = self.signals.get(tracked.key)
        if before is not None and before.incident != tracked.incident:
            self._members.get(before.incident, {}).pop(tracked.key, None)
        self.signals[tracked.key] = tracked
        self._index(tracked)

    def forget(self, key: SignalKey) -> None:
        """Let a signal be quiet again."""
        tracked = self.signals.pop(key)
        self._members.get(tracked.incident, {}).pop(key, None)

    def members(self, incident: str) -> list[Tracked]:
        """All signals remembered under an incident, cooling ones too, by key."""
        return [self.signals[key] for key in sorted(self._members.get(incident, ()))]

    def alive(self, incident: str) -> list[Tracked]:
        """The signals of an incident that fire or are resolving, by key."""
        return [t for t in self.members(incident) if t.phase in ALIVE]

    def is_loud(self, incident: str) -> bool:
        """Whether a signal that alarmed by itself still fires in the incident."""
        found = (self.signals[key] for key in self._members.get(incident, ()))
        return any(t.alarmed and t.phase == "firing" for t in found)

    def knows(self, incident: str, signal: str) -> bool:
        """Whether a signal of this name (in any segment or version) is in the incident."""
        return signal in self._named.get(incident, ())

    def open_incidents(self) -> list[Incident]:
        """Incidents not ended, newest movement first."""
        open_ones = (i for i in self.incidents.values() if i.ended is None)
        return sorted(open_ones, key=lambda i: (-i.moved, i.id))

    def ended_incidents(self) -> list[Incident]:
        """Incidents over but remembered, latest end first."""
        over = (i for i in self.incidents.values() if i.ended is not None)
        return sorted(over, key=lambda i: (-(i.ended or 0), i.id))

    def restart(self, keys: Iterable[SignalKey]) -> None:
        """Ask for the detectors of signals to start anew."""
        self._restarts.update(keys)

    def renews(self, version: str) -> bool:
        """Whether the reference of a version begins anew at this pane."""
        return any(wish.version in (None, version) for wish in self._rebuilds)

    def rebuild(self, version: str | None, since: Millis, why: str) -> None:
        """Ask for a new reference."""
        wish = Rebuild(version=version, since=since, why=why)
        if wish not in self._rebuilds:
            self._rebuilds.append(wish)

    def decisions(self) -> Decisions:
        """All that was decided."""
        restarts = (Restart(tuple(sorted(self._restarts))),) if self._restarts else ()
        return Decisions(
            drift_events=tuple(self.drift_events),
            alerts=tuple(self.alerts),
            retrain_requests=tuple(self.retrain_requests),
            rollback_requests=tuple(self.rollback_requests),
            readings=tuple(self.readings),
            restarts=restarts,
            rebuilds=tuple(self._rebuilds),
            reasons=tuple(self.reasons),
        )

    def clear_up(self) -> PolicyState:
        """The state after this call."""
        return replace(
            self.state,
            now=self.now,
            began=self.now if self.state.began is None else self.state.began,
            signals=tuple(self.signals[key] for key in sorted(self.signals)),
            incidents=tuple(self.incidents[name] for name in sorted(self.incidents)),
        )

    def _index(self, tracked: Tracked) -> None:
        if tracked.incident:
            self._members.setdefault(tracked.incident, {})[tracked.key] = None
            self._named.setdefault(tracked.incident, set()).add(tracked.key.signal)


def identity(*parts: object) -> str:
    """A short id that is a function of `parts` (16 hex digits of BLAKE2b)."""
    text = "\x1f".join(str(part) for part in parts)
    return blake2b(text.encode(), digest_size=8).hexdigest()
