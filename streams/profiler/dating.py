"""Dating: the instants of decoded rows, and which rows cannot be counted because of them.

Promises: a row is judged by itself and its broker time alone; the messages never quote the input.
Leaves to others: what is late or expired (`model`, `join`).
"""

from typing import NamedTuple

import numpy as np

from schemas.counting import Counting
from schemas.frames.events import Events
from schemas.frames.frame import Frame
from schemas.instants import SECONDS_BELOW
from schemas.refused import Refused, alike
from schemas.rows import Ints


class Stamps(NamedTuple):
    """What the log says of records (n,): offset, broker time, watermark (None: event clock)."""

    offsets: Ints
    broker: Ints
    marks: Ints | None

    def only(self, records: Ints | slice) -> "Stamps":
        """Those of some records."""
        marks = None if self.marks is None else self.marks[records]
        return Stamps(self.offsets[records], self.broker[records], marks)


def dated(counting: Counting, events: Events | Frame, broker: Ints) -> tuple[Ints, list[Refused]]:
    """Event times (n,) in ms of one model's rows, -1 where refused, and the refusals by row.

    `broker` (n,) is the broker time of each. Rows of other models are refused too.
    """
    times, bad = events.instants(counting.timestamps)
    times[bad] = -1
    strange, wrong = events.strangers(counting.model), times <= 0
    if counting.clock == "broker":  # nothing is scored in 1970: seconds were taken for milliseconds
        wrong |= times < SECONDS_BELOW
    faults = (
        (strange, "unknown_model", "no such model"),
        (wrong & ~strange, "bad_timestamp", "the timestamp cannot be read as declared"),
        (
            (times > broker + counting.ahead) & ~strange,
            "future_timestamp",
            "the timestamp is ahead of broker time",
        ),
    )
    refused: list[Refused] = []
    for mask, code, message in faults:
        if not mask.any():
            continue
        refused.append(alike(np.flatnonzero(mask), code, message))
        times[mask] = -1
    return times, refused
