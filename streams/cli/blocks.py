"""A document as blocks, written as Markdown or as one HTML file.

Promises: both say the same; every text is escaped; a table has at most `ROWS` rows and says how
many it left out, so that no document grows without end.
Leaves to others: what is said (`card`).
"""

from collections.abc import Sequence
from html import escape
from typing import Final

import msgspec

ROWS: Final = 200

_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:900px;"
    "margin:0 auto;padding:24px}table{border-collapse:collapse;width:100%}th,td{text-align:left;"
    "padding:4px 8px;border-bottom:1px solid #8886;vertical-align:top}"
)
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


class Heading(msgspec.Struct, frozen=True, tag=True):
    """A heading of the second rank."""

    text: str


class Words(msgspec.Struct, frozen=True, tag=True):
    """A paragraph."""

    text: str


class Points(msgspec.Struct, frozen=True, tag=True):
    """A list."""

    items: Sequence[str]


class Grid(msgspec.Struct, frozen=True, tag=True):
    """A table."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


Block = Heading | Words | Points | Grid


def markdown(title: str, blocks: Sequence[Block]) -> str:
    """The document as Markdown."""
    parts = [f"# {title}"]
    for block in blocks:
        match block:
            case Heading(text):
                parts.append(f"## {text}")
            case Words(text):
                parts.append(_plain(text))
            case Points(items):
                parts.append("\n".join(f"- {_plain(item)}" for item in items))
            case Grid(headings, rows):
                lines = [_row(headings), _row(["---"] * len(headings))]
                lines += [_row(row) for row in rows[:ROWS]]
                parts.append("\n".join(lines))
                parts += [f"And {len(rows) - ROWS} more."] * (len(rows) > ROWS)
    return "\n\n".join(parts) + "\n"


def html(title: str, blocks: Sequence[Block]) -> str:
    """The document as one HTML file that asks for nothing."""
    parts = [f"<h1>{escape(title)}</h1>"]
    for block in blocks:
        match block:
            case Heading(text):
                parts.append(f"<h2>{escape(text)}</h2>")
            case Words(text):
                parts.append(f"<p>{escape(text)}</p>")
            case Points(items):
                parts.append("<ul>" + "".join(f"<li>{escape(one)}</li>" for one in items) + "</ul>")
            case Grid(headings, rows):
                head = "".join(f"<th>{escape(one)}</th>" for one in headings)
                body = "".join(
                    "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
                    for row in rows[:ROWS]
                )
                parts.append(f"<table><tr>{head}</tr>{body}</table>")
                parts += [f"<p>And {len(rows) - ROWS} more.</p>"] * (len(rows) > ROWS)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_plain(cell).replace("|", "\\|") for cell in cells) + " |"


def _plain(text: str) -> str:
    """A text in one line; what HTML would read as a tag is shown as it is."""
    return " ".join(text.split()).replace("<", "&lt;")
