"""What the policy remembers of one model between two panes.

Promises: frozen structs of plain values, msgpack round-trips, bounded by the constants below;
only what is not quiet is kept. Leaves to others: what a state means (`states`).
"""

from typing import Final, Literal

import msgspec

from schemas.finding import Finding
from schemas.log import DAWN, Millis
from schemas.output_parts import Advice
from schemas.vocabulary import Severity
from streams.policy.family import Family

MAX_SIGNALS: Final = 20_000
"""Signals not quiet at once; beyond it new ones wait and are counted."""
MAX_INCIDENTS: Final = 200
"""Incidents open or cooling down at once; beyond it new ones wait and are counted."""
MAX_KEPT: Final = 64
"""Versions, silences, stretches, openings and queued causes kept, newest last."""

Phase = Literal["pending", "firing", "resolving", "cooling"]


class SignalKey(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Which signal of a model: the identity of a state machine."""

    version: str
    segment: str
    signal: str


class Tracked(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A signal that is not quiet.

    `breaches`, `clears` and `milder` (than `severity`) count consecutive judged panes.
    `fallen`: its severity fell in this incident, which it does once. `returns`: how often it came
    back to it. `alarmed`: it moved by its own alarm, not only by joining. `lead` is the cell that
    moved most when it fired, `lead_shift` by how much (share, signed), `turned` when it last
    reversed. `last` is its last telling finding without bulk.
    """

    key: SignalKey
    phase: Phase
    since: Millis
    heard: Millis
    severity: Severity
    family: Family
    alarmed: bool
    breaches: int = 0
    clears: int = 0
    milder: int = 0
    incident: str = ""
    opened: Millis = 0
    turned: Millis = DAWN
    lead: str = ""
    lead_shift: float = 0.0
    direction: str = ""
    closed_by_person: bool = False
    last: Finding
    fallen: bool = False
    returns: int = 0


class Told(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What the last alert of an incident said; an update must differ from it."""

    status: Literal["firing", "resolved"]
    severity: Severity
    kind: Family
    segment: str
    causes: int
    owner: str = ""
    acknowledged_by: str = ""
    remark: str = ""
    escalated: bool = False


class Asked(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How far an incident's retraining has come: sent `attempts` times, or held and why."""

    attempts: int = 0
    held: str = ""
    open_again: bool = False
    rollback: bool = False


class Incident(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Signals that fired together and share a cause.

    `moved` is when its cause last moved (a member of the cause's family fired or turned).
    `calmed` is when the last member of the cause resolved while consequences still fire.
    `remark` is what its owner must know besides: of its retraining, of its thresholds.
    `reddened` is since when it is red, `acknowledged` when somebody said that it is in hand.
    """

    id: str
    kind: Family
    severity: Severity
    segment: str
    versions: tuple[str, ...]
    opened: Millis
    moved: Millis
    change_point: Millis | None = None
    calmed: Millis | None = None
    ended: Millis | None = None
    cool_until: Millis = 0
    closed_by_person: bool = False
    verdict: str = ""
    acknowledged_by: str = ""
    owner: str = ""
    inputs_judged: int = 0
    decisions_held: bool = False
    told: Told | None = None
    asked: Asked = Asked()
    remark: str = ""
    reddened: Millis | None = None
    acknowledged: Millis | None = None
    advice: Advice | None = None


class Silence(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Alerts not wanted in [start, end) for signals and segments that match (`*`: any)."""

    signal: str
    segment: str
    start: Millis
    end: Millis


class Stretch(msgspec.Struct, frozen=True, array_like=True):
    """A span [start, end) of event time; `end` None: not over."""

    start: Millis
    end: Millis | None


class Fault(msgspec.Struct, frozen=True, array_like=True):
    """When data were at fault, and in which incident: left out of what is trained on."""

    incident: str
    stretch: Stretch


class Version(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A version seen or deployed; `deployed` None: only seen in findings.

    `share` of the traffic it has as a canary since `stepped`; `canaried` is when that began.
    `approved` None: nobody said; `doubts` are reasons for a person to look before it serves all.
    `features` is a hash of their names, `trained` the length of its training window.
    """

    name: str
    seen: Millis
    deployed: Millis | None = None
    promoted: Millis | None = None
    withdrawn: bool = False
    share: float | None = None
    canaried: Millis | None = None
    stepped: Millis | None = None
    approved: bool | None = None
    doubts: tuple[str, ...] = ()
    features: str = ""
    trained: Millis | None = None
    asked_back: bool = False


class Wish(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A retraining asked for by an event that is not an incident (external, new labels)."""

    id: str
    trigger: Literal["external", "labels_redefined"]
    since: Millis | None
    note: str
    urgent: bool
    attempt: int = 1


class Running(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A retraining under way, as its service reported it."""

    request_id: str
    since: Millis


Course = Literal["asked", "started", "finished", "failed", "expired", "lost", "uncured"]


class Sent(msgspec.Struct, frozen=True, array_like=True):
    """A retrain request that was sent, the identity of its cause (an incident's id), its course.

    `since` is when `course` began: `asked`, `started` and `finished` as services report it,
    `expired` (nobody started it in time), `lost` (no end in time), `failed` and `uncured` (the
    incident goes on after a retraining that finished). `kind` and `segment` are the incident's,
    `wish` is what was asked for without one.
    """

    request_id: str
    cause: str
    attempt: int = 1
    course: Course = "asked"
    since: Millis = 0
    expires: Millis = 0
    kind: str = ""
    segment: str = "*"
    wish: Wish | None = None


class Peak(msgspec.Struct, frozen=True, array_like=True):
    """How far a signal that alarmed went in an incident, by the measure it is graded by."""

    signal: str
    segment: str
    measure: Literal["psi", "fall", "size"]
    size: float


class Case(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What is kept of an incident to learn from, longer than the incident itself.

    The first of `peaks` is the signal that opened it, and `trail` is its size at each judged pane
    from the opening on. `judged` is when the verdict was given.
    """

    id: str
    kind: Family
    segment: str
    detector: str
    opened: Millis
    changed: Millis | None = None
    acknowledged: Millis | None = None
    ended: Millis | None = None
    verdict: str = ""
    judged: Millis | None = None
    author: str = ""
    root_cause: str = ""
    resolution: str = ""
    prevention: str = ""
    peaks: tuple[Peak, ...] = ()
    trail: tuple[float, ...] = ()


class Missed(msgspec.Struct, frozen=True, array_like=True):
    """An incident that people saw and Windage did not, in [start, end)."""

    id: str
    start: Millis
    end: Millis


class PolicyState(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """All the policy remembers of one model; `PolicyState()` is a model never heard of.

    `requested` is when the last retraining was asked for, `triggered` when the last one that no
    schedule asked for, `scheduled` the last date of the schedule that was served. `full` is when a
    full retraining was last asked for, `partial` how many incremental ones since.
    """

    began: Millis | None = None
    now: Millis = DAWN
    signals: tuple[Tracked, ...] = ()
    incidents: tuple[Incident, ...] = ()
    silences: tuple[Silence, ...] = ()
    versions: tuple[Version, ...] = ()
    faults: tuple[Fault, ...] = ()
    openings: tuple[Millis, ...] = ()
    verdicts: dict[str, int] = {}
    running: Running | None = None
    wishes: tuple[Wish, ...] = ()
    requested: Millis | None = None
    triggered: Millis | None = None
    scheduled: Millis | None = None
    requests: tuple[Sent, ...] = ()
    suppressed: int = 0
    throttled: int = 0
    cases: tuple[Case, ...] = ()
    missed: tuple[Missed, ...] = ()
    full: Millis | None = None
    partial: int = 0


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(PolicyState)


def encode(state: PolicyState) -> bytes:
    """The bytes of a state, a function of its content."""
    return _encoder.encode(state)


def decode(value: bytes) -> PolicyState:
    """The state of bytes made by `encode`; msgspec.DecodeError for others."""
    return _decoder.decode(value)
