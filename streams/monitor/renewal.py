"""Renewal of a model in the monitor: the end of one epoch, told, and what the next begins with.

Promises: what is said is a function of the state that is left behind and of the epoch; nothing is
taken over of the former epoch's profiles and references. A metric or a model event acts once: what
was forwarded from before the place where the epoch begins acts still, in a pane of today's length.
Leaves to others: which epoch is present (runtimes), what ends in the policy (`policy.incidents`).
"""

from typing import Final

import msgspec

from schemas.finding import Finding
from schemas.grid import WHOLE
from schemas.instants import parse, rfc3339
from schemas.journal import Forwarded
from schemas.judging import Judging
from schemas.log import Millis
from streams.monitor.outcomes.telling import Teller


class _Dated(msgspec.Struct, frozen=True):
    """What metrics and model events have in common."""

    timestamp: str


_dated: Final = msgspec.json.Decoder(_Dated)

SIGNAL: Final = "operational:epoch"


def reason(judging: Judging) -> str:
    """Why what was going on is over."""
    return (
        f"counted anew since {rfc3339(judging.since)} (epoch {judging.epoch}):"
        " what was told before is not judged any more"
    )


def statement(judging: Judging, until: Millis) -> Finding:
    """A reading that the model begins anew; what was judged `until` then belongs to the past."""
    teller = Teller(
        model=judging.model,
        version="",
        segment=WHOLE,
        span=(until, max(until, judging.since)),
        reference_id="",
        reference_rows=0,
    )
    return teller.tell(SIGNAL, "epoch", statistic=float(judging.epoch), rows=0, state="warming_up")


def before(record: Forwarded, judging: Judging) -> bool:
    """Whether what was forwarded in an earlier epoch is not forwarded again in this one."""
    return record.offset < dict(judging.starts)[record.log][record.partition]


def carried(record: Forwarded, judging: Judging) -> Forwarded:
    """What was forwarded in an earlier epoch, as of this one.

    The length of its pane may be another one now, so it acts in that of its own instant.
    """
    pane = parse(_dated.decode(record.value).timestamp) // judging.pane
    return msgspec.structs.replace(record, arrived=pane, epoch=judging.epoch)
