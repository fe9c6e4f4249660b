"""A row of the quality table: what is measured, against which target, and how it came out.

A row is a function of what was asked; tests and `scripts/quality` call the same one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SEEDS = (20261121, 7101, 90210)
"""What is judged on. Widths for small references and calibration were chosen on other seeds; the
priors of the e-detector are older than this table, and the first seed may have seen them."""


class AbsentError(Exception):
    """A file that a row needs is not here."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How thoroughly to measure, and where the recorded streams are."""

    short: bool = True
    streams: Path | None = None

    def stream(self, name: str) -> Path:
        """The path of a recorded stream; AbsentError if it is not here."""
        path = None if self.streams is None else self.streams / name
        if path is None or not path.is_file():
            raise AbsentError(f"file absent: {name}")
        return path


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What came out. `baselines`: who always fires and who never does, in the same measures."""

    passed: bool
    values: dict[str, object]
    seeds: tuple[int, ...] = ()
    baselines: dict[str, object] = field(default_factory=dict)
    reason: str = ""


Measure = Callable[[Asked], Measured]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    id: str
    what: str
    target: str
    measure: Measure


def run_lengths(pane: int) -> dict[str, object]:
    """The baselines of a run length: one alarm a pane, and none at all."""
    return {"always_fire": {"arl": pane}, "never_fire": {"arl": None, "found": 0}}


def delays_beside(pane: int) -> dict[str, object]:
    """The baselines of a delay: found at once with every pane an alarm, and never found."""
    return {
        "always_fire": {"mean_detection_delay": pane, "missed": 0, "arl": pane},
        "never_fire": {"mean_detection_delay": None, "missed": 1.0, "arl": None},
    }
