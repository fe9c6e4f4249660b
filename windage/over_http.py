"""Sending to `windage serve` over HTTP, with the standard library alone.

Promises: what is sent again carries the same Idempotency-Key, so it counts once, whatever was
lost on the way; a token never leaves over plain HTTP beyond loopback.
Leaves to others: when to send again (`outbox`).
"""

import hashlib
import http.client
import json
import ssl
from collections.abc import Mapping, Sequence
from typing import Final

from windage.addresses import HttpAddress
from windage.batches import ARROW
from windage.buffer import Item
from windage.composing import Message
from windage.counts import Reason
from windage.outbox import Delivery

LINES: Final = "application/x-ndjson"
BODY_BYTES: Final = 4 * 1024 * 1024
"""Half of what `serve` takes."""

ACCEPTED: Final = frozenset({200, 202})
LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
TOO_LARGE: Final = 413

Body = tuple[str, bytes, list[Item]]
"""Content type, bytes, and the items in it."""


class OverHttp:
    """One connection, kept open."""

    def __init__(self, address: HttpAddress, timeout_s: float) -> None:
        self._address = address
        host, port = address.host, address.port
        if address.tls:
            context = ssl.create_default_context(cafile=address.ca_file)
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=timeout_s, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(host, port, timeout=timeout_s)

    def deliver(self, items: Sequence[Item]) -> Delivery:
        """Post items, in as few requests as their forms allow."""
        again: dict[int, Item] = {}
        refused: dict[int, tuple[Item, Reason, str]] = {}
        wait_s: float | None = None
        waiting = bodies(items, refused)
        while waiting:
            kind, body, inside = waiting.pop(0)
            status, headers, answer = self._post(body, head(self._address, kind, body, inside))
            if status in ACCEPTED:
                continue
            if status == TOO_LARGE and len(inside) > 1:
                half = len(inside) // 2
                waiting[:0] = bodies(inside[:half], refused) + bodies(inside[half:], refused)
            elif status in LATER:
                rest = [(kind, body, inside), *waiting]
                again = {id(item): item for _, _, some in rest for item in some}
                wait_s = pause(headers)
                break
            else:
                reason: Reason = "too_large" if status == TOO_LARGE else "rejected"
                refused.update({id(item): (item, reason, said(status, answer)) for item in inside})
        left = [item for key, item in again.items() if key not in refused]
        return Delivery(again=left, refused=list(refused.values()), wait_s=wait_s)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        try:
            self._connection.request("POST", self._address.path("/v1/events"), body, headers)
            response = self._connection.getresponse()
            content = response.read(65536)
            response.read()
        except BaseException:
            self._connection.close()  # half an answer must not be taken for the next one
            raise
        return response.status, {k.lower(): v for k, v in response.getheaders()}, content


def bodies(items: Sequence[Item], refused: dict[int, tuple[Item, Reason, str]]) -> list[Body]:
    """Requests for items: JSON Lines together, each Arrow stream by itself.

    Columns that cannot be encoded are put among the refused.
    """
    out: list[Body] = []
    lines = Lines()
    for item in items:
        try:
            values = [item.value] if isinstance(item, Message) else [v for _, v in item.parts()]
        except (ValueError, TypeError, OverflowError) as error:
            refused[id(item)] = (item, "rejected", f"{type(error).__name__} in columns")
            continue
        if not isinstance(item, Message) and item.kind == ARROW:
            out += [(ARROW, value, [item]) for value in values]
            continue
        if lines.inside and lines.size + sum(map(len, values)) > BODY_BYTES:
            out.append(lines.body())
            lines = Lines()
        lines.add(item, values)
    return [*out, lines.body()] if lines.inside else out


class Lines:
    """JSON Lines in the making."""

    def __init__(self) -> None:
        self.inside: list[Item] = []
        self.size = 0
        self._values: list[bytes] = []

    def add(self, item: Item, values: Sequence[bytes]) -> None:
        """Append the lines of one item."""
        self.inside.append(item)
        self._values += values
        self.size += sum(len(value) + 1 for value in values)

    def body(self) -> Body:
        """What is posted."""
        return LINES, b"\n".join(self._values), self.inside


def head(address: HttpAddress, kind: str, body: bytes, inside: Sequence[Item]) -> dict[str, str]:
    """Headers: what it is, who asks, and what recognises the body when it comes again.

    Bodies hold ids and instants, so two that are equal are one that is sent again. The kind of
    events in an Arrow stream cannot be told from outside, so its envelope says it (CloudEvents).
    """
    key = hashlib.blake2b(body, digest_size=16).hexdigest()
    headers = {"Content-Type": kind, "Idempotency-Key": key}
    if kind == ARROW:
        event = {"specversion": "1.0", "id": key, "source": "windage-sdk"}
        event["type"] = f"windage.{inside[0].topic.removesuffix('s')}.v1"
        headers |= {f"Ce-{name.capitalize()}": text for name, text in event.items()}
    if address.token is not None:
        headers["Authorization"] = f"Bearer {address.token}"
    return headers


def pause(headers: Mapping[str, str]) -> float | None:
    """Seconds of Retry-After, at most a minute; None if it is not said."""
    try:
        return min(60.0, max(0.0, float(headers["retry-after"])))
    except (KeyError, ValueError):
        return None


def said(status: int, answer: bytes) -> str:
    """What the server says is wrong."""
    try:
        error = json.loads(answer)["error"]
        return f"HTTP {status} {error['code']}: {error['message']}"
    except (ValueError, KeyError, TypeError):
        return f"HTTP {status}"
