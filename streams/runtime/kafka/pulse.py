"""The pulse of a worker process: how far it is, when it last moved, what it weighs.

Promises: read from any thread, and written by the event loop alone but for the beginning of a
rebalance; every field is replaced whole, so a reader never sees half of one.
Leaves to others: what a bad pulse means (`watchdog`), showing it (`streams/web/worker`).
"""

import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from schemas.lamp import Lamp
from schemas.log import Output
from streams.runtime.crank import Accountable, lamps_of, store_of
from streams.runtime.machine import Machine

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_STATM: Final = Path("/proc/self/statm")

Accounts = Mapping[str, Mapping[str, int]]
"""Records by log and by what became of them."""


class Pulse:
    """One process. Instants are of the monotonic clock, in seconds."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.owned: tuple[int, ...] = ()
        self.ready = False
        """Whether the states of what is owned are restored."""
        self.restored_s = 0.0
        """How long the last restore took."""
        self.unread = 0
        """Offsets before the snapshots that are still to be read again."""
        self.reread_s = 0.0
        """How long restoring took together with what was read again; 0 while that goes on."""
        self.rebalances = 0
        self.records = 0
        self.snapshots = 0
        self.lag: Mapping[str, int] = {}
        """Records known to be on the broker and not read, by topic."""
        self.moved = time.monotonic()
        """When something was counted or restored, or there was nothing to count."""
        self.durable_s = 0.0
        """How long outputs and states of the last cycle took."""
        self.stood_s = 0.0
        """The longest time the event loop has stood still."""
        self.accounts: Accounts = {}
        self.store: str | None = None
        """How the store is in which predictions wait: `ok`, or what is wrong; None: in memory."""
        self.lamps: Sequence[Lamp] = ()
        """How the models stand that are judged here."""
        self.unsettled_since: float | None = None
        """Since when the group parts its partitions anew, or the last step of restoring what we got
        (monotonic); None while it is settled."""
        self.away_since: float | None = None
        """Since when the broker has not answered."""
        self.heard: Callable[[Sequence[Output]], None] | None = None
        """Is told the outputs that are durable, in the event loop: it must be quick."""

    def progress(self) -> None:
        """Something was done."""
        self.moved = time.monotonic()

    def settling(self) -> None:
        """A step of restoring what the group has given us."""
        if self.unsettled_since is not None:
            self.unsettled_since = time.monotonic()

    def behind(self, lag: Mapping[str, int]) -> None:
        """Note the lag; with none of it there is nothing to do, which is as good as progress."""
        self.lag = lag
        if not any(lag.values()):
            self.progress()

    def account(self, machines: Sequence[Machine]) -> None:
        """Note what became of the records of these machines, and how their models stand."""
        self.accounts, self.lamps = accounted(machines), lamps_of(machines)
        self.store = store_of(machines)

    def still_s(self) -> float:
        """For how long nothing has moved although something waits."""
        return time.monotonic() - self.moved


def accounted(machines: Iterable[Machine]) -> Accounts:
    """What became of the records that these machines have read; empty where they do not say."""
    total: dict[str, dict[str, int]] = {}
    for machine in machines:
        if isinstance(machine, Accountable):
            for log, tally in machine.accounting().items():
                counts = msgspec.structs.asdict(tally)
                if (own := total.get(log)) is not None:
                    counts = {name: own.get(name, 0) + count for name, count in counts.items()}
                total[log] = counts
    return total


def resident_bytes() -> int:
    """Memory of this process; where the system does not tell, the most it ever had."""
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
