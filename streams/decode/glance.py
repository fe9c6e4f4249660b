"""A glance: what the typed decoder's error proves of a record, so that it need not be read twice.

A log may be half poison, and then the refused records are what takes the time. The usual ones are
no JSON, or lack a field, or have one of a wrong type; the decoder says so in fixed words.

Promises: the code and message that the second look would have found, or no answer.
Leaves to others: records about which there is any doubt (`second_look`). The words are those of
msgspec 0.22; where they change, nothing is proven and every record gets its second look.
"""

import re
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from streams.decode.second_look import SecondLook
from streams.decode.trees import NOT_JSON

NOT_TEXT: Final = "JSON is malformed: no UTF-8"
"""Said in place of the words of a UnicodeDecodeError."""

LONGEST: Final = 200
"""Characters; longer words quote the input and are not remembered."""

BROKEN: Final = ("JSON is malformed", "Input data was truncated")
_missing: Final = re.compile(r"Object missing required field `([a-z_]+)`").fullmatch
_mistyped: Final = re.compile(r"Expected `[^`]*`, got `[^`]*` - at `\$\.([a-z_]+)`").fullmatch
_plain: Final = msgspec.json.Decoder(dict[str, Any]).decode

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "model": (str,),
    "prediction_id": (str,),
    "version": (str,),
    "timestamp": (int, float, str),
}
"""Fields that are of the same types wherever they are required, and never repaired."""

Reason = tuple[str, str]
"""Code and message."""


class _Fault(NamedTuple):
    """What is wrong with a field: it is absent (`types` None), or of none of its types."""

    field: str
    types: tuple[type, ...] | None
    reason: Reason


@lru_cache(maxsize=256)
def _fault(words: str) -> _Fault | None:
    """What an error's words say, if they are about a field that cannot be repaired."""
    if absent := _missing(words):
        return _Fault(absent[1], None, ("schema", f"required field {absent[1]} is missing"))
    found = _mistyped(words)
    if found is None or found[1] not in _TYPES:
        return None
    return _Fault(found[1], _TYPES[found[1]], ("schema", f"wrong type at $.{found[1]}"))


def proven(value: bytes, words: str, look: SecondLook) -> Reason | None:
    """Why a record without headers is refused, given the typed decoder's words; None: unsure."""
    if not value or len(words) > LONGEST:
        return None
    if value[0] == 0 or b'"specversion"' in value:  # may be in an envelope, or behind a prefix
        return None
    if words.startswith(BROKEN):  # but Python's JSON knows NaN and Infinity, and so do we
        return None if b"NaN" in value or b"Infinity" in value else NOT_JSON
    fault = _fault(words)
    if fault is None or b"\\u" in value or b'"columns"' in value:
        return None
    if value.count(b"{") + value.count(b"[") > look.depth:
        return None
    # The fault is certain only if the rest is JSON, and nothing in it is refused before.
    try:
        tree = _plain(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if fault.types is None:
        certain = fault.field not in tree
    else:
        certain = fault.field in tree and type(tree[fault.field]) not in fault.types
        certain = certain and not _doubled(value, tree, fault.field)
    return fault.reason if certain and look.harmless(tree) else None


def _doubled(value: bytes, tree: dict[str, Any], field: str) -> bool:
    """Whether something before a field may stand twice: then its last value counts, and not it."""
    for name in tree:
        if name == field:
            return False
        if value.count(b'"%b"' % name.encode()) > 1:
            return True
    return True
