"""Dating: the instants of decoded rows, and which rows cannot be counted because of them.

Promises: a row is judged by itself and its broker time alone; the messages never quote the input.
Leaves to others: what is late or expired (`model`, `join`).
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

import numpy as np

from schemas.counting import AHEAD, Counting
from schemas.instants import parse_many
from schemas.rows import Ints, Refusal
from streams.profiler.blocks import Mask


class Stamps(NamedTuple):
    """What the log says of records (n,): offset, broker time, watermark (None: event clock)."""

    offsets: Ints
    broker: Ints
    marks: Ints | None

    def only(self, records: Ints | slice) -> "Stamps":
        """Those of some records."""
        marks = None if self.marks is None else self.marks[records]
        return Stamps(self.offsets[records], self.broker[records], marks)


def dated(counting: Counting, events: Sequence[Any], broker: Ints) -> tuple[Ints, list[Refusal]]:
    """Event times (n,) in ms of one model's rows, -1 where refused, and the refusals by row.

    `broker` (n,) is the broker time of each. Rows of other models are refused too.
    """
    times, bad = parse_many([event.timestamp for event in events], counting.timestamps)
    times[bad] = -1
    strange, wrong = _strangers(counting.model, events), times <= 0
    faults = (
        (strange, "unknown_model", "no such model"),
        (wrong & ~strange, "bad_timestamp", "the timestamp cannot be read as declared"),
        (
            (times > broker + AHEAD) & ~strange,
            "future_timestamp",
            "the timestamp is ahead of broker time",
        ),
    )
    refused: list[Refusal] = []
    for mask, code, message in faults:
        if not mask.any():
            continue
        refused += [Refusal(int(i), code, message) for i in np.flatnonzero(mask)]
        times[mask] = -1
    return times, refused


_MODEL: Final = attrgetter("model")


def _strangers(model: str, events: Sequence[Any]) -> Mask:
    """Which records name another model (a machine of one model looks at none before)."""
    if set(map(_MODEL, events)) <= {model}:
        return np.zeros(len(events), np.bool_)
    return np.fromiter((event.model != model for event in events), np.bool_, len(events))
