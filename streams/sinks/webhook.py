"""Webhooks: an event as it is, or in the form of a service, signed where there is a key.

Without a template the body is that of Standard Webhooks: `type`, `timestamp`, `data`.

Promises: id and body are functions of the event; the time of sending is in the signature alone.
Leaves to others: forms (`templates`), making the call (`caller`).
"""

import base64

import msgspec

from schemas.config_sinks import Sink, signing_key
from schemas.instants import rfc3339
from schemas.log import Millis
from streams.sinks.call import Call
from streams.sinks.facts import facts
from streams.sinks.message import Message
from streams.sinks.signature import sign
from streams.sinks.template import Template, fill
from streams.sinks.templates import TEMPLATES


class Webhook:
    """Composes the calls of one sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._keys = [signing_key(one) for one in sink.secret]
        self._token = None if sink.token is None else sink.token.get_secret_value()
        self._template = None if sink.template is None else TEMPLATES[sink.template]

    @property
    def first_only(self) -> bool:
        """Whether it is told of an incident once."""
        return self._template is not None and self._template.first_only

    def compose(self, message: Message, before: Message | None, now: Millis) -> Call:  # noqa: ARG002
        """The call for a message; `before`: what was sent of the incident last."""
        template = self._template
        body = _plain(message) if template is None else self._filled(template, message)
        headers = self._authorization(template)
        if self._keys:
            headers |= sign(self._keys, message.id, now // 1000, body)
        return Call(
            url=self._sink.url,
            body=body,
            headers=headers,
            taken=frozenset() if template is None else template.taken,
            proof=() if template is None else template.proof,
        )

    def _filled(self, template: Template, message: Message) -> bytes:
        token = self._token if template.place == "body" else None
        return fill(template, message.topic, facts(message, self._sink.fields, token))

    def _authorization(self, template: Template | None) -> dict[str, str]:
        headers = {} if template is None else dict(template.headers)
        place = "authorization" if template is None else template.place
        if self._token is None or place == "body":
            return headers
        if template is not None and place == "header":
            return {**headers, template.header: self._token}
        return {**headers, **authorization(self._sink.username, self._token)}


def authorization(username: str | None, token: str) -> dict[str, str]:
    """The header of Basic with a username, of Bearer without one."""
    if username is None:
        return {"Authorization": f"Bearer {token}"}
    pair = base64.b64encode(f"{username}:{token}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def _plain(message: Message) -> bytes:
    return msgspec.json.encode(
        {
            "type": message.type,
            "timestamp": rfc3339(message.time),
            "data": msgspec.Raw(message.content),
        }
    )
