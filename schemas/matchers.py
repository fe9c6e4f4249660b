"""Whether the matchers of a silence say what they seem to say.

Promises: a field that does not exist is named with the nearest that does, because matchers
without it would match everything.
Leaves to others: matching (`streams.policy`), refusing (profiler, HTTP, commands).
"""

from difflib import get_close_matches
from typing import Final

import msgspec

from schemas.inputs import Matchers
from schemas.vocabulary import SIGNALS

FIELDS: Final = Matchers.__struct_fields__
_NAMED: Final = ("feature", "metric")
"""Signals that have a name of their own behind a colon."""


def complaint(matchers: object) -> str | None:
    """What is wrong with matchers as sent, for people; None where nothing is."""
    if matchers is None:
        return None
    if not isinstance(matchers, dict):
        return f"matchers: must be an object with {' and '.join(FIELDS)}"
    for field, text in matchers.items():
        if field not in FIELDS:
            near = get_close_matches(str(field), FIELDS, n=1, cutoff=0.4)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            return f"matchers.{str(field)[:40]}: unknown field{hint} allowed: {', '.join(FIELDS)}"
        if not isinstance(text, str):
            return f"matchers.{field}: must be a text"
    return None


def doubt(text: str) -> str | None:
    """Why a signal's name looks like none: it begins with no known kind and no wildcard.

    Only a doubt: such matchers match nothing, and signals may be named that are not known here.
    """
    kind = text.partition(":")[0]
    if not kind or "*" in kind or "?" in kind or "[" in kind or kind.partition("|")[0] in SIGNALS:
        return None
    near = get_close_matches(kind, SIGNALS, n=1, cutoff=0.6)
    meant = near[0] + text[len(kind) :] if near else f"{_NAMED[0]}:{text}"
    return f'no signal is named "{text[:80]}"; did you mean "{meant[:80]}"?'


def complaint_of(event: bytes) -> str | None:
    """What is wrong with the matchers of a model event as sent; None also where it is no JSON."""
    try:
        tree = msgspec.json.decode(event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(tree, dict) and "specversion" in tree:
        tree = tree.get("data")
    return complaint(tree.get("matchers")) if isinstance(tree, dict) else None
