"""What the config's JSON Schema allows at a place: its keys, or its words.

Leaves to others: making the schema (pydantic), using the answer in messages (`load`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemas.config_error import Path, Step

Schema = Mapping[str, Any]


def allowed_keys(schema: Schema, path: Path) -> tuple[str, ...]:
    """The keys a mapping at `path` may have, in the order of declaration."""
    keys: dict[str, None] = {}
    for candidate in _at(schema, path):
        keys |= dict.fromkeys(candidate.get("properties", ()))
        names = candidate.get("propertyNames")
        if names is not None:
            for name in _branches(schema, names):
                keys |= dict.fromkeys(map(str, name.get("enum", ())))
    return tuple(keys)


def allowed_words(schema: Schema, path: Path) -> tuple[str, ...]:
    """The words a text at `path` may be, where they are counted up."""
    words: dict[str, None] = {}
    for candidate in _at(schema, path):
        known = candidate.get("enum", [candidate["const"]] if "const" in candidate else [])
        words |= dict.fromkeys(str(word) for word in known if word is not None)
    return tuple(words)


def is_secret(schema: Schema, path: Path) -> bool:
    """Whether the value at `path` must not be shown."""
    return any(candidate.get("format") == "password" for candidate in _at(schema, path))


def _at(schema: Schema, path: Path) -> list[Schema]:
    """Every subschema that may apply at `path`."""
    candidates = list(_branches(schema, schema))
    for step in path:
        below = [child for candidate in candidates for child in _children(candidate, step)]
        candidates = [branch for child in below for branch in _branches(schema, child)]
    return candidates


def _children(schema: Schema, step: Step) -> Iterator[Schema]:
    """The subschemas for one step down."""
    if isinstance(step, int):
        if "items" in schema:
            yield schema["items"]
    elif step in schema.get("properties", {}):
        yield schema["properties"][step]
    else:
        patterns: Sequence[Schema] = list(schema.get("patternProperties", {}).values())
        yield from patterns
        if isinstance(schema.get("additionalProperties"), Mapping):
            yield schema["additionalProperties"]


def _branches(root: Schema, schema: Schema) -> Iterator[Schema]:
    """A schema with its references and alternatives opened up."""
    if "$ref" in schema:
        target: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        yield from _branches(root, target)
    yield schema
    for key in ("anyOf", "oneOf", "allOf"):
        for branch in schema.get(key, ()):
            yield from _branches(root, branch)
