"""A lamp: how one model stands, as whoever holds its state knows it without reading any output.

Promises: facts of the state alone, so it is the same before and after a restart.
Leaves to others: showing it (`streams/web`).
"""

import msgspec

from schemas.log import Millis
from schemas.vocabulary import Severity


class Lamp(msgspec.Struct, frozen=True, kw_only=True):
    """`until`: the end of the last pane that was judged, None before the first.

    `incidents` that are open, by severity; `spent`: share of the false alarms allowed in this
    period that incidents have used up, true ones included.
    """

    model: str
    until: Millis | None
    incidents: dict[Severity, int]
    spent: float
