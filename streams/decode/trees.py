"""Trees: a JSON text as Python holds it, for what the typed decoder does not take.

Promises: NaN and Infinity are let in, to be judged by their place; whatever else is no JSON text
in UTF-8, or stands too deep, is `malformed`.
Leaves to others: what the tree means (`second_look`).
"""

import json
from itertools import chain
from typing import Any, Final

import msgspec

from streams.decode.limits import RefusedError

UNREADABLE: Final = (
    msgspec.DecodeError,
    UnicodeDecodeError,
    RecursionError,
    TypeError,
    ValueError,
)
"""Whatever a decoder may raise at bytes that are not what it expects."""

NOT_JSON: Final = ("malformed", "not a JSON text in UTF-8")

_strict: Final = msgspec.json.Decoder().decode
"""Takes less than `json.loads` does, at a fifth of its cost; what it takes, it reads alike."""


def parsed(content: bytes, depth: int) -> dict[str, Any]:
    """The object in `content`; RefusedError if it is none, or more than `depth` deep."""
    try:
        tree = _strict(content)
    except UNREADABLE:
        tree = _lenient(content)
    if not isinstance(tree, dict):
        raise RefusedError("schema", "not a JSON object")
    if content.count(b"[") + content.count(b"{") > depth and _is_deeper(tree, depth):
        raise RefusedError("malformed", "nested too deeply")
    return tree


def _lenient(content: bytes) -> Any:  # noqa: ANN401 - whatever a producer sent
    try:
        tree = json.loads(content.decode("utf-8"))
        if b"\\u" in content:  # lone surrogates end here
            json.dumps(tree, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise RefusedError(*NOT_JSON) from error
    return tree


def _is_deeper(tree: dict[str, Any], depth: int) -> bool:
    """Whether objects and lists stand in one another more than `depth` deep."""
    level: list[Any] = [tree]
    for _ in range(depth):
        inside = chain.from_iterable(one.values() if type(one) is dict else one for one in level)
        level = [one for one in inside if isinstance(one, dict | list)]
    return bool(level)
