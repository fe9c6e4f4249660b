"""Progress marks: the group's committed offsets say what durable states have read.

Promises: a mark that the broker did not take is offered again; after a rebalance everything owned
is marked anew, so a log that was read to its end by somebody who is gone does not look unread; a
broker that takes long over it is worth a line.
Leaves to others: everything but lag tools (positions come from the snapshot, see `tenure`).
"""

import logging
import time
from collections.abc import Mapping
from typing import Final, Protocol

from faust.types import TP

SLOW_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


class Group(Protocol):
    """Takes marks."""

    async def mark(self, offsets: Mapping[TP, int]) -> bool:
        """Commit these offsets; False if the broker did not take them."""


class Marks:
    """The marks that the group has from us."""

    def __init__(self) -> None:
        self._taken: dict[TP, int] = {}

    def forget(self) -> None:
        """Offer everything again: the partitions have been given out anew."""
        self._taken = {}

    async def offer(self, group: Group, durable: Mapping[TP, int]) -> None:
        """Commit what the group does not have yet; `durable`: the next offset to read of each."""
        taken = self._taken
        due = {tp: offset for tp, offset in durable.items() if taken.get(tp) != offset}
        if not due:
            return
        begun = time.monotonic()
        if await group.mark(due):
            taken |= due  # of the assignment that it was offered in
        if (spent := time.monotonic() - begun) > SLOW_SECONDS:
            _log.warning("progress marks were taken after %.1f s", spent)
