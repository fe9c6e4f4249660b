"""How a model's records are counted: the part of the config that a profiler needs."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from schemas.grid import Grid
from schemas.log import INPUT_LOGS, InputLog, Millis
from schemas.vocabulary import UNNAMED, Task

AHEAD: Final[Millis] = 5 * 60_000
"""How far beyond broker time an event may lie before its clock is called wrong, by default."""


class Counting(msgspec.Struct, frozen=True, kw_only=True):
    """Times in milliseconds. `labelled`: labels are expected, so outcomes are waited for.

    `share` of the ids are kept for joining. `source`: a name of the logs that are read, where what
    waits lies in a store elsewhere (None: in memory); `spare` rows stay while it takes none.

    `learned`: type by name of the features whose raw values may be passed on to learn from, `tags`
    the tags that may; None: all that come. `ahead`: how far beyond broker time an event may lie.
    `letters`: the share of dead letters that are written. `since`: nothing is learned of rows that
    arrived before this instant. `models`: how many each log lets in that are not named, where this
    is how they are counted.

    `epoch`: the number of this way of counting; it begins at the offsets `starts`, by log and
    partition.
    """

    model: str
    task: Task
    pane: Millis
    lateness: Millis
    horizon: Millis
    clock: Literal["broker", "event"]
    labelled: bool
    timestamps: Literal["auto", "s", "ms", "rfc3339"] = "auto"
    event_bytes: int = 256 * 1024
    batch_bytes: int = 8 * 1024 * 1024
    features: int = 500
    depth: int = 32
    versions: int = 1_000
    ahead: Millis = AHEAD
    letters: float = 1.0
    since: Millis = 0
    share: float = 1.0
    source: str | None = None
    spare: int = 200_000
    learned: Mapping[str, str] | None = None
    tags: frozenset[str] | None = None
    models: int = 0
    epoch: int = 0
    starts: Mapping[str, tuple[int, ...]] = {}

    def begins(self, partition: int) -> dict[InputLog, int]:
        """The first offset of each log that is counted."""
        return {log: self.starts[log][partition] if self.starts else 0 for log in INPUT_LOGS}


def nobody(epoch: int) -> Grid:
    """The grid of what stands for those whom nobody has met: it counts refusals alone."""
    return Grid(model=UNNAMED, task="none", features=(), epoch=epoch)
