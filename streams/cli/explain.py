"""`windage explain ID`: why, in numbers a person can check.

Promises: an incident, drift event, alert or request is found by its id or a prefix that only one
has; histograms, change point and offsets are those of the events; every command printed can be
copied.
Leaves to others: folding (`history`), bars (`bars`), commands for raw records (`places`).
"""

from typing import Any, Final

import msgspec

from schemas.outputs import DriftEvent, Reading
from streams.cli import bars
from streams.cli.casebook import Case
from streams.cli.console import emit_object, results
from streams.cli.endings import REFUSED, OperatorError
from streams.cli.history import History, Known, alert_of, content_of, decoded, read_history
from streams.cli.incidents import span_of
from streams.cli.places import Place, reading
from streams.cli.sizes import sizes
from streams.policy.incidents import explain as words
from streams.runtime.installation.reading import Reader, Span

MOST_SIGNALS: Final = 3
"""Histograms shown to people; JSON has all."""

_READINGS: Final = 50_000
_plain: Final = msgspec.to_builtins


def run(place: Place, wanted: str, *, as_json: bool) -> None:
    """Print why something was said."""
    with reading(place) as reader:
        history = read_history(reader)
        document = explained(history, reader, place, wanted)
    if as_json:
        emit_object(document)
        return
    _print(document)


def explained(history: History, reader: Reader, place: Place, wanted: str) -> dict[str, Any]:
    """Everything that is known of the incident or event whose id begins with `wanted`."""
    case = history.case(wanted)
    if case is not None:
        return _incident(history, case, place)
    known = history.output(wanted)
    if known is None:
        found = _reading(reader, wanted)
        if found is None:
            raise OperatorError(f"{wanted}: no incident, event or request has this id", REFUSED)
        return found
    document = _output(known, place)
    incident = document["event"].get("incident_id")
    case = history.book.cases.get(incident) if incident else None
    if case is not None and case.first is not None:
        document["incident"] = history.incident(case)
    return document


def _incident(history: History, case: Case, place: Place) -> dict[str, Any]:
    alert = alert_of(case)
    return {
        "kind": "incident",
        "id": case.id,
        "incident": history.incident(case),
        "because": list(alert.triage.because),
        "against": list(alert.triage.against),
        "performance": _plain(alert.performance),
        "signals": _plain((case.worst or alert).signals),
        "events": [_drift(known, place) for known in history.sources.get(case.id, [])],
        "evidence": _commands(case.evidence(), place),
        "retrain_requests": [_plain(one) for one in history.book.requests_of(case)],
        "runbook": _runbook(case),
        "said": [_plain(said.event) for said in history.told(case.id)],
    }


def _runbook(case: Case) -> str | None:
    alert = alert_of(case)
    told = [alert.annotations.runbook_url, *(event.runbook for event in case.drift)]
    return next((one for one in told if one), None)


def _output(known: Known, place: Place) -> dict[str, Any]:
    if known.topic == "drift-events":
        return {"kind": "drift-event", "id": known.id, "event": _drift(known, place)}
    return {
        "kind": known.topic.removesuffix("s"),
        "id": known.id,
        "event": _plain(decoded(known)),
    }


def _drift(known: Known, place: Place) -> dict[str, Any]:
    event = decoded(known)
    assert isinstance(event, DriftEvent)
    document: dict[str, Any] = {"event_id": known.id, **_plain(event)}
    ranges = document["evidence"]["ranges"]
    return {**document, "evidence": {"ranges": _commands(ranges, place)}}


def _commands(ranges: list[dict[str, Any]], place: Place) -> list[dict[str, Any]]:
    return [
        {**one, "commands": place.raw(one["topic"], one["partition"], one["from"], one["to"])}
        for one in ranges
    ]


def _reading(reader: Reader, wanted: str) -> dict[str, Any] | None:
    """A reading by its id, among the newest."""
    for record in reader.read("readings", Span(newest=_READINGS)):
        opened = content_of(record)
        if opened is not None and opened[0].startswith(wanted):
            try:
                one = msgspec.json.decode(opened[1], type=Reading)
            except msgspec.MsgspecError:
                continue
            return {"kind": "reading", "id": opened[0], "event": _plain(one)}
    return None


# For people


def _print(document: dict[str, Any]) -> None:
    out = results()
    if document["kind"] == "incident":
        _print_incident(document)
        return
    event = document["event"]
    out.print(f"{document['kind']} {document['id']}", style="bold")
    for name in ("explanation", "summary", "reason"):
        if event.get(name):
            out.print(event[name], markup=False)
    if document["kind"] == "drift-event":
        _print_drift(event)
        _print_evidence(event["evidence"]["ranges"])
    elif document["kind"] == "reading":
        window = event["current"]["window"]
        out.print(
            f"{_beside(event['monitor'], event)}, {event['state'].replace('_', ' ')}, "
            f"{event['current']['rows']:,} rows of {window['start']} to {window['end']}"
        )
    if document.get("incident"):
        one = document["incident"]
        out.print(f"part of incident {one['incident_id']}: {one['title']}", markup=False)


def _print_incident(document: dict[str, Any]) -> None:
    from rich.text import Text

    out, one = results(), document["incident"]
    mark = "DRILL " if one["drill"] else ""
    style = "bold red" if one["severity"] == "red" else "yellow"
    out.print(Text.assemble((f"{mark}{one['title']}", style), f"  [{document['id']}]"))
    out.print(one["summary"], markup=False)
    out.print(
        f"{one['status']}; change began {one['change_point'] or 'at a time not known'}, "
        f"opened {one['opened_at']} ({span_of(one['detect_seconds'])} later)"
        + (f", closed {one['closed_at']}" if one["closed_at"] else "")
        + (f"; {one['breadth']}" if one["breadth"] else "")
    )
    for heading, name in (("because", "because"), ("against", "against")):
        for sentence in document[name]:
            if sentence == one["summary"]:
                continue  # it stands above
            out.print(f"  {heading}: {sentence}", markup=False)
    shown = 0
    for signal in one["signals"]:
        told = [event for event in document["events"] if event["signal"] == signal]
        drawn = [event for event in told if event["current"].get("histograms")]
        if drawn and shown < MOST_SIGNALS:
            _print_drift(drawn[-1])
            shown += 1
    if len(one["signals"]) > shown:
        out.print(f"signals, by contribution: {', '.join(one['signals'])}", markup=False)
    _print_evidence(document["evidence"])
    for asked in document["retrain_requests"]:
        out.print(f"retrain request {asked['request_id']}: {asked['reason']}", markup=False)
    action = one["action"].replace("_", " ")
    out.print(f"recommended: {action}; runbook: {document['runbook'] or 'none configured'}")
    for said in document["said"]:
        words = " ".join(str(said[name]) for name in ("verdict", "note") if said.get(name))
        out.print(f"{said['type']} by {said['author'] or 'somebody'} {words}", markup=False)


def _print_drift(event: dict[str, Any]) -> None:
    from schemas.output_parts import Histograms

    out, detector = results(), event["detector"]
    where = words.place(event["model"], event["version"], event["segment"])
    out.print(
        f"{event['signal']} in {where}: {_beside(detector['name'], detector)};"
        f" {sizes(detector['effect'])}",
        markup=False,
    )
    histograms = event["current"].get("histograms")
    if histograms:
        title = (
            f"{event['reference']['rows']:,} rows of reference, {event['current']['rows']:,} now"
        )
        out.print(bars.table_of(msgspec.convert(histograms, Histograms), title))
    if event.get("change_point"):
        forms = ", ".join(event[name] for name in ("shape", "breadth") if event.get(name))
        out.print(f"change point about {event['change_point']}" + (f" ({forms})" if forms else ""))


def _print_evidence(ranges: list[dict[str, Any]]) -> None:
    out = results()
    for one in ranges:
        out.print(f"raw records: {one['topic']}[{one['partition']}] {one['from']:,}-{one['to']:,}")
        for command in one["commands"]:
            out.print(f"  {command}", markup=False, soft_wrap=True)


def _beside(name: str, found: dict[str, Any]) -> str:
    """A statistic with its threshold, if it has one."""
    said = f"{name} {_figure(found['statistic'])}"
    return (
        said if found["threshold"] is None else f"{said}, threshold {_figure(found['threshold'])}"
    )


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
