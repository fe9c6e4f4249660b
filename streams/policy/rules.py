"""The policy of one model, compiled once from its config into spans and limits.

Promises: everything below `policy` reads these and never the config; spans are milliseconds,
patience is in panes.
Leaves to others: deciding anything.
"""

from functools import lru_cache
from typing import Final, Literal

import msgspec

from schemas.config_model import AUTO, ModelConfig
from schemas.config_policy import Levels, Policy
from schemas.durations import show_duration
from schemas.log import DAWN, DUSK, Millis
from schemas.output_parts import Bound, Gates
from schemas.vocabulary import Kind, RetrainCause, Severity
from streams.policy.cron import Cron
from streams.policy.severity import Limits
from streams.policy.state import SignalKey, Silence
from streams.policy.states import Patience

DAY: Final[Millis] = 86_400_000
_OTHER_SCALES: Final = frozenset({"ks", "js", "wasserstein", "chi2", "hellinger"})
"""Distances whose absolute limits are no limits of the stability index: the monitor keeps them."""
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
    limits: Limits


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
    """When a retraining may be asked for, and what the new version must show."""

    mode: Literal["off", "schedule", "trigger", "hybrid"] = "hybrid"
    schedule: Cron | None = None
    min_interval: Millis = 7 * DAY
    min_labels: int = 0
    when: frozenset[RetrainCause] = frozenset()
    attempts: int = 3
    expires_after: Millis = 7 * DAY
    gates: Gates = Gates()


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one model.

    `young` groups signals, `lag` lets consequences follow. `rollback_at`: share of the baseline
    lost (None: never). `allowed` false alarms in each `per`.
    """

    model: str
    pane: Millis
    patience: Patience = Patience(sustained=3, resolve_after=3)
    cool_down: Millis = 3_600_000
    limits: Limits = Limits()
    overrides: tuple[Override, ...] = ()
    rollback_at: float | None = 0.10
    spike_within: Millis | None = 2 * 3_600_000
    retraining: Retraining = Retraining()
    routes: tuple[Route, ...] = ()
    silences: tuple[Silence, ...] = ()
    allowed: float = 1.0
    per: Millis = 30 * DAY
    per_text: str = "30d"

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
            if matches(override.signal, key.signal) and matches(override.segment, key.segment):
                return override.limits
        return self.limits

    def route(self, kind: Kind, severity: Severity, segment: str = "*", signal: str = "*") -> Route:
        """The first route whose conditions all hold; an empty one if none is declared."""
        for route in self.routes:
            if (
                route.kind in (None, kind)
                and route.severity in (None, severity)
                and matches(route.segment, segment)
                and matches(route.signal, signal)
            ):
                return route
        return Route()


def compile_rules(config: ModelConfig, model: str, pane: Millis) -> Rules:
    """The rules of `model`; ValueError (operator's fault) for a schedule that cannot be read."""
    policy, retrain, rollback = config.policy, config.retrain, config.rollback
    limits = _limits(policy)
    return Rules(
        model=model,
        pane=pane,
        patience=Patience(sustained=policy.sustained, resolve_after=policy.resolve_after),
        cool_down=policy.cool_down,
        limits=limits,
        overrides=tuple(_overrides(config, limits)),
        rollback_at=rollback.below_baseline,
        spike_within=rollback.error_spike_within,
        retraining=Retraining(
            mode=retrain.mode,
            schedule=Cron.parse(retrain.schedule, retrain.timezone) if retrain.schedule else None,
            min_interval=retrain.min_interval,
            min_labels=retrain.min_labels,
            when=frozenset(retrain.when),
            expires_after=retrain.expires_after,
            gates=Gates(
                metrics={
                    name: Bound(min=bound.min, max=bound.max)
                    for name, bound in sorted(retrain.gates.metrics.items())
                },
                slices=retrain.gates.slices,
            ),
        ),
        routes=tuple(
            Route(
                kind=route.class_,
                severity=route.severity,
                segment=route.segment or "*",
                signal=route.signal or "*",
                owner=route.owner or "",
                sink=route.sink or "",
                runbook=route.runbook or "",
            )
            for route in policy.routes
        ),
        silences=tuple(
            Silence(
                signal=silence.signal,
                segment=silence.segment,
                start=DAWN if silence.from_ is None else silence.from_,
                end=min(silence.until, DUSK),
            )
            for silence in policy.silences
        ),
        allowed=config.false_alarms.count,
        per=config.false_alarms.per,
        per_text=show_duration(config.false_alarms.per),
    )


def _limits(policy: Policy) -> Limits:
    """The limits of all signals.

    Without an `effect` of the operator's own, every confirmed change is yellow: the tolerance
    has decided already that it matters.
    """
    limits = Limits(psi_red=policy.effect.red.value)
    if "effect" in policy.model_fields_set:
        limits = msgspec.structs.replace(limits, psi_yellow=policy.effect.yellow.value)
    return _metric(limits, policy.metric)


def _metric(limits: Limits, levels: Levels) -> Limits:
    """Limits with those of metrics, whichever scale they are written on."""
    for name, level in (("yellow", levels.yellow), ("red", levels.red)):
        if level.scale == "points":
            limits = msgspec.structs.replace(limits, **{f"points_{name}": level.value / 100})
        else:
            limits = msgspec.structs.replace(limits, **{f"fall_{name}": level.value})
    return limits


def _overrides(config: ModelConfig, limits: Limits) -> list[Override]:
    """What declared monitors say of their own signals."""
    found = []
    for monitor in () if config.monitors == AUTO else config.monitors:
        own = limits
        for name, level in (("yellow", monitor.yellow), ("red", monitor.red)):
            if level is None or (level.scale == "absolute" and monitor.detector in _OTHER_SCALES):
                continue
            field = {"points": "points", "relative": "fall", "absolute": "psi"}[level.scale]
            value = level.value / 100 if field == "points" else level.value
            own = msgspec.structs.replace(own, **{f"{field}_{name}": value})
        if own != limits:
            found += [
                Override(signal=monitor.watch, segment=segment, limits=own)
                for segment in monitor.segments
            ]
    return found
