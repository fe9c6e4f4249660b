"""Events the product writes: readings, drift events, alerts, retrain and rollback requests.

Promises: the fields are those of the public contract, fields are only ever added; encoding is
deterministic (order of declaration, sorted mappings) and refuses NaN and infinity, which JSON
libraries write as null in silence.
Leaves to others: ids and headers (`envelope`), what is said (monitor, policy).
"""

import math
from typing import Final

import msgspec

from schemas.output_parts import (
    Advice,
    Annotations,
    Budget,
    Count,
    Current,
    DataWindow,
    Detector,
    Effect,
    Evidence,
    Gates,
    Ground,
    Instant,
    Performance,
    Probability,
    ReferenceRef,
    Rollout,
    SignalInIncident,
    Suggestion,
    Summary,
    Triage,
)
from schemas.vocabulary import (
    AlertStatus,
    Breadth,
    Kind,
    ReadingState,
    RecommendedAction,
    Severity,
    Shape,
    Transition,
    Trigger,
    Urgency,
)


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a monitor says now. `statistic` is None where the state is not `judged`.

    `rollout` is there for canaries only, `summary` where the detector is `summary` or `quartiles`.
    """

    model: str
    version: str
    segment: str
    monitor: str
    signal: str
    detector: str
    statistic: float | None
    threshold: float | None
    breach: bool
    severity: Severity | None
    p_value: Probability | None = None
    e_value: float | None = None
    effect: Effect
    reference: ReferenceRef
    current: Current
    state: ReadingState
    rollout: Rollout | msgspec.UnsetType = msgspec.UNSET
    summary: Summary | msgspec.UnsetType = msgspec.UNSET


class DriftEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A transition of one signal.

    `breadth`: `uniform` where it moved in all parts of the segmentations, `localised` where only
    in some; None where that cannot be told.
    """

    incident_id: str
    transition: Transition
    model: str
    version: str
    segment: str
    kind: Kind
    shape: Shape | None = None
    severity: Severity
    previous_severity: Severity | None = None
    monitor: str
    signal: str
    detector: Detector
    reference: ReferenceRef
    current: Current
    change_point: Instant | None = None
    evidence: Evidence = Evidence()
    reason: str
    explanation: str
    runbook: str | None = None
    budget: Budget | None = None
    breadth: Breadth | None = None


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """The present state of one incident: what ops watch. A reader ignores a lower `sequence`.

    `breadth` is that of the first signal of its cause that can tell.
    """

    status: AlertStatus
    sequence: Count
    recommended_action: RecommendedAction
    acknowledged_by: str | None = None
    incident_id: str
    fingerprint: str
    severity: Severity
    model: str
    version: str
    title: str
    summary: str
    triage: Triage
    segments: tuple[str, ...] = ()
    signals: tuple[SignalInIncident, ...] = ()
    performance: Performance = Performance()
    starts_at: Instant
    updated_at: Instant
    ends_at: Instant | None = None
    labels: dict[str, str] = {}
    annotations: Annotations = Annotations()
    owner: str | None = None
    advice: Advice | None = None
    breadth: Breadth | None = None


class RetrainRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What retrain services subscribe to: one per cause, whatever is redelivered."""

    request_id: str
    model: str
    version: str
    incident_ids: tuple[str, ...] = ()
    trigger: Trigger
    urgency: Urgency
    reason: str
    requested_at: Instant
    not_before: Instant | None = None
    expires_at: Instant | None = None
    attempt: Count = 1
    data_window: DataWindow | None = None
    suggestion: Suggestion | None = None
    gates: Gates = Gates()
    evidence: tuple[Ground, ...] = ()


class RollbackRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Asks a deployer to go back to `to_version` (None: whatever was there before)."""

    request_id: str
    model: str
    version: str
    to_version: str | None = None
    reason: str
    severity: Severity
    evidence: tuple[Ground, ...] = ()


OutputEvent = Reading | DriftEvent | Alert | RetrainRequest | RollbackRequest

_encoder: Final = msgspec.json.Encoder(order="deterministic")


def finite(value: float | None) -> float | None:
    """The value, or None (not measurable) where it is NaN or infinite."""
    return value if value is not None and math.isfinite(value) else None


def encode(event: OutputEvent) -> bytes:
    """The JSON bytes of an event; ValueError (our fault) names a field that is not finite."""
    if type(event) is not Reading or not _is_finite(event):
        _refuse_non_finite(event, type(event).__name__)
    return _encoder.encode(event)


def _is_finite(reading: Reading) -> bool:
    """Whether no number of a reading is NaN or infinite; readings are many, so in one sum."""
    rest = (reading.statistic, reading.threshold, reading.p_value, reading.e_value)
    numbers = filter(None, (*msgspec.structs.astuple(reading.effect), *rest))
    return math.isfinite(sum(numbers))


def _refuse_non_finite(value: object, path: str) -> None:
    """Look through structs, mappings and sequences for a float that JSON cannot say."""
    if type(value) is float:
        if not math.isfinite(value):
            raise ValueError(f"{path} is not finite")
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _refuse_non_finite(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, dict):
        for name, item in value.items():
            _refuse_non_finite(item, f"{path}.{name}")
    elif isinstance(value, tuple | list):
        for item in value:
            _refuse_non_finite(item, path)
