"""Tagged: figures (`metrics`) that say by the tag `version` which version they are of.

Those of versions on trial are kept apart from the model's own figures, as their rows are few and
would move them; they are compared with the champion's of the same pane. A figure that is compared
must be a mean or a share of the version's rows, such as cost a request: a sum follows the traffic.

Promises: what is worse is said by `direction`; without one only of what an operator watches (cost,
errors, latency: lower is better), and any other figure is not compared.
Leaves to others: what the comparison proves (`detectors.means`, `canary`).
"""

from collections.abc import Iterable
from typing import Final

from detectors.means import Race
from schemas.finding import Measured
from schemas.grid import category_text
from schemas.inputs import Metric, ModelEvent
from schemas.log import Millis
from streams.monitor.rollout.trial import Trial
from streams.policy.family import family_of
from streams.policy.state import Version

MOST: Final = 20
"""Figures of a canary; further names are passed over."""
_HIGHER: Final = frozenset({"throughput"})


def version_of(metric: Metric) -> str | None:
    """The version a figure is of, where it says so."""
    return category_text(metric.tags.get("version"))


def on_trial(
    versions: Iterable[Version], events: Iterable[tuple[Millis, ModelEvent]]
) -> frozenset[str]:
    """The canaries of a pane: known before it, or begun in it."""
    before = {one.name for one in versions if one.canaried is not None and not one.withdrawn}
    begun = {one.version for _, one in events if one.type == "canary_started" and one.version}
    return frozenset(before | begun)


def apart(
    metrics: Iterable[Metric], trying: frozenset[str]
) -> tuple[list[Metric], tuple[Metric, ...]]:
    """The model's own figures, and those of versions on trial."""
    own: list[Metric] = []
    others: list[Metric] = []
    for one in metrics:
        (others if trying and version_of(one) in trying else own).append(one)
    return own, tuple(others)


def compare(
    trial: Trial,
    version: str,
    metrics: Iterable[Metric],
    rows: tuple[int, int],
    margin: float,
) -> None:
    """Take the figures of a pane in which champion and canary have so many `rows`."""
    values: dict[str, tuple[list[float], list[float]]] = {}
    signs: dict[str, list[float]] = {}
    for one in metrics:
        whose, sign = version_of(one), _sign(one)
        if whose in (trial.champion, version) and sign:
            values.setdefault(one.name, ([], []))[whose == version].append(one.value)
            signs.setdefault(one.name, []).append(sign)
    for name in sorted(values):
        a, b = values[name]
        known = name in trial.figures
        if a and b and rows[0] and rows[1] and (known or len(trial.figures) < MOST):
            sign = trial.signs.setdefault(name, min(signs[name]))
            sides = (rows[0], sign * _mean(a)), (rows[1], sign * _mean(b))
            trial.figures[name] = trial.figures.get(name, Race()).after(*sides, margin)


def effect(trial: Trial, name: str, margin: float, *, alarm: bool) -> Measured:
    """The figure of both in its own unit, and how much the canary's is worse."""
    found, sign = trial.figures[name], trial.signs[name]
    lost = found.mean_b - found.mean_a
    share = max(lost / abs(found.mean_a), margin) if found.mean_a else margin
    return Measured(
        current=sign * found.mean_b,
        baseline=sign * found.mean_a,
        fall=lost if alarm else None,
        fall_ratio=share if alarm else None,
    )


def _sign(one: Metric) -> float:
    """1 where larger is worse, -1 where smaller is, 0 where nobody says."""
    if one.direction is not None:
        return 1.0 if one.direction == "lower_is_better" else -1.0
    known = family_of(f"metric:{one.name}", "shift") == "operational"
    return 1.0 if known and one.name not in _HIGHER else 0.0


def _mean(values: list[float]) -> float:
    return sum(sorted(values)) / len(values)
