"""Drawings of the report as SVG texts: strip, lines, histograms.

Promises: sizes are bounded whatever the input; every text is escaped; a breach is also a line, so
that colour is never the only sign.
Leaves to others: where they stand (`report`).
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from schemas.instants import parse, rfc3339
from schemas.log import Millis
from schemas.output_parts import Histograms
from streams.cli import bars as shares
from streams.cli.casebook import Case
from streams.cli.report.chronicle import LEVELS, Chronicle, Metric, Series

COLUMNS: Final = 180
_CELL_W: Final = 5
_CELL_H: Final = 14
_LEFT: Final = 170
_TOP: Final = 22
_YELLOW: Final = 4
_RED: Final = 5
_POINTS: Final = 300
_DASHES: Final = ("none", "4 2", "1 3", "8 3 2 3")
_DASH_WORDS: Final = ("full line", "dashes", "dots", "dashes and dots")
_WAYS: Final = {
    "window": "measured as labels came",
    "cohort": "measured by cohort",
    "estimate": "estimated without labels",
}
_NAME: Final = 26
"""Characters of a signal's name beside its row."""


def strip(chronicle: Chronicle, cases: Sequence[Case], most: int) -> str:
    """Signal x time: at most `most` rows, those that came nearest to their thresholds."""
    chosen = _chosen(chronicle, most)
    ends = [end for _, series in chosen for end in (series.ends[0], series.ends[-1])]
    if not ends:
        return "<p>Nothing was judged.</p>"
    first, last = min(ends), max(ends) + 1
    width, height = _LEFT + COLUMNS * _CELL_W + 10, _TOP + len(chosen) * _CELL_H + 20
    parts = [_open(width, height, "signals over time")]
    for number, ((signal, segment), series) in enumerate(chosen):
        y = _TOP + number * _CELL_H
        name = signal if segment == "*" else f"{signal} {segment}"
        short = name if len(name) <= _NAME else name[: _NAME - 1] + "…"
        parts.append(
            f'<text x="{_LEFT - 6}" y="{y + 11}" text-anchor="end">{escape(short)}'
            f"<title>{escape(name[:200])}</title></text>"
        )
        parts += _runs(series, first, last, y)
    parts += _marks(cases, first, last, height)
    parts.append(
        f'<text x="{_LEFT}" y="{height - 4}">{rfc3339(first)}</text>'
        f'<text x="{width - 10}" y="{height - 4}" text-anchor="end">{rfc3339(last - 1)}</text>'
        "</svg>"
    )
    left = len(chronicle.series) - len(chosen) + chronicle.left_out
    return "".join(parts) + (
        f'<p class="soft">{left} quieter rows are left out.</p>' if left else ""
    )


def _chosen(chronicle: Chronicle, most: int) -> list[tuple[tuple[str, str], Series]]:
    """The rows that moved most, in the order of their names."""
    told = [one for one in chronicle.series.items() if one[1].ends]
    ranked = sorted(told, key=lambda one: (-max(one[1].levels), -one[1].peak, one[0]))
    return sorted(ranked[:most], key=lambda one: (one[0][1] != "*", one[0]))


def _runs(series: Series, first: Millis, last: Millis, y: int) -> Iterable[str]:
    """One path a level: runs of columns with that level."""
    levels = bytearray(COLUMNS)
    for end, level in zip(series.ends, series.levels, strict=True):
        column = min(COLUMNS - 1, (end - first) * COLUMNS // (last - first))
        levels[column] = max(levels[column], level)
    # A pane longer than a column colours those up to the next.
    for column in range(1, COLUMNS):
        if not levels[column] and len(series.ends) < COLUMNS:
            levels[column] = levels[column - 1]
    paths: list[list[str]] = [[] for _ in range(LEVELS)]
    begin = 0
    for column in range(1, COLUMNS + 1):
        if column == COLUMNS or levels[column] != levels[begin]:
            x, w = _LEFT + begin * _CELL_W, (column - begin) * _CELL_W
            paths[levels[begin]].append(f"M{x} {y + 1}h{w}v{_CELL_H - 2}h-{w}z")
            begin = column
    for level, path in enumerate(paths):
        if not path:
            continue
        yield f'<path fill="var(--q{level})" d="{"".join(path)}"/>'
        for line in {_YELLOW: (7,), _RED: (5, 9)}.get(level, ()):
            strokes = "".join(_stroke(one, y + line) for one in path)
            yield f'<path stroke="var(--page)" stroke-width="1.2" d="{strokes}"/>'


def _stroke(cell: str, y: int) -> str:
    """A line through a run: its `M x y h w` at another height."""
    x, _, rest = cell[1:].partition(" ")
    width = rest.partition("h")[2].partition("v")[0]
    return f"M{x} {y}h{width}"


def _marks(cases: Sequence[Case], first: Millis, last: Millis, height: int) -> Iterable[str]:
    """A line where each incident opened, numbered."""
    for number, case in enumerate(cases[:40], 1):
        if case.first is None:
            continue
        at = min(max(parse(case.first.starts_at), first), last)
        x = _LEFT + (at - first) * COLUMNS * _CELL_W // (last - first)
        yield (
            f'<path stroke="var(--ink)" stroke-dasharray="2 2" d="M{x} {_TOP - 6}V{height - 18}"/>'
            f'<text x="{x}" y="12" text-anchor="middle">{number}'
            f"<title>{escape(case.first.title)}</title></text>"
        )


def lines(metric: Metric, label: str) -> str:
    """One measure over time, a line for each way it was measured, its reference dashed."""
    drawn = {way: _thinned(*told) for way, told in metric.ways.items() if len(told[0]) > 1}
    if not drawn:
        return f"<p>{escape(label)}: too few points to draw.</p>"
    known = [value for points in drawn.values() for _, value in points]
    known += [] if metric.baseline is None else [metric.baseline]
    low, high = min(known), max(known)
    times = [end for points in drawn.values() for end, _ in points]
    first, last = min(times), max(times)

    def y(value: float) -> float:
        return round(10 + 100 * (high - value) / ((high - low) or 1.0), 1)

    parts = [
        _open(1040, 150, label)
        + f'<text x="0" y="14">{high:.3g}</text><text x="0" y="114">{low:.3g}</text>'
    ]
    if metric.baseline is not None:
        at = y(metric.baseline)
        parts.append(
            f'<path stroke="var(--ref)" stroke-dasharray="6 4" d="M60 {at}H960"/>'
            f'<text x="962" y="{at + 4}">reference</text>'
        )
    said = []
    for number, (way, points) in enumerate(sorted(drawn.items())):
        dash = _DASHES[number % len(_DASHES)]
        line = " ".join(
            f"{round(60 + 900 * (end - first) / max(1, last - first), 1)},{y(value)}"
            for end, value in points
        )
        parts.append(
            f'<polyline fill="none" stroke="var(--now)" stroke-width="1.5" '
            f'stroke-dasharray="{dash}" points="{line}"/>'
        )
        meaning = _WAYS.get(way, way)
        said.append(f"{meaning} ({_DASH_WORDS[number % len(_DASHES)]}) {points[-1][1]:.3g}")
    text = f"{label}, at the end: {'; '.join(said)}"
    return "".join(parts) + f'<text x="60" y="138">{escape(text)}</text></svg>'


def _thinned(ends: Sequence[Millis], values: Sequence[float]) -> list[tuple[Millis, float]]:
    step = max(1, -(-len(ends) // _POINTS))
    return list(zip(ends[::step], values[::step], strict=True))


def histogram(bars: Histograms) -> str:
    """Both histograms, a pair of bars a cell, with the shares in figures."""
    rows = shares.rows_of(bars, 24)
    top = max((max(then, now) for _, then, now in rows), default=0.0) or 1.0
    height = 18 * len(rows) + 22
    parts = [
        _open(760, height, "reference and current shares"),
        '<text x="200" y="12">reference</text><text x="480" y="12">current</text>',
    ]
    for number, (label, then, now) in enumerate(rows):
        y = 20 + 18 * number
        short = label if len(label) <= _NAME else label[: _NAME - 1] + "…"
        parts.append(
            f'<text x="190" y="{y + 11}" text-anchor="end">{escape(short)}</text>'
            + _bar(200, y, then, top, "ref")
            + _bar(480, y, now, top, "now")
        )
    return "".join([*parts, "</svg>"])


def _bar(x: int, y: int, share: float, top: float, colour: str) -> str:
    """A bar of 200 at the largest share, with its share behind it."""
    width = round(200 * share / top, 1)
    return (
        f'<rect x="{x}" y="{y + 2}" width="{width}" height="11" fill="var(--{colour})"/>'
        f'<text x="{x + 4 + width}" y="{y + 11}">{share:.1%}</text>'
    )


def _open(width: int, height: int, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(label)}">'
    )
