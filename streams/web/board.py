"""The board: what the outputs say now, folded from the logs as they grow.

Promises: state is a fold of the output topics, so a restart shows the same; memory is bounded by
`READINGS` and `INCIDENTS`; an alert with a lower sequence changes nothing; one turn takes
`TURN_SECONDS` at most, so a long log is taken in over several and nobody waits for it.
Leaves to others: reading the logs (`Outputs` is whoever can), what was before (`history`),
serving (`views`, `metrics`).
"""

import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Final, Protocol, TypeVar

import msgspec

from schemas.log import Millis, Record
from schemas.output_parts import Budget
from schemas.outputs import Alert, DriftEvent, Reading, RetrainRequest, RollbackRequest
from streams.web.history import History

READINGS: Final = 20_000
"""Monitors whose latest reading is remembered."""

INCIDENTS: Final = 2_000
EVENTS: Final = 200
"""Drift events of one incident that are found again, the newest."""

SHAPES: Final = 5_000
"""Signals whose latest drift event with histograms is found again, and latest such reading."""

REQUESTS: Final = 1_000
TURN_SECONDS: Final = 0.5
_PAGE: Final = 1000
_TOPICS: Final = (
    "readings",
    "alerts",
    "drift-events",
    "retrain-requests",
    "rollback-requests",
    "dead-letters",
)

Monitor = tuple[str, str, str, str, str]
"""model, version, segment, monitor, signal."""

_reading: Final = msgspec.json.Decoder(Reading)
_alert: Final = msgspec.json.Decoder(Alert)
_drift: Final = msgspec.json.Decoder(DriftEvent)
_retrain: Final = msgspec.json.Decoder(RetrainRequest)
_rollback: Final = msgspec.json.Decoder(RollbackRequest)

Shape = tuple[str, str, str, str]
"""model, version, segment, signal."""

_Kept = TypeVar("_Kept")


class Outputs(Protocol):
    """Output topics that can be read by offset."""

    def outputs(self, topic: str, after: int = -1, limit: int = 1000) -> list[Record]:
        """At most `limit` records behind offset `after`."""


class Board:
    """The latest reading of each monitor, the present state of each incident, counts."""

    def __init__(self, source: Outputs) -> None:
        self.source = source
        self._after = dict.fromkeys(_TOPICS, -1)
        self._lock = Lock()
        self.history = History()
        self.complete = False
        """Whether everything that was there has been taken in."""
        self.readings: OrderedDict[Monitor, Reading] = OrderedDict()
        self._said: dict[Monitor, Millis] = {}
        self.alerts: OrderedDict[str, Alert] = OrderedDict()
        self.events: OrderedDict[str, deque[int]] = OrderedDict()
        """Offsets of each incident's drift events."""
        self.shapes: OrderedDict[Shape, int] = OrderedDict()
        """Offset of each signal's latest drift event."""
        self.portraits: OrderedDict[Shape, bytes] = OrderedDict()
        """Each signal's latest reading with histograms, as it was written (about 1 KB)."""
        self.retrain_requests: deque[RetrainRequest] = deque(maxlen=REQUESTS)
        self.rollback_requests: deque[tuple[Millis, RollbackRequest]] = deque(maxlen=REQUESTS)
        """With the instants of asking."""
        self.refused: Counter[str] = Counter()
        """Dead letters by code, those still kept when this process began included."""
        self.budgets: dict[str, float] = {}
        """Share of each model's allowed false alarms that is spent."""
        self.spending: dict[str, Budget] = {}
        """The budgets themselves, as said last."""

    @property
    def taken(self) -> int:
        """Grows whenever something was taken in."""
        return sum(self._after.values())

    def refresh(self, seconds: float = TURN_SECONDS) -> bool:
        """Take in what was written since the last time; gives whether that is all of it."""
        takes: dict[str, Callable[[Record], None]] = {
            "alerts": self._take_alert,
            "drift-events": self._take_drift,
            "retrain-requests": self._take_retrain,
            "rollback-requests": self._take_rollback,
            "dead-letters": self._take_letter,
            "readings": self._take_reading,
        }
        with self._lock:
            until = time.monotonic() + seconds
            for topic, take in takes.items():
                while records := self.source.outputs(topic, self._after[topic], _PAGE):
                    for record in records:
                        # What another version of this program wrote otherwise is left out.
                        with suppress(msgspec.DecodeError):
                            take(record)
                    self._after[topic] = records[-1].offset
                    if time.monotonic() > until:
                        return False
            self.complete = True
            return True

    def models(self) -> list[str]:
        """Models anything was said about."""
        named = {key[0] for key in list(self.readings)}
        return sorted(named | {alert.model for alert in list(self.alerts.values())})

    def latest(self) -> list[tuple[Reading, Millis]]:
        """The latest reading of each monitor, and when it was said."""
        with self._lock:
            return [(one, self._said[key]) for key, one in self.readings.items()]

    def firing(self, model: str | None = None) -> list[Alert]:
        """Incidents that are open."""
        return [
            alert
            for alert in list(self.alerts.values())
            if alert.status == "firing" and model in (None, alert.model)
        ]

    def _take_reading(self, record: Record) -> None:
        one = _reading.decode(record.value or b"")
        key = (one.model, one.version, one.segment, one.monitor, one.signal)
        self.readings[key] = one
        self._said[key] = record.timestamp
        self.readings.move_to_end(key)
        if len(self.readings) > READINGS:
            gone, _ = self.readings.popitem(last=False)
            del self._said[gone]
        if one.current.histograms is not None:
            shape = (one.model, one.version, one.segment, one.signal)
            _keep(self.portraits, shape, record.value or b"")
        self.history.add(one)

    def _take_alert(self, record: Record) -> None:
        alert = _alert.decode(record.value or b"")
        known = self.alerts.get(alert.incident_id)
        if known is not None and known.sequence > alert.sequence:
            return
        self.alerts[alert.incident_id] = alert
        self.alerts.move_to_end(alert.incident_id)
        if len(self.alerts) > INCIDENTS:
            closed = next((key for key, one in self.alerts.items() if one.status != "firing"), None)
            self.alerts.pop(closed or next(iter(self.alerts)))

    def _take_drift(self, record: Record) -> None:
        event = _drift.decode(record.value or b"")
        if event.budget is not None and event.budget.allowed > 0:
            self.budgets[event.model] = event.budget.spent / event.budget.allowed
            self.spending[event.model] = event.budget
        offsets = self.events.setdefault(event.incident_id, deque(maxlen=EVENTS))
        offsets.append(record.offset)
        self.events.move_to_end(event.incident_id)
        if len(self.events) > INCIDENTS:
            self.events.popitem(last=False)
        if event.current.histograms is not None:
            shape = (event.model, event.version, event.segment, event.signal)
            _keep(self.shapes, shape, record.offset)

    def _take_retrain(self, record: Record) -> None:
        self.retrain_requests.append(_retrain.decode(record.value or b""))

    def _take_rollback(self, record: Record) -> None:
        request = _rollback.decode(record.value or b"")
        self.rollback_requests.append((record.timestamp, request))

    def _take_letter(self, record: Record) -> None:
        code = dict(record.headers).get("windage.error.code", b"unknown")
        self.refused[code.decode(errors="replace")] += 1

    def drift_event(self, offset: int) -> DriftEvent | None:
        """The drift event at an offset; None if it is not there any more."""
        for record in self.source.outputs("drift-events", offset - 1, 1):
            if record.offset == offset:
                with suppress(msgspec.DecodeError):
                    return _drift.decode(record.value or b"")
        return None


def _keep(kept: "OrderedDict[Shape, _Kept]", shape: Shape, newest: _Kept) -> None:
    """Remember what is newest of a signal; the one that has been silent for longest gives way."""
    kept[shape] = newest
    kept.move_to_end(shape)
    if len(kept) > SHAPES:
        kept.popitem(last=False)
