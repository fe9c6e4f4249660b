"""Events that producers send: prediction, label, metric, model event, and their batch form.

Promises: the fields are those of the public contract, fields are only ever added; decoding
ignores fields it does not know; nothing decoded can form a cycle (so the collector may skip it).
Leaves to others: instants stay as sent (`instants`), names are only bounded in length here
(`is_name` says whether one is well formed), plausibility is judged by the decode organ.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from schemas.instants import Timestamp
from schemas.vocabulary import (
    NAME_PATTERN,
    Direction,
    LabelSource,
    MetricKind,
    ModelEventType,
    Role,
    Severity,
    Verdict,
)

# The pattern is in the schema but not in the decoder: a decode organ knows most names already.
Name = Annotated[
    str, Meta(min_length=1, max_length=128, extra_json_schema={"pattern": NAME_PATTERN})
]
Key = Annotated[str, Meta(extra_json_schema={"pattern": NAME_PATTERN})]
Identifier = Annotated[str, Meta(min_length=1, max_length=256)]
Note = Annotated[str, Meta(max_length=4096)]
Ratio = Annotated[float, Meta(gt=0, le=1)]
Size = Annotated[float, Meta(ge=0)]

LONGEST_LIST: Final = 10_000
"""Items of a list that a ranking has shown."""

FeatureValue = float | int | str | bool | list[float] | None
"""None is missing; a list is an embedding."""
TagValue = float | int | str | bool | None
Outcome = float | int | str | bool
"""A class, by number, name or truth, or the value of a regression."""
Relevance = Annotated[list[Annotated[float, Meta(ge=0)]], Meta(max_length=LONGEST_LIST)]
"""Of a ranking: how relevant each item of a list was, in the order shown; what is behind is 0."""
Shown = Annotated[list[float | int | str], Meta(max_length=LONGEST_LIST)]
"""Of a ranking: the items of a list in the order shown, by score or id; only how many is kept."""

_name: Final = re.compile(NAME_PATTERN + r"\Z").match
_NOT_ALLOWED: Final = re.compile(r"[^A-Za-z0-9_.:-]+")
_NAME_LENGTH: Final = 128


def is_name(text: str) -> bool:
    """Whether `text` may name a model, version, feature, tag or metric."""
    return _name(text) is not None


def safe_names(names: Sequence[str]) -> list[str]:
    """The names as the contract allows them: `_` for what is not, and none stands twice."""
    out: list[str] = []
    for name in names:
        safe = plain = _NOT_ALLOWED.sub("_", name)[:_NAME_LENGTH] or "_"
        number = 2
        while safe in out:
            safe = f"{plain[: _NAME_LENGTH - 4]}_{number}"
            number += 1
        out.append(safe)
    return out


class Prediction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One scored request. `prediction` is null where only a score is given or it failed.

    Only to models whose inputs alone are watched (task none) it need not be sent. Of a ranking it
    is one list that was shown, or how many items that had.
    `sampled_rate` is the share of requests that is sent at all; `probe_id` marks requests whose
    answer is known beforehand; `error` says why there is no answer.
    """

    model: Name
    version: Name
    prediction_id: Identifier
    timestamp: Timestamp
    features: dict[Key, FeatureValue] = {}
    prediction: Outcome | Shown | None = None
    score: float | None = None
    probabilities: dict[str, float] | None = None
    tags: dict[Key, TagValue] = {}
    role: Role = "champion"
    feature_set: str | None = None
    probe_id: str | None = None
    latency_ms: Size | None = None
    cost: float | None = None
    error: str | None = None
    queue_depth: Size | None = None
    sampled_rate: Ratio = 1.0


class Label(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The true outcome of a prediction; a higher `revision` corrects a lower one.

    Of a ranking it is the relevance of each item in the order shown.
    """

    model: Name
    prediction_id: Identifier
    label: Outcome | Relevance
    timestamp: Timestamp
    weight: Size = 1.0
    annotator: str | None = None
    source: LabelSource = "truth"
    revision: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 1


class Metric(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A business KPI or an operational figure of a model."""

    model: Name
    name: Name
    value: float
    timestamp: Timestamp
    kind: MetricKind = "kpi"
    direction: Direction | None = None
    tags: dict[Key, TagValue] = {}


class Matchers(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Which signals and segments a silence or an annotation is about; `*` matches all.

    The one place where unknown fields are refused: ignored, a misspelt one would match all.
    """

    signal: str = "*"
    segment: str = "*"


class TrainingWindow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """From when to when the rows of a training are."""

    start: Timestamp
    end: Timestamp


class Deployment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a version was made of, for those who look for causes later."""

    git_commit: str | None = None
    training_window: TrainingWindow | str | None = None
    features: list[Key] | None = None
    offline_metrics: dict[str, float] = {}
    registry: str | None = None


class ModelEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something that happened to a model, its world, or one of its incidents."""

    model: Name
    type: ModelEventType
    timestamp: Timestamp
    version: Name | None = None
    id: Identifier | None = None
    author: str | None = None
    note: Note | None = None
    traffic_share: Annotated[float, Meta(ge=0, le=1)] | None = None
    incident_id: str | None = None
    request_id: str | None = None
    verdict: Verdict | None = None
    root_cause: Note | None = None
    resolution: Note | None = None
    prevention: Note | None = None
    matchers: Matchers | None = None
    from_: Timestamp | None = msgspec.field(default=None, name="from")
    until: Timestamp | None = None
    severity: Severity | None = None
    deployment: Deployment | None = None


class ColumnBatch(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Many predictions, labels or metrics of one model as columns of equal length.

    Columns are named like the fields of the single event, `features` and `tags` hold one column
    per name. Cells are as loose as JSON, because one bad row must not refuse the others.
    """

    model: Name
    columns: dict[str, list[FeatureValue] | dict[str, list[FeatureValue]]]
    version: Name | None = None


Event = Prediction | Label | Metric | ModelEvent

model_event_decoder: Final = msgspec.json.Decoder(ModelEvent)

_encoder: Final = msgspec.json.Encoder()


def encode(event: Event | ColumnBatch) -> bytes:
    """The JSON bytes of an event, fields in the order of declaration."""
    return _encoder.encode(event)
