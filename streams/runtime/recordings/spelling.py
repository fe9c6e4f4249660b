"""How a file of texts is written: encoding, delimiter, and where its header stands.

Promises: told by the first bytes of the file, the same for the same bytes; what is no text is
refused before a row of it is read.
Leaves to others: cutting lines into cells (`files`), numbers and dates (`cells`, `instants`).
"""

import csv
import re
from typing import IO, Final

import msgspec

_LOOKED_AT: Final = 1 << 18
"""Bytes by which it is told."""

_DELIMITERS: Final = ",;\t|"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_FEW: Final = 0.01
"""Share of control characters that a damaged text may have."""

_SEP: Final = re.compile(r"sep=(.)\s*", re.IGNORECASE)
_FRACTION: Final = re.compile(r"\s*[+-]?\d*\.\d+\s*", re.ASCII)
_NUMBER: Final = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


class NotTextError(ValueError):
    """Bytes that are no table of texts: says why."""


class Spelling(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader must know before the first row."""

    encoding: str
    delimiter: str
    lines_before: int
    """Lines above the header (`sep=;`, which spreadsheets write)."""
    spaced: bool
    """Whether blanks follow the delimiters of the header; they are none of the cells' then."""
    columns: tuple[str, ...]

    @property
    def decimals(self) -> str:
        """Decimal signs, the likelier first: where cells end at commas, numbers have none."""
        return ".," if self.delimiter == "," else ",."


def spelling_of(file: IO[bytes]) -> Spelling:
    """How the file is written; NotTextError if it is no text or has no header. `file` is read."""
    raw = file.read(_LOOKED_AT)
    encoding = _encoding(raw)
    text = raw.decode(encoding, errors="replace").removeprefix("\ufeff")
    if len(_CONTROLS.findall(text)) > _FEW * len(text):
        raise NotTextError("is no text; a table of another kind needs its own suffix (.parquet)")
    lines = text.splitlines()
    before = 1 if lines and _SEP.fullmatch(lines[0]) else 0
    first = lines[before] if len(lines) > before else ""
    named = _SEP.fullmatch(lines[0]) if before else None
    delimiter = named[1] if named else max(_DELIMITERS, key=first.count)
    spaced = f"{delimiter} " in first
    cells = next(csv.reader([first], delimiter=delimiter, skipinitialspace=spaced), [])
    columns = tuple(cell.strip() or f"column_{n}" for n, cell in enumerate(cells, 1))
    if columns and all(map(_NUMBER.fullmatch, columns)) and any(map(_FRACTION.fullmatch, columns)):
        raise NotTextError("the first line must name the columns, and it holds numbers")
    return Spelling(
        encoding=encoding,
        delimiter=delimiter,
        lines_before=before,
        spaced=spaced,
        columns=columns,
    )


def _encoding(raw: bytes) -> str:
    """UTF-16 by its mark; UTF-8, unless more bytes contradict it than agree (Windows exports)."""
    if raw.startswith(_UTF16):
        return "utf-16"
    text = raw.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    sound = sum(not char.isascii() for char in text) - broken
    return "cp1252" if broken > sound and broken > 1 else "utf-8-sig"
