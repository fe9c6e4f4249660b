"""What follows from a reading: severity, routes, silences, retraining, rollback, calendar.

Leaves to others: acting on it (the policy organs), sending (sinks).
"""

import re
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from schemas.config_values import (
    Begin,
    Duration,
    End,
    Name,
    Panes,
    Part,
    Ratio,
    Selector,
    Threshold,
    fault,
)
from schemas.durations import Threshold as Limit
from schemas.vocabulary import Kind, RetrainCause, Severity

_CRON_FIELD: Final = re.compile(r"(\*|\d{1,2}(-\d{1,2})?)(/\d{1,2})?", re.ASCII)
_CRON_RANGES: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
"""Minute, hour, day of month, month, day of week (0 and 7 are Sunday)."""


def check_cron(text: str) -> str:
    """The text itself, if it is a cron line of five fields; ValueError if not."""
    fields = text.split()
    if len(fields) != len(_CRON_RANGES):
        raise ValueError('must be a cron line of five fields, such as "0 2 1 * *"')
    for field, (low, high) in zip(fields, _CRON_RANGES, strict=True):
        for item in field.split(","):
            found = _CRON_FIELD.fullmatch(item)
            base, _, step = item.partition("/")
            bounds = [int(n) for n in base.split("-")] if found and base != "*" else []
            if not found or bounds != sorted(bounds) or (step and int(step) == 0):
                raise ValueError("has a cron field that is no number, range, list or step")
            if any(not low <= n <= high for n in bounds):
                raise ValueError(f"has a cron field outside {low} to {high}")
    return text


def check_timezone(name: str) -> str:
    """The name itself, if it is a known time zone; ValueError if not."""
    if name == "UTC":
        return name
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ValueError('must be a time zone such as "UTC" or "Europe/Berlin"') from None
    return name


class Levels(Part):
    """Where a departure becomes yellow and where red."""

    yellow: Threshold
    red: Threshold

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.yellow.scale == self.red.scale and self.red.value < self.yellow.value:
            raise fault("red", "must not be below yellow")
        return self


class TrendRule(Part):
    """A slow fall that no single pane shows: so much a week, for so many weeks."""

    per_week: Ratio = 0.005
    weeks: Annotated[int, Field(ge=1, le=520)] = 4


class Route(Part):
    """Who is told: the first route whose given conditions all hold."""

    class_: Kind | None = Field(default=None, alias="class")
    severity: Severity | None = None
    segment: Selector | None = None
    signal: Selector | None = None
    owner: str | None = None
    sink: Name | None = None
    runbook: str | None = None


class Silence(Part):
    """What is not told to anyone for a while; it is still counted."""

    signal: Selector = "*"
    segment: Selector = "*"
    from_: Begin | None = Field(default=None, alias="from")
    until: End
    reason: str = Field(min_length=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.from_ is not None and self.until <= self.from_:
            raise fault("until", "must be after from")
        return self


class Maintenance(Part):
    """A silence that comes again: from each date of a cron line on, for so long."""

    schedule: Annotated[str, AfterValidator(check_cron)]
    timezone: Annotated[str, AfterValidator(check_timezone)] = "UTC"
    lasts: Duration
    signal: Selector = "*"
    segment: Selector = "*"
    reason: str = Field(min_length=1)

    @model_validator(mode="after")
    def _brief(self) -> Self:
        if self.lasts > 7 * 86_400_000:
            raise fault("lasts", "must be at most 7d; for longer ones there is calendar")
        return self


class Override(Part):
    """Other limits for some signals, segments and versions: the first that matches holds.

    `floor` and `ceiling` are values that a metric must keep, whatever its baseline. With the role
    context a signal is shown and joins incidents, and opens none.
    """

    signal: Selector = "*"
    segment: Selector = "*"
    version: Selector = "*"
    effect: Levels | None = None
    metric: Levels | None = None
    floor: float | None = None
    ceiling: float | None = None
    role: Literal["alert", "context"] = "alert"


class Escalation(Part):
    """Whom else to tell of a red incident that nobody acknowledges in time; without one, nobody."""

    after: Duration = 86_400_000
    owner: str | None = None
    sink: Name | None = None


class Policy(Part):
    """When a breach becomes an incident, when it is over, and who hears of it.

    `floors`: values that metrics must keep, by their names; below them it is red at once.
    """

    sustained: Panes = 3
    resolve_after: Panes = 3
    cool_down: Duration = 3_600_000
    effect: Levels = Levels(yellow=Limit(value=0.1), red=Limit(value=0.25))
    metric: Levels = Levels(
        yellow=Limit(value=0.02, scale="relative"), red=Limit(value=0.05, scale="relative")
    )
    trend: TrendRule = TrendRule()
    floors: dict[Name, float] = Field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    routes: tuple[Route, ...] = ()
    silences: tuple[Silence, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    escalation: Escalation = Escalation()


class Bound(Part):
    """What a metric of a new version must keep."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is None and self.max is None:
            raise fault("min", "needs min, max or both")
        if self.min is not None and self.max is not None and self.max < self.min:
            raise fault("max", "must not be below min")
        return self


class Gates(Part):
    """What a new version must show before it is promoted.

    `deltas`: how far above the present version's value a metric must be (0.01: a point).
    """

    metrics: dict[Name, Bound] = Field(default_factory=dict)
    deltas: dict[Name, float] = Field(default_factory=dict)
    slices: tuple[Selector, ...] = ()


class Retrain(Part):
    """When to ask for a retraining."""

    mode: Literal["off", "schedule", "trigger", "hybrid"] = "hybrid"
    schedule: Annotated[str, AfterValidator(check_cron)] | None = None
    timezone: Annotated[str, AfterValidator(check_timezone)] = "UTC"
    min_interval: Duration = 7 * 86_400_000
    min_labels: Annotated[int, Field(ge=0)] = 2_000
    when: tuple[RetrainCause, ...] = (
        "performance_red",
        "performance_yellow",
        "important_drift_red",
        "novelty_red",
        "external",
        "labels_redefined",
    )
    approval: Literal["required", "none"] = "required"
    expires_after: Duration = 7 * 86_400_000
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    full_after: Duration = 28 * 86_400_000
    gates: Gates = Gates()

    @model_validator(mode="after")
    def _scheduled(self) -> Self:
        if self.mode == "schedule" and self.schedule is None:
            raise fault("schedule", "mode schedule needs a cron line here")
        return self


class Rollback(Part):
    """When to ask for the way back; null switches a rule off."""

    below_baseline: Ratio | None = 0.1
    error_spike_within: Duration | None = 7_200_000


class Holiday(Part):
    """A stretch known to be different: nothing is alarmed on, nothing learned from it."""

    name: str = Field(min_length=1)
    from_: Begin = Field(alias="from")
    to: End

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.to <= self.from_:
            raise fault("to", "must be after from")
        return self


class Impact(Part):
    """What is at stake; costs are in one currency of the operator's choice."""

    level: Literal["low", "medium", "high"] = "medium"
    retrain_cost: Annotated[float, Field(ge=0)] | None = None
    cost_per_point: Annotated[float, Field(ge=0)] | None = None

    @property
    def pays_from(self) -> float | None:
        """Points of the metric (hundredths) from which a retraining pays; None where not known."""
        if self.retrain_cost is None or not self.cost_per_point:
            return None
        return self.retrain_cost / self.cost_per_point

    @property
    def words(self) -> str | None:
        """The same in words, with its numbers."""
        if self.pays_from is None:
            return None
        return (
            f"a retraining ({self.retrain_cost:,.10g}) pays from a fall of {self.pays_from:.2g} "
            f"points of the metric ({self.cost_per_point:,.10g} a point)"
        )
