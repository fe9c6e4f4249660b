"""The config of one model: how it is counted, with what it is compared, what follows.

Promises: `task` is the only key that must be given; `config_hash` changes exactly when what is
counted changes, so it names an epoch.
Leaves to others: connections and limits of the whole installation (`config`).
"""

import hashlib
import re
from typing import Annotated, Any, Final, Literal, Self

import orjson
from pydantic import AfterValidator, BeforeValidator, Field, Tag, model_validator
from pydantic import Discriminator as Choice

from schemas.config_card import Card
from schemas.config_monitor import Monitor, check_together, together
from schemas.config_policy import Holiday, Impact, Policy, Retrain, Rollback
from schemas.config_rollout import Rollout
from schemas.config_values import (
    Begin,
    Duration,
    End,
    Name,
    Part,
    Rate,
    Ratio,
    SilentAfter,
    fault,
)
from schemas.durations import Rate as Frequency
from schemas.durations import parse_duration
from schemas.vocabulary import Clock, Task, TimestampUnit


def _check_class(value: object) -> object:
    """A class is named by a text, a number or a truth value."""
    if not isinstance(value, bool | int | float | str):
        raise ValueError("must be the name of a class: text, number, true or false")  # noqa: TRY004
    return value


ClassName = Annotated[bool | int | float | str, BeforeValidator(_check_class)]
NEEDS_LABELS: Final = frozenset({"label", "error", "performance", "calibration", "fairness"})
"""Signals that a model without labels cannot have."""

_COMPARISON: Final = re.compile(r"training|previous|rolling (\S+)|seasonal (\S+)", re.ASCII)
SEASONS: Final = {
    "hour_of_day": 3_600_000,
    "day_of_week": 86_400_000,
    "hour_of_week": 3_600_000,
    "month_of_year": 86_400_000,
}
"""Seasons a model can be compared by, and the longest pane that still tells their parts apart."""


def _shorthand(key: str, words: Any) -> BeforeValidator:  # noqa: ANN401 - a type form
    """A mere text stands for a mapping with that one key: `country: categorical`."""
    return BeforeValidator(
        lambda value: {key: value} if isinstance(value, str) else value,
        json_schema_input_type=words,
    )


FeatureType = Literal["auto", "numeric", "categorical"]


class Feature(Part):
    """One feature; `auto` finds the type out while learning."""

    type: FeatureType = "auto"
    important: bool = False
    max_categories: Annotated[int, Field(ge=1, le=10_000)] = 100


class Segment(Part):
    """A slice: by the value of a tag or a feature, or by the bins of a number.

    A mere name is a tag. `edges` e1 < e2 < .. make the bins below e1, e1 to e2, ..., from the
    last on. `max_values` bounds how many values get a segment of their own.
    """

    tag: Name | None = None
    feature: Name | None = None
    edges: tuple[float, ...] = ()
    max_values: Annotated[int, Field(ge=1, le=1_000)] = 20

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if (self.tag is None) == (self.feature is None):
            raise fault("tag", "needs either tag or feature")
        if any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise fault("edges", "must grow from one to the next")
        return self

    @property
    def name(self) -> str:
        """The name of the tag or feature that is looked at."""
        return self.tag or self.feature or ""


class Labels(Part):
    """How long a label is waited for, and how many there should be."""

    enabled: bool = True
    # A day fits the memory of a worker at a hundred predictions a second; more needs Redis.
    horizon: Duration = 86_400_000
    min_coverage: Ratio = 0.3
    sample: Ratio = 1.0


class FromFile(Part):
    """A reference made offline of a file of rows."""

    from_: Literal["file"] = Field(alias="from")
    path: str = Field(min_length=1)


class FromFirst(Part):
    """A reference learned of the first rows; provisional until it has lasted `min_duration`."""

    from_: Literal["first"] = Field(default="first", alias="from")
    rows: Annotated[int, Field(ge=30)] = 5_000
    min_duration: Duration = 14 * 86_400_000


FEWEST_PANES: Final = 30
"""Of a stretch, so that dispersion is known."""


class FromTopic(Part):
    """A reference made of a stretch of the predictions topic, which must still hold it.

    The first pane with rows that ends after it is the last one counted; where it has fewer than 30
    panes with rows, it goes on until it has.
    """

    from_: Literal["topic"] = Field(alias="from")
    start: Begin
    end: End

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end <= self.start:
            raise fault("end", "must be after start")
        return self


class FromPrevious(Part):
    """The reference of the previous version."""

    from_: Literal["previous"] = Field(alias="from")


Reference = Annotated[FromFile | FromFirst | FromTopic | FromPrevious, Field(discriminator="from_")]


LONGEST_ROLLING: Final = 400 * 86_400_000
SHORTEST_ROLLING: Final = 50
"""Panes of a rolling reference: 30 to make it, and the newest ten are left out."""


def _check_comparison(text: str) -> str:
    """`training`, `rolling 30d`, `seasonal hour_of_week` or `previous`."""
    found = _COMPARISON.fullmatch(text)
    if found and found[1] and not 0 < parse_duration(found[1]) <= LONGEST_ROLLING:
        raise ValueError("must roll over more than nothing and at most 400d")
    if not found or (found[2] and found[2] not in SEASONS):
        seasons = ", ".join(SEASONS)
        raise ValueError(
            f"must be training, previous, rolling DURATION, or seasonal with one of: {seasons}"
        )
    return text


Comparison = Annotated[str, AfterValidator(_check_comparison)]


class Fairness(Part):
    """Which segmentations are groups to be treated alike, and how far a gap may move (0..1)."""

    segments: tuple[Name, ...] = ()
    tolerance: Ratio = 0.05


def _auto_or_declared(value: object) -> str:
    """Which form of `features` and `monitors` this is."""
    return "(auto)" if isinstance(value, str) else "(declared)"


def _no_labels(value: object) -> object:
    """`labels: none` or `labels: false` for models that never get any."""
    return {"enabled": False} if value is None or value is False or value == "none" else value


AUTO: Final = "auto"
Features = Annotated[
    Annotated[Literal["auto"], Tag("(auto)")]
    | Annotated[
        dict[Name, Annotated[Feature, _shorthand("type", Feature | FeatureType)]], Tag("(declared)")
    ],
    Choice(_auto_or_declared),
]
Monitors = Annotated[
    Annotated[Literal["auto"], Tag("(auto)")] | Annotated[tuple[Monitor, ...], Tag("(declared)")],
    Choice(_auto_or_declared),
]


class ModelConfig(Part):
    """One model."""

    task: Task
    pane: Duration = 60_000
    lateness: Duration = 30_000
    clock: Clock = "broker"
    timestamps: TimestampUnit = "auto"
    positive: ClassName | None = None
    classes: tuple[ClassName, ...] | None = None
    labels: Annotated[
        Labels,
        BeforeValidator(_no_labels, json_schema_input_type=Labels | Literal["none", False] | None),
    ] = Labels()
    features: Features = AUTO
    segments: tuple[Annotated[Segment, _shorthand("tag", Segment | Name)], ...] = ()
    reference: Reference = FromFirst()
    compare: tuple[Comparison, ...] = ("training",)
    tolerance: Annotated[float, Field(ge=0)] = 0.1
    null: Literal["joint", "one_sided"] = "joint"
    false_alarms: Rate = Frequency(count=1, per=30 * 86_400_000)
    monitors: Monitors = AUTO
    policy: Policy = Policy()
    retrain: Retrain = Retrain()
    rollback: Rollback = Rollback()
    rollout: Rollout = Rollout()
    silent_after: SilentAfter = "auto"
    calendar: tuple[Holiday, ...] = ()
    impact: Impact = Impact()
    fairness: Fairness = Fairness()
    card: Card = Card()

    @property
    def labelled(self) -> bool:
        """Whether labels are waited for at all."""
        return self.labels.enabled and self.task != "none"

    @model_validator(mode="after")
    def _spans(self) -> Self:
        if self.pane < 1_000:  # noqa: PLR2004 - a second, in milliseconds
            raise fault("pane", "must be at least 1s")
        if self.labelled and self.pane >= self.labels.horizon:
            raise fault(
                "pane", "must be shorter than labels.horizon, or no label could be waited for"
            )
        if self.labelled and self.labels.sample == 0:
            raise fault("labels.sample", "must be more than 0; write labels: none to have none")
        return self

    @model_validator(mode="after")
    def _learned(self) -> Self:
        if self.reference.from_ == "topic":
            panes = (self.reference.end - self.reference.start) // self.pane
            if panes < FEWEST_PANES:
                raise fault(
                    "reference.end", f"must be {FEWEST_PANES} panes after start, not {panes}"
                )
        return self

    @model_validator(mode="after")
    def _compared(self) -> Self:
        for i, text in enumerate(self.compare):
            name, _, rest = text.partition(" ")
            if name == "seasonal" and self.pane > SEASONS[rest]:
                longest = "1h" if SEASONS[rest] < 86_400_000 else "1d"  # noqa: PLR2004 - a day
                raise fault(f"compare.{i}", f"needs a pane of at most {longest}")
            if name == "rolling" and parse_duration(rest) < SHORTEST_ROLLING * self.pane:
                raise fault(f"compare.{i}", f"must roll over at least {SHORTEST_ROLLING} panes")
        if len(set(self.compare)) < len(self.compare):
            raise fault("compare", "must not name a reference twice")
        return self

    @model_validator(mode="after")
    def _target(self) -> Self:
        classified = self.task in ("binary", "multiclass")
        if not classified and self.classes is not None:
            raise fault("classes", f"task {self.task} has no classes")
        if self.task != "binary" and self.positive is not None:
            raise fault("positive", f"task {self.task} has no positive class")
        if self.classes is not None:
            if len(set(self.classes)) < 2:  # noqa: PLR2004 - a choice
                raise fault("classes", "must name at least two different classes")
            if self.task == "binary" and len(self.classes) > 2:  # noqa: PLR2004 - binary
                raise fault("classes", "task binary has two classes")
            if self.positive is not None and self.positive not in self.classes:
                raise fault("positive", "must be one of classes")
        return self

    @model_validator(mode="after")
    def _watched(self) -> Self:
        if len({(s.tag, s.feature) for s in self.segments}) < len(self.segments):
            raise fault("segments", "must not name a tag or feature twice")
        declared = None if self.features == AUTO else self.features
        for i, segment in enumerate(self.segments):
            if declared is not None and segment.feature and segment.feature not in declared:
                raise fault(f"segments.{i}.feature", "is no declared feature", declared)
        names = {segment.name for segment in self.segments}
        for i, name in enumerate(self.fairness.segments):
            if name not in names:
                known = ", ".join(sorted(names)) or "none is declared"
                raise fault(f"fairness.segments.{i}", f"must be one of the segments: {known}")
        for i, monitor in enumerate(() if self.monitors == AUTO else self.monitors):
            head, _, rest = monitor.watch.partition(":")
            if not self.labelled and head in NEEDS_LABELS:
                raise fault(f"monitors.{i}.watch", "needs labels, and this model has none")
            if (
                declared is not None
                and head == "feature"
                and "*" not in rest
                and rest not in declared
            ):
                watches = [f"feature:{name}" for name in declared]
                raise fault(f"monitors.{i}.watch", "is no declared feature", watches)
        types = None if declared is None else {name: one.type for name, one in declared.items()}
        check_together(self.monitors, types)
        return self


COUNTED: Final = frozenset(
    {"task", "pane", "lateness", "clock", "timestamps", "positive", "classes", "features"}
)
"""Fields that change what is counted; labels and segments are added in part."""


def config_hash(model: ModelConfig) -> str:
    """16 hex digits that name what is counted; a new one means a new epoch."""
    counted: dict[str, Any] = model.model_dump(mode="json", include=set(COUNTED))
    if isinstance(counted["features"], dict):
        for feature in counted["features"].values():
            del feature["important"]
    counted["labels"] = (
        model.labels.model_dump(mode="json", include={"horizon", "sample"})
        if model.labelled
        else None
    )
    segments = [segment.model_dump(mode="json") for segment in model.segments]
    counted["segments"] = sorted(segments, key=lambda s: (s["tag"] or "", s["feature"] or ""))
    groups = together(model.monitors)
    if groups:  # what is not declared is in no hash, so that no other config begins an epoch
        counted["together"] = sorted((one.watch, one.features) for one in groups)
    text = orjson.dumps(counted, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, digest_size=8).hexdigest()
