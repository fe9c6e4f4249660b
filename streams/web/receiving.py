"""Receiving events over HTTP: from a request to a durable receipt.

Promises: 202 only after every record of the request is durable; what was accepted under an
Idempotency-Key or as a CloudEvent is accepted once; a sender who is too fast, or meets a full
disk, is told how long to wait, and nothing of the request is taken.
Leaves to others: cutting bodies (`bodies`), appending (`streams.runtime.intake`).
"""

import asyncio
import hashlib
from typing import Final

import msgspec
from aiohttp import web

from schemas.log import InputLog
from schemas.matchers import complaint_of
from streams.runtime.intake import Overloaded
from streams.runtime.sqlite_log import DiskFullError, Entry, Group, Receipt
from streams.web.access import holds, lacking, problem
from streams.web.bodies import BodyError, Piece, cut
from streams.web.running import Runtime
from streams.web.views import answer

BODY_BYTES: Final = 8 * 1024 * 1024
"""Of a body, decompressed."""

BACKLOG_RECORDS: Final = 1_000_000
"""Records not read yet beyond which no more are taken."""

BACKLOG_SECONDS: Final = 10
"""How long to wait then: the machines read about 100,000 records a second."""

_KEY_LENGTH: Final = 256
_ERRORS_SHOWN: Final = 100


class RecordError(msgspec.Struct, frozen=True, kw_only=True):
    """A record that was taken but can already be seen to become a dead letter."""

    index: int
    code: str
    message: str


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request's records; `accepted` + `repeated` is how many there were."""

    accepted: int
    repeated: int
    logs: dict[str, int]
    errors: list[RecordError]


class Receiver:
    """Takes events for a runtime."""

    def __init__(self, runtime: Runtime, backlog_records: int = BACKLOG_RECORDS) -> None:
        self._runtime = runtime
        self._backlog = backlog_records

    async def receive(self, request: web.Request, log: InputLog | None = None) -> web.Response:
        """202 with an `Accepted`, or what is wrong. `log`: where all belong, None: as they say."""
        key = request.headers.get("Idempotency-Key")
        if key is not None and not 0 < len(key) <= _KEY_LENGTH:
            return problem(400, "idempotency_key", f"1 to {_KEY_LENGTH} characters are allowed")
        if sum(self._runtime.backlog().values()) > self._backlog:
            return _later(BACKLOG_SECONDS)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return problem(413, "too_large", f"a body has at most {BODY_BYTES} bytes")
        except web.RequestPayloadError:
            return problem(400, "malformed", "the body cannot be decompressed")
        headers = {name.lower(): text for name, text in request.headers.items()}
        try:
            pieces = cut(body, headers, log)
        except BodyError as error:
            return problem(400, "malformed", str(error))
        if not holds(request, "operate") and any(one.log == "model-events" for one in pieces):
            return lacking("operate", frozenset({"ingest"}))
        for piece in pieces:
            wrong = complaint_of(piece.value) if piece.log == "model-events" else None
            if wrong is not None:
                return problem(400, "schema", wrong)
        group = Group(
            entries=[entry_of(piece) for piece in pieces],
            name=None if key is None else f"key {request.path} {key}",
            digest=hashlib.sha256(body).digest() if key is not None else b"",
        )
        return await self.append(group, pieces)

    async def append(self, group: Group, pieces: list[Piece]) -> web.Response:
        """202 once the group of these pieces is durable, or why nothing of it was taken."""
        try:
            receipt = await asyncio.wrap_future(self._runtime.intake.submit(group))
        except Overloaded:
            return _later(1)
        except DiskFullError:
            return problem(507, "disk_full", "nothing was stored", **{"Retry-After": "10"})
        except Exception:  # noqa: BLE001  # nothing was taken, so it may come again
            return problem(503, "storage", "nothing was stored", **{"Retry-After": "5"})
        if receipt.conflict:
            return problem(422, "idempotency_key", "this key was used for another body")
        return answer(_accepted(receipt, pieces), 202)


def _accepted(receipt: Receipt, pieces: list[Piece]) -> Accepted:
    logs: dict[str, int] = {}
    errors: list[RecordError] = []
    for index, (piece, offset) in enumerate(zip(pieces, receipt.offsets, strict=True)):
        if offset is not None:
            logs[piece.log] = logs.get(piece.log, 0) + 1
        if not piece.readable and len(errors) < _ERRORS_SHOWN:
            message = "not a JSON object; it will be found among the dead letters"
            errors.append(RecordError(index=index, code="malformed", message=message))
    accepted = sum(logs.values())
    return Accepted(accepted=accepted, repeated=len(pieces) - accepted, logs=logs, errors=errors)


def _later(seconds: int) -> web.Response:
    message = "too much is waiting to be read"
    return problem(429, "backlog", message, **{"Retry-After": str(seconds)})


def entry_of(piece: Piece) -> Entry:
    """What is appended of a piece of a body."""
    return Entry(
        log=piece.log,
        key=piece.key,
        value=piece.value,
        headers=tuple(piece.headers),
        name=piece.name,
    )
