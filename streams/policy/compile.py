"""The policy of one model, compiled once from its config into rules.

Promises: nothing of the config is read after this. Leaves to others: what a rule means (`rules`).
"""

from typing import Final

import msgspec

from schemas.config_model import AUTO, ModelConfig
from schemas.config_policy import Levels, Policy, Retrain
from schemas.config_policy import Override as Declared
from schemas.durations import show_duration
from schemas.log import DAWN, DUSK, Millis
from schemas.output_parts import Bound, Gates
from streams.policy.family import family_of
from streams.policy.retraining.cron import Cron
from streams.policy.rules import (
    Escalation,
    Holiday,
    Maintenance,
    Override,
    Retraining,
    Rollout,
    Route,
    Rules,
)
from streams.policy.severity import Limits
from streams.policy.signals.states import Patience
from streams.policy.state import Silence

OTHER_SCALES: Final = frozenset({"ks", "js", "wasserstein", "chi2", "hellinger"})
"""Distances whose absolute limits are no limits of the stability index: the monitor keeps them."""
LOWER_IS_BETTER: Final = frozenset(
    {"error_rate", "log_loss", "brier", "mae", "mse", "rmse", "mape", "ece"}
    | {"false_positive_rate", "false_negative_rate"}
)


def compile_rules(config: ModelConfig, model: str, pane: Millis, epoch: int = 0) -> Rules:
    """The rules of `model`; ValueError (operator's fault) for a schedule that cannot be read."""
    policy, rollback, rollout = config.policy, config.rollback, config.rollout
    limits = _limits(policy)
    escalation = policy.escalation
    return Rules(
        model=model,
        pane=pane,
        epoch=epoch,
        patience=Patience(sustained=policy.sustained, resolve_after=policy.resolve_after),
        cool_down=policy.cool_down,
        limits=limits,
        overrides=(*_declared(policy, limits), *_overrides(config, limits)),
        rollback_at=rollback.below_baseline,
        spike_within=rollback.error_spike_within,
        retraining=_retraining(config.retrain),
        routes=_routes(policy),
        silences=_silences(policy),
        maintenance=_maintenance(policy),
        calendar=tuple(Holiday(one.name, one.from_, one.to) for one in config.calendar),
        escalation=Escalation(
            after=escalation.after if escalation.owner or escalation.sink else None,
            owner=escalation.owner or "",
            sink=escalation.sink or "",
        ),
        rollout=Rollout(
            steps=rollout.steps, min_duration=rollout.min_duration, min_rows=rollout.min_rows
        ),
        allowed=config.false_alarms.count,
        per=config.false_alarms.per,
        per_text=show_duration(config.false_alarms.per),
        stakes=config.impact.words,
    )


def _retraining(retrain: Retrain) -> Retraining:
    return Retraining(
        mode=retrain.mode,
        schedule=Cron.parse(retrain.schedule, retrain.timezone) if retrain.schedule else None,
        min_interval=retrain.min_interval,
        min_labels=retrain.min_labels,
        when=frozenset(retrain.when),
        attempts=retrain.attempts,
        expires_after=retrain.expires_after,
        approval=retrain.approval == "required",
        deltas=tuple(sorted(retrain.gates.deltas.items())),
        full_after=retrain.full_after,
        gates=Gates(
            metrics={
                name: Bound(min=bound.min, max=bound.max)
                for name, bound in sorted(retrain.gates.metrics.items())
            },
            slices=retrain.gates.slices,
        ),
    )


def _routes(policy: Policy) -> tuple[Route, ...]:
    return tuple(
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
    )


def _silences(policy: Policy) -> tuple[Silence, ...]:
    return tuple(
        Silence(
            signal=silence.signal,
            segment=silence.segment,
            start=DAWN if silence.from_ is None else silence.from_,
            end=min(silence.until, DUSK),
        )
        for silence in policy.silences
    )


def _maintenance(policy: Policy) -> tuple[Maintenance, ...]:
    return tuple(
        Maintenance(
            signal=one.signal,
            segment=one.segment,
            schedule=Cron.parse(one.schedule, one.timezone),
            lasts=one.lasts,
        )
        for one in policy.maintenance
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


def _declared(policy: Policy, limits: Limits) -> list[Override]:
    """What the operator says of some signals, then the floors of metrics."""
    found = [
        Override(
            signal=one.signal,
            segment=one.segment,
            version=one.version,
            limits=_own(one, limits, policy.floors),
        )
        for one in policy.overrides
    ]
    found += [
        Override(signal=f"metric:{name}", limits=msgspec.structs.replace(limits, floor=floor))
        for name, floor in sorted(policy.floors.items())
    ]
    return found


def _own(one: Declared, limits: Limits, floors: dict[str, float]) -> Limits:
    """The limits of one override; what it does not say holds as for all."""
    if one.effect is not None:
        limits = msgspec.structs.replace(
            limits, psi_yellow=one.effect.yellow.value, psi_red=one.effect.red.value
        )
    if one.metric is not None:
        limits = _metric(limits, one.metric)
    floor = floors.get(one.signal.removeprefix("metric:")) if one.floor is None else one.floor
    return msgspec.structs.replace(
        limits, floor=floor, ceiling=one.ceiling, pages=one.role == "alert"
    )


def _overrides(config: ModelConfig, limits: Limits) -> list[Override]:
    """What declared monitors say of their own signals."""
    found = []
    for monitor in () if config.monitors == AUTO else config.monitors:
        own = limits
        for name, level in (("yellow", monitor.yellow), ("red", monitor.red)):
            if level is None or (level.scale == "absolute" and monitor.detector in OTHER_SCALES):
                continue
            if level.scale == "absolute" and monitor.watch.startswith("metric:"):
                own = _bounded(own, monitor.watch, level.value) if name == "red" else own
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


def _bounded(limits: Limits, watch: str, value: float) -> Limits:
    """An absolute limit of a quality metric is what it must keep; of other figures it is none."""
    name = watch.removeprefix("metric:")
    if family_of(watch, "fall") != "performance_drop":
        return limits
    side = "ceiling" if name in LOWER_IS_BETTER else "floor"
    return msgspec.structs.replace(limits, **{side: value})
