"""What is wrong with a config: where, why, what is allowed, what was probably meant.

Promises: no problem quotes a value, which may be a secret; keys are quoted, they are not.
"""

import difflib
import re
from typing import Final

import msgspec

Step = str | int
Path = tuple[Step, ...]

_PLAIN: Final = re.compile(r"[A-Za-z0-9_*-]+", re.ASCII)
_LISTED: Final = 50
"""Allowed words that a problem names; columns of a table are many."""

_SHOWN: Final = 128
"""Characters of one key; a longer one is cut."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One problem; `line` and `column` count from 1 and are 0 where there is no place."""

    file: str
    path: str
    line: int
    column: int
    reason: str
    allowed: tuple[str, ...] = ()
    nearest: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        text = f"{place}: {self.path}: {self.reason}" if self.path else f"{place}: {self.reason}"
        if self.nearest:
            text += f'; did you mean "{self.nearest}"?'
        if self.allowed:
            text += f"{'' if self.nearest else ';'} allowed: {', '.join(self.allowed[:_LISTED])}"
            if len(self.allowed) > _LISTED:
                text += f" and {len(self.allowed) - _LISTED} more"
        return text


class ConfigError(Exception):
    """The operator's config cannot be used; `problems` says why, a line each in `str`."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def show_path(path: Path) -> str:
    """`models.fraud.segments[1].edges`; a key that is no plain word stands in brackets."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            text += f".{step}" if text else step
        else:
            shown = step if len(step) <= _SHOWN else step[: _SHOWN - 3] + "..."
            text += f"[{shown!a}]"
    return text


def nearest(word: str, allowed: tuple[str, ...]) -> str | None:
    """The allowed word most like `word`, if any is like it at all."""
    if len(word) > _SHOWN:
        return None
    found = difflib.get_close_matches(word.lower(), allowed, n=1, cutoff=0.6)
    return found[0] if found else None
