"""Cells of a file as JSON literals: numbers as they are written, empty as null, the rest text.

Promises: the type is decided per column, once, by the first cells that are not empty, and so is
how its numbers are written (1234.5, 1,234.50, 1.234,50, each with a currency or % at its end); a
number keeps every digit its file has; no cell raises.
Leaves to others: reading files (`files`), what a column means (`mapping`), and what becomes of a
text in a column of numbers (the profiler counts it as a mistyped feature).
"""

import re
from collections.abc import Collection, Sequence
from json.encoder import encode_basestring
from typing import Final, Literal

import orjson

NULL: Final = "null"

_ABSENT: Final = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
"""What stands for "no value" in a column of numbers. In texts only the empty cell does: NA is
also a country."""

_INFINITE: Final = {"inf": "1e999", "+inf": "1e999", "-inf": "-1e999"}
"""Infinity as a JSON number that no float holds: the machine says what is wrong with it."""

_NUMERIC_SHARE: Final = 0.99
"""A column is of numbers when this share of its first cells is: one typo does not make categories
out of amounts."""

_JSON_NUMBERS: Final = re.compile(r"(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?,)*", re.ASCII)
_LOOSE_NUMBER: Final = re.compile(
    r"\s*([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))([eE][+-]?\d+)?\s*", re.ASCII
)


def number(text: str) -> str | None:
    """The JSON number that `text` means ("007", "+3", ".5", "1." too), or None if it is none."""
    match = _LOOSE_NUMBER.fullmatch(text)
    if match is None:
        return _INFINITE.get(text.strip().lower().replace("infinity", "inf"))
    sign, whole, after, bare, power = match.groups()
    digits = (whole or "0").lstrip("0") or "0"
    fraction = after or bare
    return f"{'-' if sign == '-' else ''}{digits}{f'.{fraction}' if fraction else ''}{power or ''}"


def is_absent(text: str) -> bool:
    """Whether a cell of a column of numbers says that there is no value."""
    return text.strip().lower() in _ABSENT


_SIGNED: Final = r"\s*([+-]?)(?:[€$£¥]\s*([+-]?))?"
_UNIT: Final = r"\s*[€$£¥%]?\s*"
_POINT: Final = re.compile(rf"{_SIGNED}(\d+|\d{{1,3}}(?:,\d{{3}})+)(?:\.(\d+))?{_UNIT}", re.ASCII)
_COMMA: Final = re.compile(
    rf"{_SIGNED}(\d+|\d{{1,3}}(?:[.\u00a0\u202f]\d{{3}})+)(?:,(\d+))?{_UNIT}", re.ASCII
)


def spelled_number(text: str, decimal: str) -> str | None:
    """The JSON number of a spreadsheet's text, whose decimal sign is `decimal`, or None."""
    match = (_POINT if decimal == "." else _COMMA).fullmatch(text)
    if match is None:
        return number(text)
    before, after, whole, fraction = match.groups()
    digits = re.sub(r"\D", "", whole)
    return number(f"{before}{after or ''}{digits}{f'.{fraction}' if fraction else ''}")


class TextColumn:
    """One column of a file of texts (CSV): decides its type once, then encodes block by block."""

    def __init__(self, decimals: str = ".,") -> None:
        """`decimals`: decimal signs to try, the likelier first, where numbers are not plain."""
        self.kind: Literal["undecided", "number", "text"] = "undecided"
        self._decimals = decimals
        self._decimal: str | None = None

    def literals(self, cells: Sequence[str]) -> Sequence[str]:
        """JSON literals of `cells` (n,), in order."""
        if self.kind == "undecided":
            self._decide(cells)
        if self.kind == "text":
            return [encode_basestring(cell) if cell else NULL for cell in cells]
        distinct = set(cells)
        if _are_json_numbers(distinct):
            return cells  # JSON already, every digit of it
        meaning = {cell: self._number(cell) for cell in distinct}
        return [meaning[cell] for cell in cells]

    def _decide(self, cells: Sequence[str]) -> None:
        if cells and _are_json_numbers(set(cells)):
            self.kind = "number"  # as the slow way would find too
            return
        told = [cell for cell in cells if not is_absent(cell)]
        if not told:
            return
        self.kind = "text"
        for decimal in (None, *self._decimals):
            self._decimal = decimal
            numeric = sum(self._read(cell) is not None for cell in told)
            if numeric >= _NUMERIC_SHARE * len(told):
                self.kind = "number"
                return

    def _number(self, cell: str) -> str:
        if is_absent(cell):
            return NULL
        return self._read(cell) or encode_basestring(cell)

    def _read(self, cell: str) -> str | None:
        return number(cell) if self._decimal is None else spelled_number(cell, self._decimal)


def _are_json_numbers(distinct: Collection[str]) -> bool:
    """Whether each of the cells is a number as JSON writes it."""
    joined = ",".join(distinct) + ","
    # A quoted cell may hold commas of its own: "1,234" is none.
    return joined.count(",") == len(distinct) and _JSON_NUMBERS.fullmatch(joined) is not None


def literal(value: object) -> str:
    """The JSON literal of a typed value (JSON Lines, Parquet); NaN is null, as there is no NaN."""
    if value is None:
        return NULL
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "1e999" if value > 0 else "-1e999"
    return orjson.dumps(value, default=str, option=orjson.OPT_PASSTHROUGH_SUBCLASS).decode()
