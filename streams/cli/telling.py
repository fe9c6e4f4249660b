"""Telling incidents to people: a line as each opens, grows or ends, and a table at the end.

Promises: words and numbers are those of the events; nothing is said of what the product does not
know.
Leaves to others: folding events into incidents (`casebook`).
"""

from typing import Final

from rich.table import Table
from rich.text import Text

from schemas.grid import WHOLE
from schemas.outputs import Alert, RetrainRequest, RollbackRequest
from streams.cli.casebook import Case, Casebook, segment_of
from streams.cli.sizes import sizes

_COLOURS: Final = {"red": "bold red", "yellow": "yellow"}
_MOST_SIGNALS: Final = 4
_SIZES: Final = ("psi", "size", "fall")
"""Sizes of an effect, of which the first two are told."""


def line_of(event: Alert | RetrainRequest | RollbackRequest, book: Casebook) -> Text:
    """One event in one line; the book has taken it in already."""
    if isinstance(event, RetrainRequest):
        return _request(event, book)
    if isinstance(event, RollbackRequest):
        return Text(f"{'':>12}  rollback of version {event.version} asked for: {event.reason}")
    at = _place(event.updated_at, book)
    what = f"{event.triage.class_.replace('_', ' ')}{_where(event)}"
    if event.status == "resolved":
        return Text.assemble(f"{at}  ", ("resolved", "green"), f"  {what}  [{event.incident_id}]")
    case = book.cases[event.incident_id]
    verb = "opens" if case.first is event else "goes on"
    said = f"  {event.summary}" if event.summary else ""
    return Text.assemble(
        f"{at}  ",
        (event.severity, _COLOURS[event.severity]),
        f"  {what} {verb}  [{event.incident_id}]{said}",
    )


def table_of(book: Casebook) -> Table:
    """All incidents: class, first row, segment or cells, effect, offsets, retrain request."""
    by_rows = any(
        book.row_at(case.first.starts_at) is not None for case in book.told() if case.first
    )
    table = Table(title="Incidents", title_justify="left", show_lines=True)
    first = "first row" if by_rows else "opened"
    for heading in (
        *("incident", "class", first, "until", "signals", "segment, cells"),
        *("effect", "offsets", "retrain request"),
    ):
        # An id that is cut in two cannot be copied.
        table.add_column(heading, overflow="fold", no_wrap=heading == "incident")
    for case in book.told():
        table.add_row(*_cells_of(case, book))
    return table


def _cells_of(case: Case, book: Casebook) -> list[str | Text]:
    now, first = case.firing or case.first, case.first
    assert now is not None
    assert first is not None
    names = [name.removeprefix("feature:") for name in case.signals]
    signals = ", ".join(names[:_MOST_SIGNALS])
    if len(names) > _MOST_SIGNALS:
        signals += f" and {len(names) - _MOST_SIGNALS} more"
    ended = case.resolved.ends_at if case.resolved is not None else None
    requests = [_asked(one) for one in book.requests_of(case)]
    return [
        case.id,
        Text(now.triage.class_.replace("_", " "), style=_COLOURS[case.severity]),
        _short(first.starts_at, book),
        "open" if ended is None else _short(ended, book),
        signals,
        "\n".join([segment_of(case.worst or now).replace(WHOLE, "everywhere"), *_moves(case)]),
        _effect(case),
        _evidence(case),
        "\n".join(requests) or "none",
    ]


def _moves(case: Case) -> list[str]:
    """The cells of the leading signal."""
    lead = case.signals[0] if case.signals else ""
    return [
        f"{lead.removeprefix('feature:')} {cell['cell']}: "
        f"{cell['reference']:.1%} > {cell['current']:.1%}"
        for cell in case.cells()
        if cell["signal"] == lead
    ]


def _effect(case: Case) -> str:
    effect = case.effect()
    told = [name for name in _SIZES if name in effect][:2]
    return sizes({name: effect[name] for name in told})


def _evidence(case: Case) -> str:
    return "\n".join(
        f"{one['topic']}[{one['partition']}] {one['from']:,}-{one['to']:,}"
        for one in case.evidence()
    )


def _request(event: RetrainRequest, book: Casebook) -> Text:
    at = _place(event.requested_at, book)
    return Text.assemble(f"{at}  ", ("retrain", "cyan"), f"  {_asked(event)}: {event.reason}")


def _asked(event: RetrainRequest) -> str:
    window = event.data_window
    if window is None:
        return event.trigger
    return f"{event.trigger}, on {window.start[:10]} to {window.end[:10]}"


def _where(alert: Alert) -> str:
    segment = segment_of(alert)
    return "" if segment == WHOLE else f" in {segment}"


def _place(instant: str, book: Casebook) -> str:
    row = book.row_at(instant)
    return f"row {row:>8,}" if row is not None else instant


def _short(instant: str, book: Casebook) -> str:
    row = book.row_at(instant)
    return f"{row:,}" if row is not None else instant.removesuffix("Z").replace("T", " ")[:16]
