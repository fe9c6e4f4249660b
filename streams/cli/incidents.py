"""`windage incidents`: what happened, how long it took, and what people made of it.

Promises: with `--json` one object a line; times are null where nobody said anything.
Leaves to others: folding (`history`).
"""

from typing import Any, Final, Literal

from schemas.durations import show_duration
from streams.cli.console import emit_object, results, say
from streams.cli.history import read_history
from streams.cli.places import Place, reading

Status = Literal["open", "closed"]
_COLOURS: Final = {"red": "bold red", "yellow": "yellow"}


def run(place: Place, model: str | None, status: Status | None, *, as_json: bool) -> None:
    """Print incidents by their beginning."""
    with reading(place) as reader:
        history = read_history(reader)
    told = [history.incident(case) for case in history.cases(model)]
    found = [one for one in told if status in (None, one["status"])]
    if as_json:
        for one in found:
            emit_object(one)
        return
    if not found:
        say("no incidents" if model is None else f"no incidents of {model}")
        return
    _print(found)


def _print(found: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Incidents", title_justify="left", show_lines=True)
    for heading in (
        *("incident", "model", "class", "opened", "closed", "signals"),
        *("detected after", "acknowledged", "recovered", "verdict"),
    ):
        table.add_column(heading, overflow="fold", no_wrap=heading == "incident")
    for one in found:
        kind = one["class"].replace("_", " ") + (" (drill)" if one["drill"] else "")
        who = one["acknowledged_by"]
        after = span_of(one["acknowledge_seconds"])
        table.add_row(
            one["incident_id"],
            f"{one['model']} {one['version']}",
            Text(kind, style=_COLOURS[one["severity"]]),
            _minute(one["opened_at"]),
            _minute(one["closed_at"]) if one["closed_at"] else "open",
            ", ".join(one["signals"]),
            span_of(one["detect_seconds"]),
            "no" if who is None else f"{who}, after {after}",
            span_of(one["recover_seconds"]),
            _verdict(one),
        )
    results().print(table)


def _minute(instant: str) -> str:
    """An instant for a table; the exact one is in the JSON."""
    return instant.replace("T", " ")[:16]


def span_of(seconds: float | None) -> str:
    """A span in words; `-` where it is not known."""
    return "-" if seconds is None else show_duration(round(1000 * max(0.0, seconds)))


def _verdict(one: dict[str, Any]) -> str:
    if one["verdict"] is None:
        return "none"
    cause = f": {one['root_cause']}" if one["root_cause"] else ""
    return f"{one['verdict'].replace('_', ' ')}{cause}"
