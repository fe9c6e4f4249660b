"""The config of declared monitors: a signal, or a pattern of signals, and a detector for it.

Promises: what a detector cannot watch, or takes no notice of, is refused with the reason.
Leaves to others: whether the model has such a signal (`config_model`), judging (monitor).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.config_values import Length, Name, Part, Selector, Threshold, fault
from schemas.vocabulary import SIGNALS, DetectorName, words

PCA: Final = "pca"
TOGETHER: Final = "features"
"""What a signal of several features together is called, or begins with before its colon."""

MOST_TOGETHER: Final = 64
"""Features that one monitor watches together: their products are 2,080."""

_RIVER: Final = re.compile(r"river:[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)


def _check_detector(name: str) -> str:
    """The name of a detector of ours, or `river:<Class>`."""
    if name not in words(DetectorName) and not _RIVER.fullmatch(name):
        raise ValueError(f"must be one of: {', '.join(words(DetectorName))}, river:<Class>")
    return name


def _check_signal(name: str) -> str:
    """A signal, or a pattern such as `feature:*`."""
    if name.partition(":")[0] not in (*SIGNALS, "*"):
        raise ValueError(f"must be a signal that begins with one of: {', '.join(SIGNALS)}")
    return name


DetectorRef = Annotated[str, AfterValidator(_check_detector)]
Signal = Annotated[str, AfterValidator(_check_signal), Field(max_length=256)]


class Monitor(Part):
    """One monitor, or one for each signal where `watch` is a pattern."""

    watch: Signal
    detector: DetectorRef
    features: tuple[Name, ...] = ()
    window: Length | None = None
    yellow: Threshold | None = None
    red: Threshold | None = None
    tolerance: Annotated[float, Field(ge=0)] | None = None
    segments: tuple[Selector, ...] = ("*",)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if (
            self.yellow is not None
            and self.red is not None
            and self.yellow.scale == self.red.scale
            and self.red.value < self.yellow.value
        ):
            raise fault("red", "must not be below yellow")
        return self

    @model_validator(mode="after")
    def _several(self) -> Self:
        if self.detector != PCA:
            if self.features:
                raise fault("features", f"only {PCA} watches several features together")
            return self
        if self.watch.partition(":")[0] != TOGETHER or "*" in self.watch:
            raise fault(
                "watch",
                f"{PCA} watches several features as one signal: write {TOGETHER}"
                f" (or {TOGETHER}:NAME), and which under features",
            )
        if len(self.features) == 1:
            raise fault("features", "must name at least two, or none for all numeric ones")
        if len(self.features) > MOST_TOGETHER:
            raise fault("features", f"must name at most {MOST_TOGETHER}, not {len(self.features)}")
        if len(set(self.features)) < len(self.features):
            raise fault("features", "must not name one twice")
        if self.segments != ("*",):
            raise fault("segments", f"{PCA} judges all rows of a version together; leave it out")
        for level in ("yellow", "red"):
            if getattr(self, level) is not None:
                raise fault(level, f"{PCA} takes none: whatever it proves is yellow")
        return self


def together(monitors: Sequence[Monitor] | str) -> list[Monitor]:
    """The monitors of several features together."""
    return [] if isinstance(monitors, str) else [one for one in monitors if one.detector == PCA]


def check_together(monitors: Sequence[Monitor] | str, declared: Mapping[str, str] | None) -> None:
    """Refuse what the features cannot give; `declared`: their types by name (None: auto)."""
    seen: set[str] = set()
    for i, one in enumerate(() if isinstance(monitors, str) else monitors):
        if one.detector != PCA:
            continue
        place = f"monitors.{i}"
        if one.watch in seen:
            raise fault(f"{place}.watch", f"must differ between {PCA} monitors: {TOGETHER}:NAME")
        seen.add(one.watch)
        if declared is None:
            continue
        for j, name in enumerate(one.features):
            if name not in declared:
                raise fault(f"{place}.features.{j}", "is no declared feature", declared)
            if declared[name] == "categorical":
                raise fault(f"{place}.features.{j}", f"is categorical; {PCA} takes numeric ones")
        numeric = [name for name, kind in declared.items() if kind != "categorical"]
        if not one.features and not 2 <= len(numeric) <= MOST_TOGETHER:  # noqa: PLR2004 - together
            raise fault(
                f"{place}.features",
                f"must name 2 to {MOST_TOGETHER} numeric features: {len(numeric)} are declared",
            )
