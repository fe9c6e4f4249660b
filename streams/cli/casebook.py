"""The casebook: outputs folded into incidents, as people speak of them.

Promises: a function of the outputs, in any batches; an alert with a lower sequence changes
nothing; every field says what the product said, nothing is computed anew but rows from instants.
Leaves to others: printing (`telling`).
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from schemas.instants import parse
from schemas.log import Millis
from schemas.outputs import Alert, DriftEvent, RetrainRequest, RollbackRequest

Rows = Callable[[Millis], int | None]
"""From an instant to the row that comes then; None where rows have times of their own."""

_MOST_CELLS: Final = 3
"""Cells told of one signal: those that moved most."""

_MOVED: Final = 0.005
"""Share by which a cell must have moved to be told."""

_RANK: Final = {"yellow": 1, "red": 2}
_alert: Final = msgspec.json.Decoder(Alert).decode
_drift: Final = msgspec.json.Decoder(DriftEvent).decode
_retrain: Final = msgspec.json.Decoder(RetrainRequest).decode
_rollback: Final = msgspec.json.Decoder(RollbackRequest).decode
_plain: Final = msgspec.to_builtins


class Case:
    """One incident, as it has been told so far."""

    def __init__(self, incident_id: str) -> None:
        self.id = incident_id
        self.first: Alert | None = None
        self.firing: Alert | None = None
        """The last alert that said it goes on."""
        self.worst: Alert | None = None
        """The last of those that were as severe as any before."""
        self.resolved: Alert | None = None
        self.severity = "yellow"
        self.drift: list[DriftEvent] = []

    @property
    def signals(self) -> list[str]:
        """Names of its signals: as the last alert ranks them, then the others."""
        told = [signal.signal for signal in self.worst.signals] if self.worst else []
        return list(dict.fromkeys([*told, *(event.signal for event in self.drift)]))

    def told_of(self, signal: str) -> DriftEvent | None:
        """The event of a signal with the largest effect, as far as histograms were shown."""
        shown = [one for one in self.drift if one.signal == signal and one.current.histograms]
        return max(shown, key=lambda one: one.detector.effect.psi or 0.0, default=None)

    def cells(self) -> Iterator[dict[str, Any]]:
        """The cells that moved most, signal by signal."""
        for signal in self.signals:
            event = self.told_of(signal)
            bars = event.current.histograms if event is not None else None
            if event is None or bars is None:
                continue
            moves = zip(bars.labels, bars.reference, bars.current, strict=True)
            for label, before, now in sorted(moves, key=lambda m: -abs(m[2] - m[1]))[:_MOST_CELLS]:
                if abs(now - before) >= _MOVED:
                    yield {
                        "signal": signal,
                        "segment": event.segment,
                        "cell": label,
                        "reference": before,
                        "current": now,
                    }

    def effect(self) -> dict[str, Any]:
        """The effect of its first signal at its worst, as far as it was measured."""
        if self.worst is None or not self.worst.signals:
            return {}
        return {k: v for k, v in _plain(self.worst.signals[0].effect).items() if v is not None}

    def evidence(self) -> list[dict[str, Any]]:
        """Offsets of the raw records, one range a topic and partition."""
        spans: dict[tuple[str, int], tuple[int, int]] = {}
        for event in self.drift:
            for one in event.evidence.ranges:
                first, last = spans.get((one.topic, one.partition), (one.from_, one.to))
                spans[one.topic, one.partition] = (min(first, one.from_), max(last, one.to))
        return [
            {"topic": topic, "partition": partition, "from": first, "to": last}
            for (topic, partition), (first, last) in sorted(spans.items())
        ]


class Casebook:
    """All incidents and requests so far, in the order of their opening."""

    def __init__(self, row_of: Rows) -> None:
        self.row_of = row_of
        self.cases: dict[str, Case] = {}
        self.alerts: list[Alert] = []
        self.retrain_requests: list[RetrainRequest] = []
        self.rollback_requests: list[RollbackRequest] = []
        self.refused = 0
        """Dead letters."""
        self.worst: str | None = None
        """The highest severity that any alert had."""

    def take(self, topic: str, value: bytes) -> Alert | RetrainRequest | RollbackRequest | None:
        """Take one output in; gives it back if it is worth telling at once."""
        match topic:
            case "alerts":
                return self._take_alert(_alert(value))
            case "drift-events":
                event = _drift(value)
                self._case(event.incident_id).drift.append(event)
            case "retrain-requests":
                self.retrain_requests.append(_retrain(value))
                return self.retrain_requests[-1]
            case "rollback-requests":
                self.rollback_requests.append(_rollback(value))
                return self.rollback_requests[-1]
            case "dead-letters":
                self.refused += 1
        return None

    def _case(self, incident_id: str) -> Case:
        return self.cases.setdefault(incident_id, Case(incident_id))

    def _take_alert(self, alert: Alert) -> Alert:
        case = self._case(alert.incident_id)
        self.alerts.append(alert)
        last = max((a.sequence for a in (case.firing, case.resolved) if a is not None), default=-1)
        if alert.sequence < last:
            return alert
        case.first = case.first or alert
        case.severity = max(case.severity, alert.severity, key=_RANK.__getitem__)
        self.worst = max(self.worst or "yellow", alert.severity, key=_RANK.__getitem__)
        if alert.status == "firing":
            case.firing, case.resolved = alert, None
            if alert.severity == case.severity:
                case.worst = alert
        else:
            case.resolved = alert
        return alert

    def told(self) -> list[Case]:
        """The incidents that an alert told of, by their beginning."""
        known = [case for case in self.cases.values() if case.first is not None]
        return sorted(known, key=lambda case: (_began(case), case.id))

    def requests_of(self, case: Case) -> list[RetrainRequest]:
        """The retrain requests that name an incident."""
        return [one for one in self.retrain_requests if case.id in one.incident_ids]

    def incidents(self) -> list[dict[str, Any]]:
        """Every incident as a JSON object."""
        return [self._incident(case) for case in self.told()]

    def _incident(self, case: Case) -> dict[str, Any]:
        first, now = case.first, case.firing or case.first
        assert first is not None
        assert now is not None
        worst = case.worst or now
        ended = case.resolved.ends_at if case.resolved is not None else None
        return {
            "incident_id": case.id,
            "class": now.triage.class_,
            "severity": case.severity,
            "signals": case.signals,
            "segment": segment_of(worst),
            "opened_row": self.row_at(first.starts_at),
            "resolved_row": None if ended is None else self.row_at(ended),
            "opened_at": first.starts_at,
            "resolved_at": ended,
            "version": now.version,
            "summary": worst.summary,
            "action": now.recommended_action,
            "cells": list(case.cells()),
            "effect": case.effect(),
            "evidence": case.evidence(),
            "retrain_requests": [one.request_id for one in self.requests_of(case)],
        }

    def row_at(self, instant: str) -> int | None:
        """The row that comes at an instant of an output."""
        return self.row_of(parse(instant))


def _began(case: Case) -> str:
    assert case.first is not None
    return case.first.starts_at


def segment_of(alert: Alert) -> str:
    """Where an incident is: one segment, or `*`."""
    return alert.labels.get("segment", "*")
