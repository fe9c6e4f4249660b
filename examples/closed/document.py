"""Telling the loop: a line for what Windage says, and one document at the end.

Promises: accuracy is counted here, from what was served and what turned out true, of rows whose
label came; nothing of it is taken from Windage or from the trainer.
"""

from datetime import datetime
from typing import Any

import numpy as np

from closed.lookout import VERDICTS, Said
from closed.story import Loop
from closed.world import CHANGED, LABELS_LATER, row_of

Document = dict[str, Any]


def line_of(said: Said) -> str:
    """An output in one line; empty for those that say too little for one."""
    event = said.event
    if said.topic == VERDICTS:
        told = event["rollout"]
        share = f"{100 * told['share']:g} %"
        return f"version {event['version']} at {share}: {told['verdict']} - {told['reason']}"
    if said.topic == "alerts":
        return f"{event['status']}: {event['title']}"
    if said.topic == "retrain-requests":
        return f"retrain (attempt {event['attempt']}): {event['reason']}"
    if said.topic == "rollback-requests":
        return f"back from {event['version']} to {event['to_version']}: {event['reason']}"
    return ""


def tell_all(loop: Loop, seconds: float) -> Document:
    """The document."""
    incidents = _incidents(loop.said)
    promoted = _row_of(loop, "promoted")
    steps = [
        {**one._asdict(), "begin": row_of(one.begin), "end": row_of(one.end)}
        for one in loop.service.steps
    ]
    return {
        "closed": promoted is not None and all(one["status"] == "resolved" for one in incidents),
        "rows": loop.rows,
        "seconds": round(seconds, 1),
        "changed_row": CHANGED,
        "promoted_row": promoted,
        "accuracy": {
            "SEX=2": _accuracy(loop, promoted, women=True),
            "SEX=1": _accuracy(loop, promoted, women=False),
        },
        "incidents": incidents,
        "retrain_requests": [
            {**one.event, "requested_row": _row(one.event["requested_at"])}
            for one in loop.said
            if one.topic == "retrain-requests"
        ],
        "rollback_requests": [one.event for one in loop.said if one.topic == "rollback-requests"],
        "candidates": [
            {**one._asdict(), "results": [result._asdict() for result in one.results]}
            for one in loop.service.runs
        ],
        "canary": steps,
        "model_events": [
            {
                **event,
                "timestamp": event["timestamp"].isoformat(),
                "row": row_of(event["timestamp"]),
            }
            for event in loop.service.events
        ],
    }


def lines_of(found: Document) -> list[str]:
    """The document for people."""
    lines = ["", f"{'accuracy':<10}{'before':>12}{'during':>12}{'after':>12}"]
    for segment, phases in found["accuracy"].items():
        shares = [_share(phases[name]) for name in ("before", "during", "after")]
        lines.append(f"{segment:<10}" + "".join(f"{share:>12}" for share in shares))
    lines += [
        f"version {one['version']} at {100 * one['share']:g} %, rows {one['begin']:,} to"
        f" {one['end']:,}: {one['verdict']}"
        for one in found["canary"]
    ]
    count = len(found["incidents"]), len(found["retrain_requests"])
    lines.append(
        f"{found['rows']:,} rows in {found['seconds']} s: {count[0]} incidents, {count[1]} retrain"
        f" requests; {'closed' if found['closed'] else 'NOT closed'}"
    )
    return lines


def _share(phase: dict[str, Any]) -> str:
    return "-" if phase["accuracy"] is None else f"{phase['accuracy']:.3f}"


def _accuracy(loop: Loop, promoted: int | None, *, women: bool) -> Document:
    """Before the change, from it to the promotion, and from there on."""
    people = loop.world.people
    right = np.zeros(loop.rows, np.bool_)
    for scored in loop.server.served:
        stretch = slice(scored.first, scored.first + len(scored.predictions))
        right[stretch] = np.array(scored.predictions) == people.labels[stretch]
    ends = loop.rows if promoted is None else promoted
    phases = {
        "before": (0, CHANGED),
        "during": (CHANGED, ends),
        "after": (ends, loop.rows - LABELS_LATER),
    }
    found: Document = {}
    for name, (first, end) in phases.items():
        rows = loop.world.answered(first, max(first, end))
        rows = rows[people.women[rows] == women]
        share = float(right[rows].mean()) if len(rows) else None
        found[name] = {"rows": len(rows), "accuracy": None if share is None else round(share, 4)}
    return found


def _incidents(said: list[Said]) -> list[Document]:
    """The last alert of each incident, with the rows at which it was opened and resolved."""
    last: dict[str, Document] = {}
    for one in said:
        if one.topic == "alerts":
            last[one.event["incident_id"]] = one.event
    return [
        {
            "incident_id": name,
            "status": alert["status"],
            "class": alert["triage"]["class"],
            "severity": alert["severity"],
            "version": alert["version"],
            "segments": alert["segments"],
            "opened_row": _row(alert["starts_at"]),
            "resolved_row": None if alert["ends_at"] is None else _row(alert["ends_at"]),
            "title": alert["title"],
            "summary": alert["summary"],
            "signals": sorted({signal["signal"] for signal in alert["signals"]}),
        }
        for name, alert in last.items()
    ]


def _row_of(loop: Loop, event: str) -> int | None:
    """The row of the first event of a type."""
    rows = [row_of(one["timestamp"]) for one in loop.service.events if one["type"] == event]
    return min(rows, default=None)


def _row(text: str) -> int:
    return row_of(datetime.fromisoformat(text))
