"""One HTML file of a replay that opens from a disk: what happened, when, and why.

Promises: no request to anywhere (a policy in the page forbids it), no script; at most `LIMIT`
bytes, whatever came in; colours are never the only sign; light and dark.
Leaves to others: folding outputs (`casebook`, `chronicle`), drawings (`drawing`).
"""

from html import escape
from typing import Any, Final

import msgspec

from schemas.grid import WHOLE
from schemas.output_parts import Histograms
from schemas.outputs import Alert
from streams.cli.casebook import Case, Casebook, segment_of
from streams.cli.report.chronicle import Chronicle
from streams.cli.report.drawing import histogram, lines, strip

LIMIT: Final = 300_000
"""Bytes of the file."""

_CUTS: Final = ((24, 3, 48), (12, 2, 32), (6, 1, 24), (3, 1, 12), (1, 0, 6))
"""Incidents with details, histograms each, rows of the strip: tried in this order until it fits."""

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--page:#fff;--card:#f4f6f8;
--line:#d5dbe2;--q0:#eef1f4;--q1:#d9e6ef;--q2:#9cc3dc;--q3:#4f93bd;--q4:#e8a33d;--q5:#b3261e;
--ref:#4f93bd;--now:#d9771f;--warn:#8a5a00}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#9aa6b5;--page:#12161c;
--card:#1b2129;--line:#333d49;--q0:#1b2129;--q1:#22313d;--q2:#2f536b;--q3:#4f93bd;--q4:#e8a33d;
--q5:#ff6b5e;--warn:#e8a33d}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);margin:0 auto;
max-width:1080px;padding:24px}
h1{font-size:24px;margin:0}h2{font-size:18px;margin:32px 0 8px}p,ul{margin:6px 0}
.soft{color:var(--soft)}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 16px;
margin:10px 0}
.red,.yellow{font-weight:600}.red{color:var(--q5)}.yellow{color:var(--warn)}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:4px 8px;border-bottom:1px solid var(--line);vertical-align:top}
svg{max-width:100%;height:auto;display:block}
svg text{fill:var(--ink);font:11px system-ui,sans-serif}
.wide{overflow-x:auto}summary{cursor:pointer}
code{font-size:13px}
"""


_ASKED_FOR: Final = (
    *("accuracy", "f1", "auc", "mae", "rmse", "r2", "ndcg", "average_precision"),
    *("precision", "recall"),
)
_MOST_METRICS: Final = 6

_LEGEND: Final = (
    '<p class="soft">Every signal over time: the darker, the nearer to its threshold; a line '
    "through a cell is a breach, a double line a red one. Incidents are marked above.</p>"
)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the page says of the run itself."""

    title: str
    model: str
    rows: int
    words: tuple[str, ...]
    """What was run and what was guessed, a sentence each."""
    budget: str


def page(facts: Facts, book: Casebook, chronicle: Chronicle) -> str:
    """The whole document."""
    for cut in _CUTS:
        body = fragment(facts, book, chronicle, *cut)
        text = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
            "style-src 'unsafe-inline'; img-src data:\">"
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{escape(facts.title)}</title><style>{_STYLE}</style></head>"
            f"<body>{body}</body></html>\n"
        )
        if len(text.encode()) <= LIMIT:
            break
    return text


def fragment(
    facts: Facts,
    book: Casebook,
    chronicle: Chronicle,
    details: int = 12,
    drawn: int = 3,
    rows: int = 40,
) -> str:
    """What stands in the body; also what a notebook shows."""
    cases = book.told()
    parts = [
        f"<h1>{escape(facts.title)}</h1>",
        *(f'<p class="soft">{escape(word)}</p>' for word in facts.words),
        _summary(facts, book, chronicle),
        "<h2>Timeline</h2>",
        _LEGEND,
        f'<div class="wide">{strip(chronicle, cases, rows)}</div>',
    ]
    if chronicle.metrics:
        parts.append("<h2>Performance</h2>")
        ranked = sorted(chronicle.metrics.items(), key=lambda one: (_rank(one[0][0]), one[0]))
        for (name, version), metric in ranked[:_MOST_METRICS]:
            label = f"{name.removeprefix('metric:')} of version {version}"
            parts.append(f'<div class="card">{lines(metric, label)}</div>')
    parts.append("<h2>Incidents</h2>")
    parts += [_case(case, book, drawn) for case in cases[:details]]
    if len(cases) > details:
        parts.append(_rest(cases[details:], book))
    if not cases:
        parts.append("<p>None. Nothing moved beyond the tolerance with enough evidence.</p>")
    parts.append(_refused(chronicle))
    return "".join(parts)


def _rank(signal: str) -> int:
    """Where a measure stands: those that people ask for come first."""
    name = signal.removeprefix("metric:")
    return _ASKED_FOR.index(name) if name in _ASKED_FOR else len(_ASKED_FOR)


def _summary(facts: Facts, book: Casebook, chronicle: Chronicle) -> str:
    cases = book.told()
    red = sum(case.severity == "red" for case in cases)
    still = sum(case.resolved is None for case in cases)
    told = (
        ("rows", f"{facts.rows:,}"),
        ("incidents", f"{len(cases)} ({red} red, {still} open at the end)"),
        ("retrain requests", str(len(book.retrain_requests))),
        ("rollback requests", str(len(book.rollback_requests))),
        ("refused", f"{sum(chronicle.refused.values()):,}"),
        ("false alarms promised", facts.budget),
    )
    cells = "".join(f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in told)
    return f'<div class="card"><table>{cells}</table></div>'


def _case(case: Case, book: Casebook, drawn: int) -> str:
    now = case.firing or case.first
    assert now is not None
    worst = case.worst or now
    parts = [_heading(case, worst, book), f"<p>{escape(worst.summary)}</p>", _reasons(worst)]
    shown = 0
    for signal in case.signals:
        event = case.told_of(signal)
        bars = None if event is None else event.current.histograms
        if event is None or bars is None or shown >= drawn:
            continue
        shown += 1
        change = (
            f"; change began about {_at(event.change_point, book)}" if event.change_point else ""
        )
        detector = event.detector
        effect = {k: v for k, v in msgspec.to_builtins(detector.effect).items() if v is not None}
        numbers = ", ".join(f"{k} {v:.3g}" for k, v in list(effect.items())[:4])
        parts.append(
            f"<details{' open' if shown == 1 else ''}><summary>{escape(signal)}"
            f"{_in(event.segment)}: {escape(numbers)}{escape(change)}</summary>"
            f"{_bars(bars)}</details>"
        )
    others = len(case.signals) - shown
    if others > 0:
        names = ", ".join(case.signals[:30]) + (" ..." if len(case.signals) > 30 else "")  # noqa: PLR2004 - a line or two
        parts.append(f'<p class="soft">All its signals: {escape(names)}</p>')
    ranges = [
        f"{e['topic']}[{e['partition']}] {e['from']:,} to {e['to']:,}" for e in case.evidence()
    ]
    if ranges:
        parts.append(f'<p class="soft">Raw records: {escape("; ".join(ranges))}</p>')
    parts += [
        f"<p>Retraining asked for ({escape(one.urgency)}): {escape(one.reason)}</p>"
        for one in book.requests_of(case)
    ]
    return f'<div class="card" id="i{escape(case.id)}">{"".join(parts)}</div>'


def _heading(case: Case, worst: Alert, book: Casebook) -> str:
    first = case.first
    assert first is not None
    ended = case.resolved.ends_at if case.resolved is not None else None
    end = "open at the end" if ended is None else f"until {_at(ended, book)}"
    kind = worst.triage.class_.replace("_", " ")
    return (
        f'<p><span class="{case.severity}">{case.severity}: {escape(kind)}</span>'
        f"{_in(segment_of(worst))}, from {escape(_at(first.starts_at, book))}, {escape(end)}; "
        f"recommended: {escape(worst.recommended_action.replace('_', ' '))} "
        f'<code class="soft">{escape(case.id)}</code></p>'
    )


def _reasons(alert: Alert) -> str:
    because = "".join(f"<li>{escape(one)}</li>" for one in alert.triage.because[:6])
    against = "".join(f"<li>but: {escape(one)}</li>" for one in alert.triage.against[:4])
    return f'<ul class="soft">{because}{against}</ul>' if because or against else ""


def _rest(cases: list[Case], book: Casebook) -> str:
    """The others, a line each, as many as a page can take."""
    rows = []
    for case in cases[:200]:
        worst = case.worst or case.first
        assert worst is not None
        rows.append(
            f"<tr><td>{escape(_at(worst.starts_at, book))}</td><td>{case.severity}</td>"
            f"<td>{escape(worst.triage.class_)}</td><td>{escape(worst.summary[:200])}</td></tr>"
        )
    return f"<p>And {len(cases)} more:</p><table>{''.join(rows)}</table>"


def _bars(bars: Histograms) -> str:
    return f'<div class="wide">{histogram(bars)}</div>'


def _refused(chronicle: Chronicle) -> str:
    if not chronicle.refused:
        return "<h2>Refused</h2><p>Nothing was refused.</p>"
    items = "".join(
        f"<li>{count:,} {escape(code)}</li>" for code, count in chronicle.refused.most_common()
    )
    return f"<h2>Refused</h2><ul>{items}</ul>"


def _at(instant: str | None, book: Casebook) -> str:
    """A row where rows count time, else the instant."""
    if instant is None:
        return "a time not known"
    row: Any = book.row_at(instant)
    return instant if row is None else f"row {row:,}"


def _in(segment: str) -> str:
    return "" if segment == WHOLE else f" in {escape(segment)}"
