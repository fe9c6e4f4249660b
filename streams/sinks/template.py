"""Templates: the form a service wants, as a map with the names of facts in braces.

In a text `{title}` stands for the fact, `{title:80}` for at most 80 characters of it. A text that
is one name alone becomes the fact itself, which may be an object. Where that fact is not there, the
member or list item it stands in is left out; within a longer text it is empty.

Promises: facts are data: they are escaped as the service asks, and never read as a template again.
Leaves to others: the facts (`facts`), what each service wants (`templates`), sending (`caller`).
"""

import re
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from schemas.config_sinks import SinkTopic, TemplateName
from streams.sinks.facts import Facts

Form = str | int | bool | list["Form"] | dict[str, "Form"] | None
"""A form to be filled in."""

_NAME: Final = re.compile(r"\{([a-z_]+)(?::(\d{1,6}))?\}", re.ASCII)


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """What one service wants.

    `derived`: facts by name, from another fact and a map of its words. `usual`: fields of the
    config where it does not say them. `escaped`: characters of facts and what stands for them.
    `place`: where the token is sent: as `Authorization`, as the fact `token` of the body, or in the
    header `header`. `taken`: statuses beside 2xx that mean it was taken already. `proof`: a path
    into the answer, the last item being the word that must stand there. `first_only`: an incident
    is told of once.
    """

    name: TemplateName
    documentation: str
    forms: Mapping[SinkTopic, Form]
    derived: Mapping[str, tuple[str, Mapping[str, str]]] = {}
    usual: Mapping[str, str] = {}
    escaped: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    place: Literal["authorization", "body", "header"] = "authorization"
    header: str = ""
    taken: frozenset[int] = frozenset()
    proof: tuple[str, ...] = ()
    first_only: bool = False


class _Missing:
    """A fact that is not there."""


_MISSING: Final = _Missing()


def fill(template: Template, topic: SinkTopic, known: Facts) -> bytes:
    """The JSON body for an event of `topic`; KeyError (ours) for a name that is no fact."""
    told: Facts = {**template.usual, **known}
    for name, (source, words) in template.derived.items():
        word = told[source]
        told[name] = words.get(word, word) if isinstance(word, str) else None
    return msgspec.json.encode(_filled(template.forms[topic], told, template.escaped))


def names(form: Form) -> set[str]:
    """The facts a form asks for."""
    if isinstance(form, str):
        return {found[1] for found in _NAME.finditer(form)}
    if isinstance(form, dict):
        return {name for item in form.values() for name in names(item)}
    return {name for item in form for name in names(item)} if isinstance(form, list) else set()


def _filled(form: Form, known: Facts, escaped: Mapping[str, str]) -> object:
    if isinstance(form, str):
        return _text(form, known, escaped)
    if isinstance(form, dict):
        members = {name: _filled(item, known, escaped) for name, item in form.items()}
        return {name: item for name, item in members.items() if item is not _MISSING}
    if isinstance(form, list):
        items = [(_is_whole(item, known), _filled(item, known, escaped)) for item in form]
        return [item for whole, item in items if whole and item is not _MISSING]
    return form


def _is_whole(item: Form, known: Facts) -> bool:
    """Whether an item of a list lacks none of its own members."""
    if not isinstance(item, dict):
        return True
    own = [text for text in item.values() if isinstance(text, str)]
    alone = [found[1] for text in own if (found := _NAME.fullmatch(text))]
    return all(known[name] is not None for name in alone)


def _text(form: str, known: Facts, escaped: Mapping[str, str]) -> object:
    alone = _NAME.fullmatch(form)
    if alone is not None:
        value = known[alone[1]]
        if value is None:
            return _MISSING
        return _cut(value, alone[2], escaped) if isinstance(value, str) else value

    def said(found: re.Match[str]) -> str:
        value = known[found[1]]
        return _cut(value, found[2], escaped) if isinstance(value, str) else ""

    return _NAME.sub(said, form)


def _cut(text: str, limit: str | None, escaped: Mapping[str, str]) -> str:
    """At most `limit` characters, then escaped."""
    kept = text if limit is None or len(text) <= int(limit) else text[: int(limit) - 1] + "…"
    for character, instead in escaped.items():
        kept = kept.replace(character, instead)
    return kept
