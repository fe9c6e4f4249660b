"""Re-reading: how long a restart takes whose pending store is rebuilt from the topics.

Promises: an estimate from what lies in the logs within the longest horizon; with Redis nothing has
to be rebuilt. A sample of ids does not shorten it: the log is read from the oldest id that waits.
Leaves to others: counting records (a reader), what follows from it (`doctor`, `worker`).
"""

from collections.abc import Callable
from typing import Final

import msgspec

from schemas.config import Config
from schemas.durations import show_duration
from schemas.log import Millis

A_SECOND: Final = 100_000
"""Records that one profiler re-reads in a second: 10 µs each, as with JSON on a busy machine."""

LOGS: Final = ("predictions", "labels")

CURE: Final = "wait for labels in Redis (redis:), or shorten labels.horizon"


class Rereading(msgspec.Struct, frozen=True, kw_only=True):
    """What a restart reads again for the model that waits longest, if one worker owns it all."""

    model: str
    wait: Millis
    records: int
    limit: Millis

    @property
    def spent(self) -> Millis:
        """How long that takes."""
        return self.records * 1_000 // A_SECOND

    @property
    def long(self) -> bool:
        """Whether it is longer than `limits.rebuild`."""
        return self.spent > self.limit

    def sentence(self) -> str:
        """In words."""
        took = show_duration(max(self.spent // 1_000 * 1_000, 1_000))
        return (
            f"{self.model} waits {show_duration(self.wait)} for labels: a restart reads about"
            f" {self.records:,} records again, {took} for one worker (limits.rebuild is"
            f" {show_duration(self.limit)})"
        )


def rereading(config: Config, count: Callable[[str, Millis], int]) -> Rereading | None:
    """The longest re-reading; None where nothing waits in memory.

    `count` gives the records of a log within the last milliseconds.
    """
    waits = {
        name: model.labels.horizon + model.lateness
        for name, model in config.models.items()
        if model.labelled
    }
    if not waits or config.redis is not None:
        return None
    model = max(waits, key=lambda name: waits[name])
    records = sum(count(log, waits[model]) for log in LOGS)
    return Rereading(model=model, wait=waits[model], records=records, limit=config.limits.rebuild)
