"""Two histograms side by side as text.

Promises: at most `ROWS` rows: numeric cells are merged with their neighbours, of categories those
are shown that moved most; widths are the same on both sides, so that lengths compare.
Leaves to others: where the shares come from (drift events).
"""

from collections.abc import Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from schemas.output_parts import Histograms

ROWS: Final = 16
WIDTH: Final = 24
_BLOCKS: Final = " ▏▎▍▌▋▊▉█"

Row = tuple[str, float, float]
"""Cell, share then, share now."""


def rows_of(bars: Histograms, most: int = ROWS) -> list[Row]:
    """Cells with their shares in the reference and now, merged or chosen to at most `most`."""
    cells = list(zip(bars.labels, bars.reference, bars.current, strict=True))
    if len(cells) <= most:
        return cells
    if any(" to " in label for label in bars.labels):
        return _merged(cells, most)
    moved = sorted(cells, key=lambda cell: -abs(cell[2] - cell[1]))
    rest = moved[most - 1 :]
    others = (f"{len(rest)} others", sum(r[1] for r in rest), sum(r[2] for r in rest))
    return [*moved[: most - 1], others]


def _merged(cells: Sequence[Row], most: int) -> list[Row]:
    """Neighbours added up; a cell that is no stretch of numbers (missing) stays by itself."""
    alone = [cell for cell in cells if " to " not in cell[0] and not _is_end(cell[0])]
    stretch = [cell for cell in cells if cell not in alone]
    room = max(1, most - len(alone))
    each = -(-len(stretch) // room)
    out = []
    for at in range(0, len(stretch), each):
        part = stretch[at : at + each]
        out.append((_label(part), sum(p[1] for p in part), sum(p[2] for p in part)))
    return [*out, *(cell for cell in alone if cell[1] or cell[2])]


def _label(part: Sequence[Row]) -> str:
    first, last = part[0][0], part[-1][0]
    if len(part) == 1:
        return first
    begin = first.partition(" to ")[0]
    end = last.partition(" to ")[2] or last
    if _is_end(first):
        return f"below {end}"
    return f"from {begin}" if _is_end(last) else f"{begin} to {end}"


def _is_end(label: str) -> bool:
    return label.startswith(("below ", "above ", "from "))


def table_of(bars: Histograms, title: str) -> Table:
    """Both histograms as a table: cell, reference, current, change in points."""
    rows = rows_of(bars)
    top = max((max(then, now) for _, then, now in rows), default=0.0) or 1.0
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1))
    table.add_column("cell", overflow="fold", max_width=32)
    table.add_column("reference", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("current", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("points", justify="right", no_wrap=True)
    for label, then, now in rows:
        moved = 100 * (now - then)
        table.add_row(
            Text(label),
            Text(_bar(then / top), style="cyan"),
            f"{then:.1%}",
            Text(_bar(now / top), style="magenta"),
            f"{now:.1%}",
            f"{moved:+.1f}",
        )
    return table


def _bar(share: float) -> str:
    """A bar of `WIDTH` characters at share 1, in eighths of a character."""
    eighths = round(share * WIDTH * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_BLOCKS[rest] if rest else "")).ljust(WIDTH)
