"""Dating: the instants of decoded rows, and which rows cannot be counted because of them.

Promises: a row is judged by itself and its broker time alone; the messages never quote the input.
Leaves to others: what is late or expired (`model`, `join`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from schemas.counting import AHEAD, Counting
from schemas.instants import parse_many
from schemas.log import LogRecord
from schemas.rows import Ints, Refusal
from streams.profiler.blocks import Mask


def dated(
    counting: Counting, events: Sequence[Any], records: Sequence[LogRecord], places: Ints
) -> tuple[Ints, list[Refusal]]:
    """Event times (n,) in ms of one model's rows, -1 where refused, and the refusals.

    `places` (n,) is where in `records` each event stands. Rows of other models are refused too.
    """
    times, bad = parse_many([event.timestamp for event in events], counting.timestamps)
    times[bad] = -1
    broker = np.fromiter((records[i].timestamp for i in places), np.int64, len(places))
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
        refused += [Refusal(int(places[i]), code, message) for i in np.flatnonzero(mask)]
        times[mask] = -1
    return times, refused


def _strangers(model: str, events: Sequence[Any]) -> Mask:
    """Which records name another model (a machine of one model looks at none before)."""
    if {event.model for event in events} <= {model}:
        return np.zeros(len(events), np.bool_)
    return np.fromiter((event.model != model for event in events), np.bool_, len(events))
