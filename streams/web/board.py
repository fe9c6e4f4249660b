"""The board: what the outputs say now, folded from the logs as they grow.

Promises: state is a fold of the output topics, so a restart shows the same; memory is bounded by
`READINGS` and `INCIDENTS`; an alert with a lower sequence changes nothing.
Leaves to others: reading the logs (`Outputs` is whoever can), serving (`views`, `metrics`).
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from threading import Lock
from typing import Final, Protocol, TypeVar

import msgspec

from schemas.log import Record
from schemas.outputs import Alert, DriftEvent, Reading

READINGS: Final = 20_000
"""Monitors whose latest reading is remembered."""

INCIDENTS: Final = 2_000
_PAGE: Final = 1000

Monitor = tuple[str, str, str, str, str]
"""model, version, segment, monitor, signal."""

_reading: Final = msgspec.json.Decoder(Reading)
_alert: Final = msgspec.json.Decoder(Alert)
_drift: Final = msgspec.json.Decoder(DriftEvent)

Event = TypeVar("Event")


class Outputs(Protocol):
    """Output topics that can be read by offset."""

    def outputs(self, topic: str, after: int = -1, limit: int = 1000) -> list[Record]:
        """At most `limit` records behind offset `after`."""


class Board:
    """The latest reading of each monitor, the present state of each incident, counts."""

    def __init__(self, source: Outputs) -> None:
        self._source = source
        self._after = dict.fromkeys(("readings", "alerts", "drift-events", "dead-letters"), -1)
        self._lock = Lock()
        self.readings: OrderedDict[Monitor, Reading] = OrderedDict()
        self.alerts: OrderedDict[str, Alert] = OrderedDict()
        self.refused: Counter[str] = Counter()
        """Dead letters by code, those still kept when this process began included."""
        self.budgets: dict[str, float] = {}
        """Share of each model's allowed false alarms that is spent."""

    def refresh(self) -> None:
        """Take in what was written since the last time."""
        with self._lock:
            for reading in _read(_reading, self._news("readings")):
                self._take_reading(reading)
            for alert in _read(_alert, self._news("alerts")):
                self._take_alert(alert)
            for drift in _read(_drift, self._news("drift-events")):
                self._take_drift(drift)
            for record in self._news("dead-letters"):
                code = dict(record.headers).get("windage.error.code", b"unknown")
                self.refused[code.decode(errors="replace")] += 1

    def models(self) -> list[str]:
        """Models anything was said about."""
        named = {key[0] for key in list(self.readings)}
        return sorted(named | {alert.model for alert in list(self.alerts.values())})

    def firing(self, model: str | None = None) -> list[Alert]:
        """Incidents that are open."""
        return [
            alert
            for alert in list(self.alerts.values())
            if alert.status == "firing" and model in (None, alert.model)
        ]

    def _news(self, topic: str) -> Iterable[Record]:
        while records := self._source.outputs(topic, self._after[topic], _PAGE):
            yield from records
            self._after[topic] = records[-1].offset

    def _take_reading(self, one: Reading) -> None:
        key = (one.model, one.version, one.segment, one.monitor, one.signal)
        self.readings[key] = one
        self.readings.move_to_end(key)
        if len(self.readings) > READINGS:
            self.readings.popitem(last=False)

    def _take_alert(self, alert: Alert) -> None:
        known = self.alerts.get(alert.incident_id)
        if known is not None and known.sequence > alert.sequence:
            return
        self.alerts[alert.incident_id] = alert
        self.alerts.move_to_end(alert.incident_id)
        if len(self.alerts) > INCIDENTS:
            closed = next((key for key, one in self.alerts.items() if one.status != "firing"), None)
            self.alerts.pop(closed or next(iter(self.alerts)))

    def _take_drift(self, event: DriftEvent) -> None:
        if event.budget is not None and event.budget.allowed > 0:
            self.budgets[event.model] = event.budget.spent / event.budget.allowed


def _read(decoder: msgspec.json.Decoder[Event], records: Iterable[Record]) -> Iterable[Event]:
    """The events in records; what another version of this program wrote otherwise is left out."""
    for record in records:
        try:
            event = decoder.decode(record.value or b"")
        except msgspec.DecodeError:
            continue
        yield event
