"""`windage status`: every model at a glance, and the pipeline beneath it.

Promises: says since when a state holds and how far judging has come; what is not known is null,
never zero; reads a bounded tail of the readings.
Leaves to others: incidents (`history`), where it reads (`places`).
"""

from collections import Counter
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from schemas.outputs import Alert, Reading
from schemas.vocabulary import UNNAMED
from streams.cli.casebook import Case
from streams.cli.console import emit_object, results
from streams.cli.endings import REFUSED, OperatorError
from streams.cli.history import History, alert_of, content_of, read_history
from streams.cli.places import Place, reading
from streams.runtime.installation.reading import Located, Reader, Span

NEWEST: Final = 20_000
"""Readings looked at, from the end of each partition."""

MOST_LETTERS: Final = 100_000
"""Dead letters counted, from the end of each partition."""

_COLOURS: Final = {"red": "bold red", "yellow": "yellow", "green": "green"}
_reading: Final = msgspec.json.Decoder(Reading).decode
_RANK: Final = {"yellow": 1, "red": 2}
Monitor = tuple[str, str, str, str]


def run(place: Place, model: str | None, *, as_json: bool) -> None:
    """Print the state of the models."""
    with reading(place) as reader:
        document = status_of(reader, place, model)
    if as_json:
        emit_object(document)
        return
    _print(document)


def status_of(reader: Reader, place: Place, model: str | None) -> dict[str, Any]:
    """Models, lag and dead letters as one JSON object; OperatorError for an unknown model."""
    history = read_history(reader)
    latest = latest_readings(reader)
    config = place.told()
    configured = [] if config is None else [name for name in config.models if name != UNNAMED]
    names = sorted({*configured, *history.models(), *(one.model for one in latest)})
    if model is not None and model not in names:
        near = get_close_matches(model, names, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names) or 'none'}"
        raise OperatorError(f"{model}: nothing is known of this model{hint}", REFUSED)
    told = {} if config is None else {name: config.model(name) for name in names}
    tasks = {name: one.task for name, one in told.items() if one is not None}
    return {
        "models": [
            _model(name, history, [one for one in latest if one.model == name], tasks.get(name))
            for name in names
            if model in (None, name)
        ],
        "lag": reader.lag(),
        "dead_letters": dict(sorted(_letters(reader).items())),
    }


def latest_readings(reader: Reader) -> list[Reading]:
    """The newest reading of each monitor."""
    found: dict[tuple[str, Monitor], Reading] = {}
    for record in reader.read("readings", Span(newest=NEWEST)):
        opened = content_of(record)
        if opened is None:
            continue
        try:
            one = _reading(opened[1])
        except msgspec.MsgspecError:
            continue
        key = (one.model, (one.version, one.segment, one.monitor, one.signal))
        before = found.get(key)
        if before is None or before.current.window.end <= one.current.window.end:
            found[key] = one
    return list(found.values())


def _letters(reader: Reader) -> Counter[str]:
    """Dead letters that are still kept, by code; of very many the newest."""
    return Counter(
        code_of(record) for record in reader.read("dead-letters", Span(newest=MOST_LETTERS))
    )


def code_of(letter: Located) -> str:
    """Why a record became a dead letter."""
    code = dict(letter.headers).get("windage.error.code", b"unknown")
    return (code or b"unknown").decode(errors="replace")


def _model(name: str, history: History, latest: list[Reading], task: str | None) -> dict[str, Any]:
    cases = history.cases(name)
    open_cases = [case for case in cases if alert_of(case).status == "firing"]
    states: Counter[str] = Counter(one.state for one in latest)
    severity = max((alert_of(c).severity for c in open_cases), key=_RANK.__getitem__, default=None)
    return {
        "model": name,
        "task": task,
        "versions": sorted({one.version for one in latest} - {""}),  # figures are of none
        "state": severity or _calm(states),
        "since": _since(cases, open_cases, severity),
        "incidents": [_line(alert_of(case)) for case in open_cases],
        "monitors": len(latest),
        "states": dict(sorted(states.items())),
        "coverage": coverage_of(latest),
        "performance": _performance(latest),
        "budget": _budget(history, name),
        "judged_until": max((one.current.window.end for one in latest), default=None),
    }


def _calm(states: Counter[str]) -> str:
    """The state of a model without an open incident."""
    if states["judged"]:
        return "green"
    return "learning" if not states or states["warming_up"] else max(states, key=states.__getitem__)


def _since(cases: list[Case], open_cases: list[Case], severity: str | None) -> str | None:
    """When the present state began; None: since the records begin."""
    if severity is None:
        ended = (alert_of(case).ends_at for case in cases)
        return max((one for one in ended if one is not None), default=None)
    first = []
    for case in open_cases:
        if alert_of(case).severity == severity:
            rose = [one for one in case.drift if one.severity == severity]
            ends = [one.current.window.end for one in rose]
            first.append(min(ends, default=alert_of(case).starts_at))
    return min(first, default=None)


def _line(alert: Alert) -> dict[str, Any]:
    return {
        "incident_id": alert.incident_id,
        "severity": alert.severity,
        "class": alert.triage.class_,
        "title": alert.title,
        "since": alert.starts_at,
        "action": alert.recommended_action,
        "acknowledged_by": alert.acknowledged_by,
    }


def coverage_of(latest: list[Reading]) -> float | None:
    """The labelled share of mature cohorts, where a reading says it."""
    told = [
        one.effect.current if one.effect.current is not None else one.statistic
        for one in latest
        if one.segment == "*" and one.signal == "label:coverage"
    ]
    return next((value for value in told if value is not None), None)


def _performance(latest: list[Reading]) -> list[dict[str, Any]]:
    """What is known of the metrics of quality, now and before."""
    return [
        {
            "metric": one.signal.removeprefix("metric:"),
            "version": one.version,
            "measured": one.detector,
            "current": one.effect.current,
            "baseline": one.effect.baseline,
        }
        for one in latest
        if one.segment == "*" and one.signal.startswith("metric:")
    ]


def _budget(history: History, model: str) -> dict[str, Any] | None:
    """The false alarms allowed and spent, as the last drift event of the model said."""
    told = [
        (event.current.window.end, event.budget)
        for case in history.book.cases.values()
        for event in case.drift
        if event.model == model and event.budget is not None
    ]
    if not told:
        return None
    budget = max(told, key=lambda one: one[0])[1]
    return {
        "allowed": budget.allowed,
        "per": budget.per,
        "spent": budget.spent,
        "remaining": max(0.0, budget.allowed - budget.spent),
    }


def _print(document: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    out = results()
    table = Table(title="Models", title_justify="left")
    for heading in ("model", "state", "since", "versions", "monitors", "judged until"):
        table.add_column(heading, overflow="fold")
    for heading in ("coverage", "budget spent"):
        table.add_column(heading)
    for one in document["models"]:
        budget = one["budget"]
        table.add_row(
            one["model"],
            Text(one["state"], style=_COLOURS.get(one["state"], "")),
            one["since"] or "the beginning",
            ", ".join(one["versions"]),
            ", ".join(f"{count} {state}" for state, count in one["states"].items()) or "none",
            one["judged_until"] or "not yet",
            "not known" if one["coverage"] is None else f"{one['coverage']:.0%}",
            "none"
            if budget is None
            else f"{budget['spent']:g} of {budget['allowed']:g} per {budget['per']}",
        )
    out.print(table)
    for one in document["models"]:
        for incident in one["incidents"]:
            out.print(
                Text.assemble(
                    (incident["severity"], _COLOURS[incident["severity"]]),
                    f"  {incident['title']} since {incident['since']}, recommended:"
                    f" {incident['action'].replace('_', ' ')}"
                    f"  [{incident['incident_id']}]",
                )
            )
    lag, letters = document["lag"], document["dead_letters"]
    waiting = "not known" if lag is None else f"{sum(lag.values()):,} records"
    refused = ", ".join(f"{count:,} {code}" for code, count in letters.items()) or "none"
    out.print(f"waiting to be read: {waiting}; dead letters: {refused}")
