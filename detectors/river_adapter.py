"""Any drift detector of river by name, `river:<Class>`.

Promises: river is imported only when a detector is made (it takes seconds); the state is plain
numbers, never a pickle: the values since the detector was last new, fed again on restore. Values
are bounded: at the limit the detector is made new and warmed with the latest half, at the same
value in every run. Not finite values are ignored.
Leaves to others: river's own parameters, checked by river when the detector is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import isfinite
from typing import Any

Parameter = float | int | str | bool | None

PREFIX = "river:"


@dataclass(frozen=True, kw_only=True)
class RiverSettings:
    """Class name in `river.drift` or `river.drift.binary`, its parameters, values kept."""

    name: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    limit: int = 20_000

    def __post_init__(self) -> None:
        if self.limit < 2:  # noqa: PLR2004 - half of it must be something
            raise ValueError("limit must be at least 2")


@dataclass(kw_only=True)
class RiverState:
    """Values since the detector was last new."""

    values: list[float] = field(default_factory=list)
    alarmed: bool = False


class RiverDetector:
    """One stream of values. Raises ValueError for a class river does not have."""

    def __init__(self, settings: RiverSettings) -> None:
        self.settings = settings
        self._class = _find(settings.name)
        self._state = RiverState()
        self._inner = self._class(**settings.parameters)

    def update(self, value: float) -> bool:
        """Take one value; True if river reports a drift. The next value begins anew."""
        if not isfinite(value):
            return False
        if self._state.alarmed:
            self._renew([])
        elif len(self._state.values) >= self.settings.limit:
            self._renew(self._state.values[-(self.settings.limit // 2) :])
        self._state.values.append(value)
        self._state.alarmed = self._feed(value)
        return self._state.alarmed

    def state(self) -> RiverState:
        """A copy of everything `from_state` needs, in plain numbers."""
        return RiverState(values=list(self._state.values), alarmed=self._state.alarmed)

    @classmethod
    def from_state(cls, settings: RiverSettings, state: RiverState) -> "RiverDetector":
        """Continue where `state` was taken, by feeding its values again."""
        detector = cls(settings)
        detector._renew(state.values)
        detector._state.alarmed = state.alarmed
        return detector

    def _renew(self, values: list[float]) -> None:
        self._inner = self._class(**self.settings.parameters)
        self._state = RiverState(values=list(values))
        for value in values:
            self._feed(value)

    def _feed(self, value: float) -> bool:
        # Binary detectors (DDM and others) take an error indicator.
        self._inner.update(bool(value) if _binary(self._class) else value)
        return bool(self._inner.drift_detected)


def _binary(cls: type[Any]) -> bool:
    return "binary" in cls.__module__


def _find(name: str) -> type[Any]:
    from river import drift  # noqa: PLC0415 - two to four seconds, paid only by who asks for it
    from river.base import BinaryDriftDetector, DriftDetector  # noqa: PLC0415 - as above

    known: dict[str, type[Any]] = {
        key: found
        for room in (drift, drift.binary)
        for key, found in vars(room).items()
        if isinstance(found, type) and issubclass(found, DriftDetector | BinaryDriftDetector)
    }
    wanted = name.removeprefix(PREFIX)
    # The papers, and older river, write HDDM_A for what river now calls HDDMA.
    wanted = wanted if wanted in known else wanted.replace("_", "")
    if wanted not in known:
        near = get_close_matches(wanted, known, 1) or sorted(known)
        raise ValueError(f"river has no drift detector {wanted!r}; nearest: {', '.join(near)}")
    return known[wanted]
