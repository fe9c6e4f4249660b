"""Forwarding: a metric or model event as the monitor gets it, with its instant in one form.

Promises: an event is judged by itself and its broker time alone.
Leaves to others: whose it is, dead letters (`machine`), the pane it acts in (`model`).
"""

from typing import NamedTuple

import msgspec

from schemas.counting import Counting
from schemas.frames.events import Events
from schemas.inputs import Metric, ModelEvent, encode
from schemas.instants import rfc3339
from schemas.log import Millis
from schemas.rows import Ints, Refusal
from streams.profiler.admission import well_named
from streams.profiler.dating import dated


class Dated(NamedTuple):
    """An event's instant, and its bytes."""

    time: Millis
    value: bytes


def as_forwarded(event: Metric | ModelEvent, counting: Counting, broker: Ints) -> Dated | Refusal:
    """How an event of this model is passed on; `broker` (1,) is its broker time."""
    if not well_named(event):
        return Refusal(0, "schema", "a name is not allowed")
    instants, wrong = dated(counting, Events([event]), broker)
    if wrong:
        return next(wrong[0].one_by_one())
    time = int(instants[0])
    return Dated(time, encode(msgspec.structs.replace(event, timestamp=rfc3339(time))))
