"""CloudEvents 1.0 around a record: opened on the way in, sealed on the way out.

Promises: binary, structured and plain records are told apart by their headers and first bytes;
whatever the bytes, `open_envelope` answers or raises EnvelopeError, with a code of a fixed
vocabulary and no word of the input; ids of outputs are functions of what they are about.
Leaves to others: decoding the content, size limits, tombstones (a value of None).

A reader of plain records may leave the call out altogether where `is_plain` would say True:
    if not headers and value[:1] == b"{" and b'"specversion"' not in value: content = value
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from schemas import instants
from schemas.log import Headers, Millis
from schemas.vocabulary import EventType

EnvelopeCode = Literal["empty", "malformed", "bad_header", "unsupported_version", "no_content"]
MESSAGES: Final[dict[EnvelopeCode, str]] = {
    "empty": "the record has no bytes",
    "malformed": "the envelope is not well-formed JSON",
    "bad_header": "a header of the envelope is not UTF-8 text",
    "unsupported_version": "the envelope is not CloudEvents 1.0",
    "no_content": "the envelope has neither data nor data_base64",
}

JSON: Final = "application/json"
ARROW: Final = "application/vnd.apache.arrow.stream"
STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"
_VERSION: Final = "1.0"

_REGISTRY_PREFIX: Final = 5
"""Bytes: a zero and the id of the schema."""

_CONTEXT: Final = frozenset(
    {"specversion", "type", "id", "source", "datacontenttype", "data", "data_base64"}
)
_extension: Final = re.compile(r"[a-z0-9]{1,20}", re.ASCII).fullmatch
_NO_EXTENSIONS: Final[dict[str, str]] = {}


class EnvelopeError(Exception):
    """The envelope cannot be opened: the producer's fault, and a dead letter (`malformed`)."""

    def __init__(self, code: EnvelopeCode) -> None:
        super().__init__(MESSAGES[code])
        self.code = code


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An opened record. `media` says what `content` is; `type`, `id`, `source` may be unsaid.

    `extensions` are all other attributes (time and subject among them), and `traceparent`.
    """

    content: bytes
    type: str | None = None
    id: str | None = None
    source: str | None = None
    media: Literal["json", "arrow"] = "json"
    extensions: dict[str, str] = _NO_EXTENSIONS


class Sealed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Headers and value of a record to be written."""

    headers: tuple[tuple[str, bytes], ...]
    value: bytes


_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_scalar: Final = msgspec.json.Decoder(str | int | bool | None)
_text: Final = msgspec.json.Decoder(str | None)
_encoder: Final = msgspec.json.Encoder()
_identity: Final = msgspec.msgpack.Encoder()
_FAULTS: Final = (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError)


def is_plain(headers: Headers, value: bytes) -> bool:
    """Whether a record certainly has no envelope: its value is its content."""
    return not headers and value[:1] == b"{" and b'"specversion"' not in value


def open_envelope(headers: Headers, value: bytes) -> Envelope:
    """Take the envelope off a record; EnvelopeError if it has one that cannot be read."""
    if is_plain(headers, value):
        return Envelope(content=value)
    attributes, content_type = _attributes(headers)
    if not value:
        raise EnvelopeError("empty")
    if content_type == STRUCTURED:
        return _open_structured(_without_prefix(value), _NO_EXTENSIONS)
    if "specversion" in attributes and attributes["specversion"] != _VERSION:
        raise EnvelopeError("unsupported_version")
    if content_type == ARROW:
        return _envelope(value, attributes, "arrow")
    value = _without_prefix(value)
    if not attributes.keys() & _CONTEXT and b'"specversion"' in value:
        return _open_structured(value, attributes, or_plain=True)
    return _envelope(value, attributes, "json")


def seal(
    content: bytes,
    *,
    type: EventType,
    id: str,
    source: str,
    time: Millis,
    subject: str | None = None,
    extensions: Mapping[str, str | None] = _NO_EXTENSIONS,
    form: Literal["binary", "structured"] = "binary",
) -> Sealed:
    """Put JSON `content` into an envelope; extensions that are None are left out."""
    attributes: dict[str, str] = {
        "specversion": _VERSION,
        "id": id,
        "source": source,
        "type": type,
        "time": instants.rfc3339(time),
    }
    if subject is not None:
        attributes["subject"] = subject
    for name in sorted(extensions):
        assert _extension(name), "extension names are lower case letters and digits"
        assert name not in attributes, "an extension must not replace an attribute"
        said = extensions[name]
        if said is not None:
            attributes[name] = said
    if form == "binary":
        headers = [(f"ce_{name}", text.encode()) for name, text in attributes.items()]
        return Sealed(headers=(*headers, ("content-type", JSON.encode())), value=content)
    members: dict[str, str | msgspec.Raw] = {
        **attributes,
        "datacontenttype": JSON,
        "data": msgspec.Raw(content),
    }
    return Sealed(headers=(("content-type", STRUCTURED.encode()),), value=_encoder.encode(members))


def output_id(
    type: EventType,
    *,
    model: str,
    version: str = "",
    segment: str = "",
    monitor: str = "",
    window: Millis | tuple[Millis, Millis] | None = None,
    transition: str = "",
    cause: str = "",
) -> str:
    """32 hex digits that are the same whenever the same thing is said.

    `cause` is for what the other fields do not tell apart (an incident, an attempt).
    """
    # Msgpack writes the length of every part, so that no two lists of parts look alike.
    parts = _identity.encode((type, model, version, segment, monitor, window, transition, cause))
    return hashlib.blake2b(parts, digest_size=16).hexdigest()


def _attributes(headers: Headers) -> tuple[dict[str, str], str]:
    """What the headers say: attributes without their prefix, and the content type."""
    attributes: dict[str, str] = {}
    content_type = ""
    for key, text in headers:
        name = key.lower()
        try:
            if name.startswith(("ce_", "ce-")):
                attributes[name[3:]] = str(text, "utf-8")
            elif name == "traceparent":
                attributes.setdefault(name, str(text, "utf-8"))
            elif name == "content-type":
                content_type = str(text, "utf-8").partition(";")[0].strip().lower()
        except (UnicodeDecodeError, TypeError):  # a header may also be null
            raise EnvelopeError("bad_header") from None
    return attributes, content_type


def _without_prefix(value: bytes) -> bytes:
    """The value without the prefix of a schema registry."""
    if value[:1] == b"\x00" and value[_REGISTRY_PREFIX : _REGISTRY_PREFIX + 1] in (b"{", b"["):
        return value[_REGISTRY_PREFIX:]
    return value


def _envelope(
    content: bytes, attributes: Mapping[str, str], media: Literal["json", "arrow"]
) -> Envelope:
    """An envelope of attributes as binary mode has them."""
    rest = {name: text for name, text in attributes.items() if name not in _CONTEXT}
    return Envelope(
        content=content,
        type=attributes.get("type"),
        id=attributes.get("id"),
        source=attributes.get("source"),
        media=media,
        extensions=rest or _NO_EXTENSIONS,
    )


def _open_structured(
    value: bytes, passed: Mapping[str, str], *, or_plain: bool = False
) -> Envelope:
    """An envelope that is a JSON object itself; with `or_plain` it may also be none."""
    try:
        members = _members.decode(value)
        if or_plain and "specversion" not in members:
            return _envelope(value, passed, "json")
        attributes = dict(passed) | _texts(members)
        content = members.get("data")
        encoded = members.get("data_base64")
        if encoded is not None:
            binary = base64.b64decode(_text.decode(encoded) or "", validate=True)
    except (*_FAULTS, binascii.Error):
        raise EnvelopeError("malformed") from None
    if attributes.get("specversion") != _VERSION:
        raise EnvelopeError("unsupported_version")
    arrow = attributes.get("datacontenttype", "").partition(";")[0].strip().lower() == ARROW
    if encoded is None and content is None:
        raise EnvelopeError("no_content")
    payload = binary if encoded is not None else bytes(content or b"")
    return _envelope(payload, attributes, "arrow" if arrow else "json")


def _texts(members: Mapping[str, msgspec.Raw]) -> dict[str, str]:
    """The attributes among the members; numbers and truths as CloudEvents writes them."""
    out: dict[str, str] = {}
    for name, raw in members.items():
        if name in ("data", "data_base64"):
            continue
        said = _scalar.decode(raw)
        if said is not None:
            out[name] = str(said).lower() if isinstance(said, bool) else str(said)
    return out
