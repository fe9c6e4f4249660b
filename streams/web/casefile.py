"""The file of one incident: what happened, why, which rows, what was said and asked for.

Promises: everything in it comes from the topics; commands print exactly the rows of the evidence.
Leaves to others: deciding (`streams.policy`), saying something (`receiving`).
"""

from typing import Final

import msgspec

from schemas.log import DAWN, DUSK
from schemas.output_parts import EvidenceRange
from schemas.outputs import Alert, DriftEvent, RetrainRequest
from streams.web.board import Board
from streams.web.said import Mark, Said

EVENTS: Final = 50
RANGES: Final = 20


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Raw rows behind an incident, and a shell command that prints them."""

    topic: str
    partition: int
    first: int = msgspec.field(name="from")
    last: int = msgspec.field(name="to")
    command: str


class Casefile(msgspec.Struct, frozen=True, kw_only=True):
    """One incident. `events`: the latest of each signal, strongest first."""

    incident: Alert
    events: list[DriftEvent]
    rows: list[Rows]
    said: list[Mark]
    retrain_requests: list[RetrainRequest]
    runbook: str | None
    change_point: str | None


def casefile(board: Board, said: Said, incident_id: str, place: str) -> Casefile | None:
    """The file of an incident; None: there is no such. `place`: options of `windage tail`."""
    alert = board.alerts.get(incident_id)
    if alert is None:
        return None
    every = _events(board, incident_id)
    events = _latest(every)
    told = [alert.annotations.runbook_url, *(event.runbook for event in events)]
    return Casefile(
        incident=alert,
        events=events[:EVENTS],
        rows=[_rows(one, place) for one in _ranges(every)],
        said=said.marks(None, DAWN, DUSK, incident_id),
        retrain_requests=[one for one in board.retrain_requests if incident_id in one.incident_ids],
        runbook=next((one for one in told if one), None),
        change_point=min((one.change_point for one in events if one.change_point), default=None),
    )


def _events(board: Board, incident_id: str) -> list[DriftEvent]:
    """The drift events of an incident, by time."""
    found = [board.drift_event(offset) for offset in list(board.events.get(incident_id, ()))]
    return [event for event in found if event is not None]


def _latest(events: list[DriftEvent]) -> list[DriftEvent]:
    """The newest event of each signal, those that say most first.

    One that brings histograms comes before a later one without: the end of an incident has none.
    """
    newest: dict[tuple[str, str, str], DriftEvent] = {}
    for event in events:
        place = event.version, event.segment, event.monitor
        if place not in newest or event.current.histograms or not newest[place].current.histograms:
            newest[place] = event
    return sorted(newest.values(), key=lambda event: (-_weight(event), event.monitor))


def _weight(event: DriftEvent) -> float:
    statistic, threshold = event.detector.statistic, event.detector.threshold
    return statistic / threshold if statistic is not None and threshold else 0.0


def _ranges(events: list[DriftEvent]) -> list[EvidenceRange]:
    """Stretches of rows, those that meet joined, in the order of topics."""
    joined: list[EvidenceRange] = []
    every = [one for event in events for one in event.evidence.ranges]
    for one in sorted(every, key=lambda one: (one.topic, one.partition, one.from_)):
        before = joined[-1] if joined else None
        same = before is not None and (before.topic, before.partition) == (one.topic, one.partition)
        if before is not None and same and one.from_ <= before.to + 1:
            joined[-1] = msgspec.structs.replace(before, to=max(before.to, one.to))
        else:
            joined.append(one)
    return joined[:RANGES]


def _rows(one: EvidenceRange, place: str) -> Rows:
    where = f" {place}" if place else ""
    command = (
        f"windage tail {one.topic}{where} --partition {one.partition}"
        f" --from {one.from_} --to {one.to} --json"
    )
    return Rows(
        topic=one.topic, partition=one.partition, first=one.from_, last=one.to, command=command
    )
