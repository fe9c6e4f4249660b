"""Ticks: telling machines that a log was read to its real end, once per pane of broker time.

Promises: a tick of `now` is given only if every record that the broker had stamped before `now`
has been counted: the time is read first, then the log's end, then how far was read.
Leaves to others: what a tick may close (the machine), what time it is (`broker_clock`).
"""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from faust.types import TP

from schemas.log import Millis
from streams.runtime.kafka.broker_clock import BrokerClock
from streams.runtime.kafka.tenure import Tenure

TICK_SECONDS: Final = 0.25
"""How often it is looked whether a tick is due."""


class Ends(Protocol):
    """The part of a consumer that knows how far the logs reach and how far they were read."""

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Return the ends of logs, asked of the broker now."""

    async def position(self, tp: TP) -> int | None:
        """Return the offset the next fetch begins at."""

    def handed_out(self, tp: TP) -> int | None:
        """Return the offset after the last record that left the consumer."""

    def one_broker(self) -> bool:
        """Return whether one broker alone stamps the records."""


class Ticker:
    """Remembers which pane each log was ticked in."""

    def __init__(
        self, clock: BrokerClock, pane: Millis, allowance: Millis, lateness: Millis = 0
    ) -> None:
        """A tick comes when a pane is over by `lateness`, or by `allowance` if that is more."""
        self._clock = clock
        self._pane = pane
        self._allowance = allowance
        self._lateness = lateness
        self._ticked: dict[TP, int] = {}

    def forget(self) -> None:
        """Other partitions are owned now."""
        self._ticked.clear()

    async def tick(
        self,
        consumer: Ends,
        owned: Iterable[tuple[TP, str, Tenure]],
        counted: Mapping[TP, int],
    ) -> None:
        """Tick every log of `owned` that is due and at its end; `counted`: offsets up to which."""
        # Whatever is appended after the ends are known is not older than this.
        now = self._clock.now()
        if not (self._clock.told and consumer.one_broker()):
            now -= self._allowance  # else there is one clock, and it stamped our last snapshot
        pane = (now - self._lateness) // self._pane
        due = [entry for entry in owned if pane > self._ticked.get(entry[0], -1)]
        if not due:
            return
        ends = await consumer.highwaters(*[tp for tp, _, _ in due])
        for tp, log, tenure in due:
            read = await consumer.position(tp) or 0
            drained = consumer.handed_out(tp) == counted.get(tp)
            if tenure.owned and drained and read >= ends[tp]:
                tenure.tick(log, now)
                self._ticked[tp] = pane
