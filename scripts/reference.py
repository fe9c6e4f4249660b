"""The pages of docs/reference, made of the types: what is documented is what is accepted.

Promises: the same types give the same text; every key of the config, every field of an event and
every option of a command stands in them.
Leaves to others: the words themselves (docstrings, `schemas.config_words`, help of options).
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

from schemas.generate import EVENTS, config_schema, event_schema
from schemas.topics import TOPICS
from streams.cli.app import app

FOLDER: Final = Path("docs/reference")
Schema = dict[str, Any]

_MADE: Final = "<!-- Written by scripts/reference; change the types, not this page. -->"
_LONGEST: Final = 60
"""Characters of a default or of a list of words that still fit into a table."""


def pages() -> dict[Path, str]:
    """Every page: its path and its text."""
    return {
        FOLDER / "config.md": config_page(config_schema()),
        FOLDER / "events.md": events_page(),
        FOLDER / "commands.md": commands_page(),
    }


def config_page(schema: Schema) -> str:
    """The keys of `windage.yaml`, part by part, in the order in which they are met."""
    parts: list[str] = []
    found = {"Config": schema, **schema["$defs"]}
    for name in _met(found):
        part = found[name]
        rows = [
            (f"`{key}`", _kind(entry), _default(key, entry, part), entry.get("description", ""))
            for key, entry in part["properties"].items()
        ]
        about = "" if name == "Config" else _flat(part.get("description", ""))
        head = f"## {name}\n\n{about}".rstrip()
        parts.append(f"{head}\n\n{_table(('key', 'is', 'default', 'means'), rows)}")
    return _page(
        "The configuration",
        "Keys of `windage.yaml`. Unknown keys are refused, with the nearest known one. Durations "
        "are `30s`, `5m`, `2h`, `14d`; sizes `256KiB`; shares `0.3` or `30%`; values may be "
        "`${ENV}` or `${file:path}`. `windage schema config` prints the JSON Schema, and "
        "`windage init` writes it beside the file for editors.",
        parts,
    )


def _met(found: dict[str, Schema]) -> list[str]:
    """Names of the parts, outermost first, each once."""
    order = ["Config"]
    for name in order:
        for entry in found[name].get("properties", {}).values():
            order += [one for one in _references(entry) if one not in order]
    return order


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].rpartition("/")[2]
        for inner in schema.values():
            yield from _references(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _references(inner)


def events_page() -> str:
    """The fields of every event, the topics, and where the schemas are."""
    rows = [(f"`{one.topic}`", one.flow, one.key, one.cleanup, one.content) for one in TOPICS]
    heads = ("topic", "flow", "key", "cleanup", "content")
    parts = [f"## Topics\n\n{_table(heads, rows)}"]
    for name in EVENTS:
        schema = event_schema(name)
        text = f"## {name}\n\n{_flat(schema['description'])}\n\n{_fields(schema)}"
        for inner, part in sorted(schema.get("$defs", {}).items()):
            text += f"\n\n**{inner}**: {_flat(part.get('description', ''))}\n\n{_fields(part)}"
        parts.append(text)
    return _page(
        "Events and topics",
        "What stands in the topics. The JSON Schemas are in [schemas/json](../../schemas/json), "
        "the AsyncAPI document is [schemas/asyncapi.json](../../schemas/asyncapi.json); "
        "`windage schema NAME` prints one. Fields are only ever added, with defaults.",
        parts,
    )


def _fields(schema: Schema) -> str:
    rows = [
        (f"`{key}`", _kind(entry), _default(key, entry, schema))
        for key, entry in schema.get("properties", {}).items()
    ]
    return _table(("field", "is", "default"), rows)


def _default(key: str, entry: Schema, part: Schema) -> str:
    """The default as one would write it."""
    if key in part.get("required", ()):
        return "must be given"
    value = entry.get("default")
    if value in (None, "", [], {}):
        return "none"
    if isinstance(value, dict):
        return "see there" if "$ref" in str(entry) else f"`{value}`"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"`{text.lower() if isinstance(value, bool) else text}`"


def _kind(schema: Schema) -> str:
    """What a value is, in words."""
    for key in ("anyOf", "oneOf"):
        if key in schema:
            kinds = dict.fromkeys(_kind(one) for one in schema[key] if one.get("type") != "null")
            return " or ".join(kinds)
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})" if name[:1].isupper() else name
    if "enum" in schema:
        words = ", ".join(f"`{one}`" for one in schema["enum"] if one is not None)
        return words if len(words) <= 10 * _LONGEST else f"one of {len(schema['enum'])} words"
    if "const" in schema:
        return f"`{schema['const']}`"
    return _plain(schema)


def _plain(schema: Schema) -> str:
    """A list, a mapping or a plain value."""
    kind = schema.get("type", "anything")
    if kind == "array":
        inner = schema.get("items") or {}
        return f"list of {_kind(inner)}" if inner else "list"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"mapping to {_kind(inner)}" if isinstance(inner, dict) else "mapping"
    if schema.get("format") == "password":
        return "secret"
    if schema.get("format") == "date-time":
        return "instant"
    words = {"string": "text", "boolean": "true or false", "integer": "whole number"}
    return words.get(str(kind), str(kind))


def commands_page() -> str:
    """Every command with its arguments and options."""
    group: Any = typer.main.get_command(app)
    parts = [_command(f"windage {name}", one) for name, one in _commands(group)]
    return _page(
        "Commands",
        "With `--json` nothing but JSON is on stdout. Exit codes: 0 ok, 1 drift found (only with "
        "`--fail-on`), 2 usage or configuration, 3 a broker, Redis or file that cannot be reached, "
        "70 an error of ours. `windage --install-completion` completes names in your shell.",
        parts,
    )


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - typer
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from _commands(one, f"{before}{name} ")
        elif not one.hidden:
            yield f"{before}{name}", one


def _command(name: str, command: Any) -> str:  # noqa: ANN401 - typer's own
    context = command.make_context(name, [], resilient_parsing=True)
    records = [(one.param_type_name, one.get_help_record(context)) for one in command.params]
    told = [(kind, *record) for kind, record in records if record is not None]
    rows = [(f"`{names}`", meaning) for kind, names, meaning in told if kind == "option"]
    given = [(f"`{names}`", meaning) for kind, names, meaning in told if kind == "argument"]
    table = _table(("option", "means"), [*given, *rows]) if told else ""
    return f"## {name}\n\n{_flat(command.help or '')}\n\n{table}".rstrip()


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return _flat(text).replace("|", "\\|")


def _flat(text: str) -> str:
    return " ".join(text.split())


def _page(title: str, about: str, parts: list[str]) -> str:
    return f"{_MADE}\n\n# {title}\n\n{about}\n\n" + "\n\n".join(parts) + "\n"


def main(arguments: list[str]) -> int:
    """Write or check the pages; gives the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: scripts/reference [--check]", file=sys.stderr)
        return 2
    wanted = pages()
    stale = [p for p, text in wanted.items() if not p.exists() or p.read_text("utf-8") != text]
    if arguments:
        for path in stale:
            print(f"reference: {path} is stale; run scripts/reference", file=sys.stderr)
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in stale:
        path.write_text(wanted[path], "utf-8")
    print(f"reference: {len(stale)} written", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
