"""Declarations: what a declared monitor names, asks for, and costs of the budget.

Leaves to others: judging by it (`monitors`).
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from schemas.config_model import AUTO, ModelConfig
from schemas.config_monitor import PCA, Monitor
from schemas.finding import Measured
from schemas.log import Millis
from streams.monitor.declared.judges import Verdict
from streams.policy.rules import matches

USUAL_PANES: Final = 20
"""Panes of a window that the config does not give."""

MOST_PANES: Final = 5_000


def watched(config: ModelConfig) -> Sequence[Monitor]:
    """The monitors that are declared."""
    return () if config.monitors == AUTO else config.monitors


def budgeted(config: ModelConfig, signals: Iterable[str], segments: Sequence[str]) -> int:
    """How many series declared monitors add to the budget, figures counted once each."""
    names = list(signals)
    total = 0
    for one in watched(config):
        if one.watch.startswith("metric") or one.detector == PCA:
            total += 1
            continue
        total += sum(matches(one.watch, name) for name in names) * sum(
            any(matches(pattern, segment) for pattern in one.segments) for segment in segments
        )
    return total


def panes_of(one: Monitor, pane: Millis) -> int:
    """Panes of a monitor's window."""
    return USUAL_PANES if one.window is None else min(one.window.in_panes(pane), MOST_PANES)


def reaches(one: Monitor, verdict: Verdict) -> bool:
    """Whether a distance is as large as the monitor's own yellow (or red) asks for."""
    least = one.yellow or one.red
    if verdict.effect is None or least is None or least.scale != "absolute":
        return True
    return verdict.effect >= least.value


_FIELDS: Final = {
    "psi": "psi",
    "ks": "ks",
    "js": "js",
    "wasserstein": "wasserstein_sd",
    "hellinger": "hellinger",
}


def with_size(effect: Measured, detector: str, size: float | None) -> Measured:
    """The effect, with the distance that the monitor asked for."""
    if size is None or detector not in _FIELDS:
        return effect
    return msgspec.structs.replace(effect, **{_FIELDS[detector]: size})
