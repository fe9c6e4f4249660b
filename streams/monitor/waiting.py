"""Waiting: forwarded metrics and model events, until the pane they act in closes.

Promises: a record counts once; the order in which records act is decided by no partition; at most
`MOST` of each log wait, and what comes beyond, in the order of the journal, is passed over and
told in a reading. That is the one thing here that depends on that order.
Leaves to others: what a metric or an event means (watches, policy).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Final

import msgspec

from schemas.finding import Finding
from schemas.grid import WHOLE
from schemas.inputs import Metric, ModelEvent
from schemas.instants import parse
from schemas.journal import Forwarded
from schemas.log import Millis
from streams.monitor.outcomes.telling import Teller

MOST: Final = 10_000

_events: Final = msgspec.json.Decoder(ModelEvent)
_figures: Final = msgspec.json.Decoder(Metric)


class Waiting:
    """The forwarded records of one model that have not acted yet."""

    def __init__(self) -> None:
        """None yet."""
        self._read: dict[str, int] = {}
        self._records: list[Forwarded] = []
        self._counts: Counter[str] = Counter()
        self._passed: Counter[str] = Counter()

    def admit(self, record: Forwarded) -> None:
        """Take a record that was not seen before."""
        source = f"{record.log}/{record.partition}"
        if record.offset <= self._read.get(source, -1):
            return
        self._read[source] = record.offset
        if self._counts[record.log] >= MOST:
            self._passed[record.log] += 1
            return
        self._counts[record.log] += 1
        self._records.append(record)

    def due(self, pane: int) -> list[Forwarded]:
        """The records that act by this pane."""
        due = [one for one in self._records if one.arrived <= pane]
        if due:
            self._records = [one for one in self._records if one.arrived > pane]
            self._counts = Counter(one.log for one in self._records)
        return sorted(due, key=lambda one: (one.arrived, one.value))

    def told(self, model: str, span: tuple[Millis, Millis]) -> list[Finding]:
        """A reading for each log of which records were passed over since this was last asked."""
        teller = Teller(
            model=model, version="", segment=WHOLE, span=span, reference_id="", reference_rows=0
        )
        found = [
            teller.tell(
                f"operational:{log}",
                "limit",
                statistic=float(MOST + passed),
                threshold=float(MOST),
                rows=passed,
                breach=True,
            )
            for log, passed in sorted(self._passed.items())
        ]
        self._passed.clear()
        return found

    def save(self) -> tuple[dict[str, int], list[Forwarded], dict[str, int]]:
        """Offsets by source, what waits, and how many were passed over by log."""
        return dict(self._read), list(self._records), dict(self._passed)

    def load(
        self, read: Mapping[str, int], records: Sequence[Forwarded], passed: Mapping[str, int]
    ) -> None:
        """Take a snapshot up."""
        self._read, self._records = dict(read), list(records)
        self._counts = Counter(one.log for one in records)
        self._passed = Counter(passed)


def events_of(due: Iterable[Forwarded]) -> list[tuple[Millis, ModelEvent]]:
    """The model events among forwarded records, by time."""
    events = [_events.decode(one.value) for one in due if one.log == "model-events"]
    return sorted(((parse(event.timestamp), event) for event in events), key=itemgetter(0))


def metrics_of(due: Iterable[Forwarded]) -> list[Metric]:
    """The figures among forwarded records."""
    return [_figures.decode(one.value) for one in due if one.log == "metrics"]
