"""The picture of the README: what is said of the demo's stream, drawn from its readings.

Promises: every line is of outputs of one run over the real rows; light and dark, no script, nothing
from elsewhere; colour is never the only sign.
Leaves to others: the stream (`streams.cli.demo.story`), the machines.
"""

import sys
import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from schemas.instants import parse
from schemas.outputs import Alert, Reading
from streams.cli.demo.story import MODEL, open_story, row_of
from streams.runtime.assembly import open_replay

TO: Final = Path("docs/picture.svg")
ROWS: Final = 208_892
WIDTH, LEFT, RIGHT = 880, 72, 40
HEIGHT: Final = 118
TOPS: Final = (74, 244)
GAP: Final = 2_500
"""Rows without a reading, from which on a line is broken."""

TITLE: Final = "208,892 real predictions: a quiet year, then two incidents"
PSI: Final = "change of RELP, how a person lives (population stability index; red from 0.25)"
ACCURACY: Final = "accuracy, known 2,000 rows later, when the labels have come"

STYLE: Final = """
svg{--ink:#1c2430;--soft:#5b6675;--page:#fff;--line:#1f6fa8;--band:#e8a33d;--red:#b3261e}
@media(prefers-color-scheme:dark){svg{--ink:#e6eaf0;--soft:#9aa6b5;--page:#12161c;--line:#62b0e6;
--band:#b97f24;--red:#ff6b5e}}
text{font:12px system-ui,sans-serif;fill:var(--soft)}.head{font-size:14px;fill:var(--ink);
font-weight:600}.axis{stroke:var(--soft);stroke-width:.5}.line{fill:none;stroke:var(--line);
stroke-width:1.6}.red{stroke:var(--red);stroke-dasharray:5 3;fill:none}.open{stroke:var(--ink);
stroke-dasharray:2 2}.row{text-anchor:middle}.band{fill:var(--band);opacity:.25}
"""

_reading = msgspec.json.Decoder(Reading).decode
_alert = msgspec.json.Decoder(Alert).decode


class Told(NamedTuple):
    """What is drawn: (row, value) of both lines, and rows at which incidents began and ended."""

    psi: list[tuple[int, float]]
    accuracy: list[tuple[int, float]]
    incidents: list[tuple[int, int]]


def told() -> Told:
    """Run the story of the demo through the machines."""
    psi: dict[int, float] = {}
    accuracy: dict[int, float] = {}
    began: dict[str, int] = {}
    ended: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as scratch:
        story = open_story(Path(scratch))
        machines = open_replay(story.config, {MODEL: story.baseline})
        for output in machines.run(story.chunks(), [MODEL]):
            if output.topic == "alerts":
                alert = _alert(output.value)
                began.setdefault(alert.incident_id, row_of(parse(alert.starts_at)))
                if alert.ends_at:
                    ended[alert.incident_id] = row_of(parse(alert.ends_at))
            elif output.topic == "readings":
                one = _reading(output.value)
                row = row_of(parse(one.current.window.end))
                if one.segment != "*":
                    continue
                if (one.signal, one.detector) == ("feature:RELP", "shiryaev_roberts"):
                    psi[row] = one.effect.psi or 0.0
                elif (one.signal, one.detector) == ("metric:accuracy", "window"):
                    accuracy[row] = one.effect.current or 0.0
    spans = sorted((row, ended.get(name, ROWS)) for name, row in began.items())
    return Told(sorted(psi.items()), sorted(accuracy.items()), spans)


def picture(told: Told) -> str:
    """The SVG."""
    bottom = TOPS[1] + HEIGHT + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom}" role="img"',
        f' aria-label="{TITLE}"><style>{STYLE}</style>',
        f'<rect width="{WIDTH}" height="{bottom}" fill="var(--page)"/>',
        _text(LEFT, 24, TITLE, "head"),
    ]
    for top in TOPS:
        for begin, end in told.incidents:
            parts.append(
                f'<rect class="band" x="{_x(begin)}" y="{top}" width="{_x(end) - _x(begin):.1f}" '
                f'height="{HEIGHT}"/><path class="open" d="M{_x(begin)} {top}v{HEIGHT}"/>'
            )
    shares = [(0.0, "0"), (0.25, "0.25"), (1.0, "1 or more")]
    rates = [(0.7, "70 %"), (0.8, "80 %"), (0.9, "90 %")]
    parts += _chart(TOPS[0], PSI, _curve(told.psi, 0, 1, TOPS[0]), shares, red=0.25)
    parts += _chart(TOPS[1], ACCURACY, _curve(told.accuracy, 0.7, 0.9, TOPS[1]), rates)
    for number, (begin, _) in enumerate(told.incidents, 1):
        parts.append(
            _text(_x(begin) + 4, TOPS[0] + 14, f"incident {number}: row {begin:,}", "head")
        )
    for row in (0, 50_000, 100_000, 150_000, 200_000):
        parts.append(_text(_x(row), bottom - 10, f"row {row:,}", "row"))
    return "".join([*parts, "</svg>\n"])


def _chart(
    top: int,
    title: str,
    curve: str,
    ticks: list[tuple[float, str]],
    red: float | None = None,
) -> Iterator[str]:
    """Title, ticks (the lowest and the highest are the frame), the limit, the line."""
    low, high = ticks[0][0], ticks[-1][0]
    yield _text(LEFT, top - 10, title)
    for value, label in ticks:
        y = _y(value, low, high, top)
        yield f'<path class="axis" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{label}</text>'
    if red is not None:
        yield f'<path class="red" d="M{LEFT} {_y(red, low, high, top)}H{WIDTH - RIGHT}"/>'
    yield f'<path class="line" d="{curve}"/>'


def _curve(points: list[tuple[int, float]], low: float, high: float, top: int) -> str:
    """A path, broken where nothing was judged; values beyond the frame lie on it."""
    steps = []
    before = -ROWS
    for row, value in points:
        if row <= ROWS:
            y = _y(min(max(value, low), high), low, high, top)
            steps.append(f"{'L' if row - before <= GAP else 'M'}{_x(row)} {y}")
            before = row
    return "".join(steps)


def _x(row: int) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * row / ROWS, 1)


def _y(value: float, low: float, high: float, top: int) -> float:
    return round(top + HEIGHT * (high - value) / (high - low), 1)


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{attribute}>{escape(words)}</text>'


if __name__ == "__main__":
    drawn = picture(told())
    TO.write_text(drawn, "utf-8")
    print(f"{TO}: {len(drawn) // 1000 + 1} kB", file=sys.stderr)
