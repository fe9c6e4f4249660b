"""A YAML text as plain values, with the line of each and with ${...} filled in.

Promises: only what JSON could say comes out (YAML 1.2's plain words: `no` and `off` are words,
dates are texts); a key twice, a foreign tag and a bomb of aliases are problems, not surprises;
interpolated text is never parsed as YAML again.
Leaves to others: what the values must be (`config`), reading files and environment (`load`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import yaml

from schemas.config_error import ConfigError, Path, Problem, show_path

Value = str | int | float | bool | list["Value"] | dict[str, "Value"] | None

_MAX_TEXT: Final = 2**20
_MAX_NODES: Final = 100_000
_MAX_DEPTH: Final = 32

_QUOTED: Final = re.compile(r"(['\"])(.*?)\1")
_SIGN: Final = 2
"""Letters of one character as Python shows it, `\\t`."""

_TAG: Final = "tag:yaml.org,2002:"
_KINDS: Final = (
    *("null", "bool", "int", "float", "str", "timestamp"),
    *("value", "merge", "seq", "map"),
)
_PLAIN: Final = frozenset(_TAG + kind for kind in _KINDS)
"""The tags YAML finds by itself; any other was written out."""
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_INT: Final = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_FLOAT: Final = re.compile(
    r"[-+]?(\.[0-9]{1,64}|[0-9]{1,64}(\.[0-9]{0,64})?)([eE][-+]?[0-9]{1,3})?", re.ASCII
)
_REFERENCE: Final = re.compile(r"\$\$\{|\$\{(file:)?([^{}]*)\}|\$\{")
_VARIABLE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.ASCII | re.DOTALL)


@dataclass
class Document:
    """The values, where each key or item stands (line, column from 1), what was interpolated."""

    file: str
    value: Value = None
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    interpolated: set[Path] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def problem(
        self,
        path: Path,
        reason: str,
        *,
        allowed: tuple[str, ...] = (),
        nearest: str | None = None,
    ) -> None:
        """Note a problem at a path, or at the nearest place above it that exists."""
        place = path
        while place not in self.places and place:
            place = place[:-1]
        line, column = self.places.get(place, (0, 0))
        self.problems.append(
            Problem(
                file=self.file,
                path=show_path(path),
                line=line,
                column=column,
                reason=reason,
                allowed=allowed,
                nearest=nearest,
            )
        )

    def holds(self, path: Path) -> bool:
        """Whether something stands at this path."""
        return path in self.places


def compose(
    text: str, file: str, environment: Mapping[str, str], read_file: Callable[[str], str]
) -> Document:
    """Read a YAML text; ConfigError at once where it is no YAML."""
    document = Document(file=file)
    _Composer(document, environment, read_file).compose(text)
    return document


class _Composer:
    """One reading of one text."""

    def __init__(
        self,
        document: Document,
        environment: Mapping[str, str],
        read_file: Callable[[str], str],
    ) -> None:
        self._document = document
        self._environment = environment
        self._read_file = read_file
        self._nodes = 0

    def compose(self, text: str) -> None:
        """Fill the document."""
        if len(text) > _MAX_TEXT:
            raise self._broken("is larger than 1 MiB")
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
            # The words of the parser, without the excerpt: it may hold a secret.
            reason = f"is no YAML: {_words_only(error.problem)}"
            if mark and "${" in "".join(text.splitlines()[mark.line : mark.line + 1]):
                reason += '; quote what begins with ${: "${NAME}"'
            raise self._broken(reason, place) from None
        except yaml.YAMLError:
            raise self._broken("is no YAML: it has characters that YAML does not allow") from None
        except RecursionError:
            raise self._broken("is nested too deeply") from None
        if root is None:
            raise self._broken("is empty")
        self._document.places[()] = (1, 1)
        self._document.value = self._value(root, ())

    def _broken(self, reason: str, place: tuple[int, int] = (0, 0)) -> ConfigError:
        line, column = place
        file = self._document.file
        return ConfigError((Problem(file=file, path="", line=line, column=column, reason=reason),))

    def _value(self, node: yaml.Node, path: Path) -> Value:
        """The value of a node."""
        self._nodes += 1
        if self._nodes > _MAX_NODES or len(path) > _MAX_DEPTH:
            raise self._broken("has too many values or nests them too deeply")
        if node.tag not in _PLAIN:
            self._document.problem(path, "has a tag; only plain values are allowed")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            items: list[Value] = []
            for i, item in enumerate(node.value):
                self._document.places[*path, i] = _place(item)
                items.append(self._value(item, (*path, i)))
            return items
        assert isinstance(node, yaml.ScalarNode)
        plain = node.style is None or node.style == ""
        return self._scalar(node.value, path, plain=plain)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Value]:
        """A mapping; `<<` brings in the keys of others that are not given here."""
        out: dict[str, Value] = {}
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if key.tag == _TAG + "merge":
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
                continue
            if not isinstance(key, yaml.ScalarNode):
                self._document.problem(path, "has a key that is no word")
                continue
            # The text as written: `null: joint` and `1: ..` are keys like any other.
            step = (*path, key.value)
            if key.value in out:
                self._document.problem(step, "is there twice")
                continue
            self._document.places[step] = _place(key)
            out[key.value] = self._value(value, step)
        for other in merged:
            if not isinstance(other, yaml.MappingNode):
                self._document.problem(path, "<< must be followed by a mapping")
                continue
            given = [pair for pair in other.value if pair[0].value not in out]
            rest = yaml.MappingNode(other.tag, given, other.start_mark, other.end_mark)
            self._nodes += 1
            out |= self._mapping(rest, path)
        return out

    def _scalar(self, text: str, path: Path, *, plain: bool) -> Value:
        """A scalar; what is interpolated or quoted stays text."""
        if "${" in text:
            return self._interpolate(text, path)
        if not plain:
            return text
        if text in _NULL:
            return None
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        if _INT.fullmatch(text):
            return int(text)
        return float(text) if _FLOAT.fullmatch(text) else text

    def _interpolate(self, text: str, path: Path) -> str:
        """Fill ${NAME}, ${NAME:-default} and ${file:PATH} in; $${ stands for ${ itself."""

        def fill(found: re.Match[str]) -> str:
            if found[0] == "$${":
                return "${"
            self._document.interpolated.add(path)
            return self._file(found[2], path) if found[1] else self._variable(found[2], path)

        return _REFERENCE.sub(fill, text)

    def _variable(self, text: str | None, path: Path) -> str:
        """The value of an environment variable."""
        found = _VARIABLE.fullmatch(text or "")
        if found is None:
            reason = "has a ${ that is neither ${NAME}, ${NAME:-default} nor ${file:PATH}"
            self._document.problem(path, f"{reason}; write $${{ for the characters themselves")
            return ""
        fallback: str | None = found[2]
        value = self._environment.get(found[1], fallback)
        if value is None:
            self._document.problem(path, f"the environment variable {found[1]} is not set")
            return ""
        return value

    def _file(self, name: str, path: Path) -> str:
        """The text of a file, without the line end that editors leave."""
        try:
            return self._read_file(name).rstrip("\r\n")
        except (OSError, UnicodeError, ValueError):
            self._document.problem(path, "the file it is to be read from cannot be read")
            return ""


def _place(node: yaml.Node) -> tuple[int, int]:
    """Line and column of a node, from 1."""
    return node.start_mark.line + 1, node.start_mark.column + 1


def _words_only(text: str | None) -> str:
    """A message of the YAML parser; of what it quotes, no more than a character."""
    said = re.split(", but (?:found|got)", text or "malformed")[0]
    shown = _QUOTED.sub(lambda found: found[0] if len(found[2]) <= _SIGN else "", said)
    return " ".join(shown.split())
