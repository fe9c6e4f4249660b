"""From the text of `windage.yaml` to a Config, or to every problem in it at once.

Promises: files and environment come in as arguments; each problem names file, line, path,
reason, what is allowed and the nearest known word; secrets written out in the file are refused,
and no value is ever quoted.
Leaves to others: YAML and interpolation (`config_document`), what is allowed (`config`).
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.config import Config
from schemas.config_document import Document, compose
from schemas.config_error import ConfigError, Path, Step, nearest
from schemas.config_schema import Schema, allowed_keys, allowed_words, is_secret

ReadFile = Callable[[str], str]
"""From a path to the text of its file; raises OSError."""

_REASONS: Final = {
    "missing": "is required",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_too_short": "must not be empty",
    "too_short": "must have at least one entry",
}
_BOUNDS: Final = {
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
    "greater_than": ("more than", "gt"),
    "less_than": ("less than", "lt"),
}


def load(path: str, environment: Mapping[str, str], read_file: ReadFile) -> Config:
    """The config in a file; ConfigError, or OSError where the file cannot be read."""
    try:
        text = read_file(path)
    except UnicodeDecodeError:
        text = "\0"  # refused as characters that YAML does not allow
    return load_text(text, environment, read_file, name=path)


def load_text(
    text: str,
    environment: Mapping[str, str],
    read_file: ReadFile,
    *,
    name: str = "windage.yaml",
) -> Config:
    """The config in a text; `name` is what problems call its file."""
    document = compose(text, name, environment, read_file)
    config: Config | None = None
    try:
        config = Config.model_validate(document.value)
    except ValidationError as errors:
        for error in errors.errors(include_url=False):
            _explain(document, error)
    for path in document.places:
        value = _value_at(document, path)
        # Of a list of secrets each item is looked at by itself.
        written = path not in document.interpolated and value is not None
        if written and not isinstance(value, list) and is_secret(config_schema(), path):
            document.problem(
                path, "is a secret; write ${NAME} or ${file:PATH} instead of the secret itself"
            )
    if document.problems or config is None:
        raise ConfigError(tuple(sorted(document.problems, key=lambda p: (p.line, p.column))))
    return config


def _explain(document: Document, error: ErrorDetails) -> None:
    """Turn an error of pydantic into a problem of ours."""
    kind, context = error["type"], error.get("ctx", {})
    path = _path(document, error["loc"], kind)
    if kind == "contradiction":
        field = tuple(int(s) if s.isdigit() else s for s in _split(context["field"], document))
        _unknown(document, (*path, *field), str(context["reason"]), context["allowed"])
    elif kind == "extra_forbidden" or (error["loc"] and error["loc"][-1] == "[key]"):
        allowed = allowed_keys(config_schema(), path[:-1])
        if allowed or kind == "extra_forbidden":
            _unknown(document, path, "unknown key", allowed)
        else:
            document.problem(path, _reason(kind, context, error["msg"]))
    elif kind in ("literal_error", "union_tag_invalid", "union_tag_not_found"):
        if kind != "literal_error":
            path = (*path, "from")
        reason = "is required" if kind == "union_tag_not_found" else "unknown word"
        _unknown(document, path, reason, allowed_words(config_schema(), path))
    else:
        document.problem(path, _reason(kind, context, error["msg"]))


def _unknown(document: Document, path: Path, reason: str, allowed: tuple[str, ...]) -> None:
    """A key or word that is not among those allowed."""
    value = _value_at(document, path)
    word = str(path[-1]) if reason == "unknown key" else value
    close = nearest(word, allowed) if isinstance(word, str) else None
    document.problem(path, reason, allowed=allowed, nearest=close)


def _reason(kind: str, context: Mapping[str, Any], message: str) -> str:
    """Why a value is not allowed, in our words where we have them."""
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"must be {words} {context[key]}"
    if kind == "string_pattern_mismatch":
        return f"must match {context['pattern']}"
    if kind == "string_too_long":
        return f"must have at most {context['max_length']} characters"
    known = _REASONS.get(kind)
    return known or message.removeprefix("Value error, ").replace("Input should", "must")


def _path(document: Document, location: tuple[Step, ...], kind: str) -> Path:
    """The path in the document, without the names of alternatives that pydantic puts in."""
    path: Path = ()
    for i, step in enumerate(location):
        last = i == len(location) - 1
        if document.holds((*path, step)) or (last and kind == "missing"):
            path = (*path, step)
    return path


def _split(field: str, document: Document) -> list[str]:
    """The steps of a dotted field, where a model's name may have dots itself."""
    models = _value_at(document, ("models",))
    for name in models if isinstance(models, dict) else ():
        if field.startswith(f"models.{name}."):
            return ["models", name, *field.removeprefix(f"models.{name}.").split(".")]
    return field.split(".")


def _value_at(document: Document, path: Path) -> object:
    """The value at a path, or None."""
    value: Any = document.value
    for step in path:
        if isinstance(value, dict | list) and document.holds(path):
            value = value[step]  # type: ignore[index] # the document holds the path
        else:
            return None
    return value


@cache
def config_schema() -> Schema:
    """The JSON Schema of the config."""
    return Config.model_json_schema(by_alias=True)
