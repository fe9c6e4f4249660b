"""What holds for one model: spans, limits, routes, exceptions.

Promises: everything below `policy` reads these and never the config; spans are milliseconds,
patience is in panes.
Leaves to others: reading the config (`compile`), deciding anything.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal

import msgspec

from schemas.log import Millis
from schemas.output_parts import Gates
from schemas.vocabulary import Kind, RetrainCause, Severity
from streams.policy.retraining.cron import Cron
from streams.policy.severity import Limits
from streams.policy.signals.states import Patience
from streams.policy.state import SignalKey, Silence

DAY: Final[Millis] = 86_400_000
YOUNG_PANES: Final = 5
"""Movements that begin within so many panes of each other are taken for one cause."""
LAG_PANES: Final = 10
"""A consequence may show so many panes (and the label delay) after its cause."""
ECHO_PANES: Final = 30
"""So long after its end an incident still explains windows that reach back into it."""


@lru_cache(maxsize=4096)
def matches(pattern: str, text: str) -> bool:
    """Whether `text` is `pattern`, where each `*` stands for any characters."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    if not text.startswith(first):
        return False
    at = len(first)
    for part in rest[:-1]:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - at >= len(rest[-1]) and text.endswith(rest[-1])


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """Limits for the signals and segments that match."""

    signal: str = "*"
    segment: str = "*"
    version: str = "*"
    limits: Limits


class Holiday(msgspec.Struct, frozen=True, array_like=True):
    """A stretch [start, end) known to be different."""

    name: str
    start: Millis
    end: Millis


class Maintenance(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts that match wait for `lasts` milliseconds from each date of the schedule on."""

    signal: str
    segment: str
    schedule: Cron
    lasts: Millis


class Escalation(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told of a red incident not acknowledged `after` milliseconds (None: nobody)."""

    after: Millis | None = DAY
    owner: str = ""
    sink: str = ""


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of the traffic a new version goes through, and what a step needs at least."""

    steps: tuple[float, ...] = (0.05, 0.2, 0.5, 1.0)
    min_duration: Millis = 3_600_000
    min_rows: int = 500


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told of incidents of a kind and severity (None: any), and what they should read."""

    kind: Kind | None = None
    severity: Severity | None = None
    segment: str = "*"
    signal: str = "*"
    owner: str = ""
    sink: str = ""
    runbook: str = ""


class Retraining(msgspec.Struct, frozen=True, kw_only=True):
    """When a retraining may be asked for, and what the new version must show.

    `deltas`: how far above the champion a metric must be; `full_after`: so long after the last
    full retraining, an incremental one that follows another is a full one.
    """

    mode: Literal["off", "schedule", "trigger", "hybrid"] = "hybrid"
    schedule: Cron | None = None
    min_interval: Millis = 7 * DAY
    min_labels: int = 0
    when: frozenset[RetrainCause] = frozenset()
    attempts: int = 3
    expires_after: Millis = 7 * DAY
    gates: Gates = Gates()
    deltas: tuple[tuple[str, float], ...] = ()
    full_after: Millis = 28 * DAY
    approval: bool = True


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one model.

    `young` groups signals, `lag` lets consequences follow. `rollback_at`: share of the baseline
    lost (None: never). `allowed` false alarms in each `per`. `stakes`: what it costs to act or not.
    `epoch`: of the way of counting, so that two of them open no incident under one name.
    """

    model: str
    pane: Millis
    epoch: int = 0
    patience: Patience = Patience(sustained=3, resolve_after=3)
    cool_down: Millis = 3_600_000
    limits: Limits = Limits()
    overrides: tuple[Override, ...] = ()
    rollback_at: float | None = 0.10
    spike_within: Millis | None = 2 * 3_600_000
    retraining: Retraining = Retraining()
    routes: tuple[Route, ...] = ()
    silences: tuple[Silence, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    calendar: tuple[Holiday, ...] = ()
    escalation: Escalation = Escalation()
    rollout: Rollout = Rollout()
    allowed: float = 1.0
    per: Millis = 30 * DAY
    per_text: str = "30d"
    stakes: str | None = None

    @property
    def young(self) -> Millis:
        """Within how much time movements share a cause."""
        return max(YOUNG_PANES, self.patience.sustained + 2) * self.pane

    @property
    def lag(self) -> Millis:
        """How long after its cause a consequence may begin, label delay not counted."""
        return max(LAG_PANES, self.patience.sustained + 7) * self.pane

    @property
    def echo(self) -> Millis:
        """How long an incident that is over is remembered for what its rows still cause."""
        return ECHO_PANES * self.pane

    @property
    def cooling(self) -> Millis:
        """The cool-down, at least as long as resolving takes: a shorter one is over unseen."""
        return max(self.cool_down, self.patience.resolve_after * self.pane)

    def limits_of(self, key: SignalKey) -> Limits:
        """The limits of a signal: the first override that covers it, else those of all."""
        for override in self.overrides:
            if (
                matches(override.signal, key.signal)
                and matches(override.segment, key.segment)
                and matches(override.version, key.version)
            ):
                return override.limits
        return self.limits

    def route(
        self, kind: Kind, severity: Severity, segment: str = "*", signals: Iterable[str] = ()
    ) -> Route:
        """The first route whose conditions all hold, for one of `signals` if it names any."""
        names = tuple(signals)
        for route in self.routes:
            if (
                route.kind in (None, kind)
                and route.severity in (None, severity)
                and matches(route.segment, segment)
                and (route.signal == "*" or any(matches(route.signal, name) for name in names))
            ):
                return route
        return Route()
