"""What the policy answers: events to send, commands to the monitor, and why.

Promises: every call gives at least one `Reason`. Leaves to others: encoding and sending.
"""

from typing import Literal

import msgspec

from schemas.log import Millis
from schemas.outputs import Alert, DriftEvent, OutputEvent, Reading, RetrainRequest, RollbackRequest
from streams.policy.state import SignalKey

What = Literal[
    "quiet",
    "pending",
    "dropped",
    "opened",
    "joined",
    "escalated",
    "deescalated",
    "resolving",
    "resolved",
    "reopened",
    "superseded",
    "suppressed",
    "released",
    "echo",
    "classified",
    "alerted",
    "silenced",
    "retrain_requested",
    "retrain_held",
    "retrain_queued",
    "rollback_requested",
    "rollback_held",
    "canary",
    "advised",
    "event",
    "ignored",
]


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One decision: what, about which signal or incident, why in words."""

    what: What
    why: str
    signal: SignalKey | None = None
    incident: str = ""


class Restart(msgspec.Struct, frozen=True):
    """The monitor's sequential detectors of these signals must start anew."""

    signals: tuple[SignalKey, ...]


class Rebuild(msgspec.Struct, frozen=True, kw_only=True):
    """The monitor must rebuild the reference of `version` (None: all) from rows since `since`."""

    version: str | None
    since: Millis
    why: str


class Decisions(msgspec.Struct, frozen=True, kw_only=True):
    """All that follows from one pane, each list in a fixed order."""

    drift_events: tuple[DriftEvent, ...] = ()
    alerts: tuple[Alert, ...] = ()
    retrain_requests: tuple[RetrainRequest, ...] = ()
    rollback_requests: tuple[RollbackRequest, ...] = ()
    readings: tuple[Reading, ...] = ()
    restarts: tuple[Restart, ...] = ()
    rebuilds: tuple[Rebuild, ...] = ()
    reasons: tuple[Reason, ...] = ()

    @property
    def events(self) -> tuple[OutputEvent, ...]:
        """All events in the order they should be sent."""
        return (
            *self.drift_events,
            *self.alerts,
            *self.retrain_requests,
            *self.rollback_requests,
            *self.readings,
        )
