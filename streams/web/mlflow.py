"""What MLflow's registry tells: a new version, or a new bearer of an alias, was deployed.

MLflow signs `delivery id . timestamp . body` by HMAC-SHA256 with the webhook's secret and sends
`X-MLflow-Signature: v1,BASE64`, `X-MLflow-Delivery-Id` and `X-MLflow-Timestamp` (seconds).

Promises: nothing is believed that is not signed with one of our secrets, in constant time, or whose
timestamp is older (or newer) than the tolerance; a delivery that comes twice is one event; events
of the registry that are none of ours are answered and do nothing.
Leaves to others: appending (`receiving`), what a deployment means (`streams.policy`).
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Collection
from typing import Final

import msgspec
from aiohttp import web

from schemas.config_links import Mlflow
from schemas.inputs import Deployment, ModelEvent, encode, is_name
from schemas.instants import parse
from streams.runtime.sqlite_log import Group
from streams.web.access import problem
from streams.web.bodies import Piece
from streams.web.receiving import Receiver, entry_of
from streams.web.views import answer

BODY_BYTES: Final = 64 * 1024
_CHUNK: Final = 8 * 1024
_VERSION: Final = "v1"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a version."""

    name: str
    version: str = ""
    alias: str | None = None


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery: `model_version` `created`, `model_version_alias` `created`, and others."""

    entity: str
    action: str
    timestamp: str
    data: msgspec.Raw


class Registry:
    """The door of one MLflow registry; `models` are those that are watched here."""

    def __init__(self, mlflow: Mlflow, models: Collection[str], receiver: Receiver) -> None:
        self._secrets = [one.get_secret_value().encode() for one in mlflow.secret]
        self._tolerance_s = mlflow.tolerance / 1000
        self._alias, self._names = mlflow.alias, mlflow.models
        self._models = frozenset(models)
        self._receiver = receiver

    async def receive(self, request: web.Request) -> web.Response:
        """202 with the event's id, 200 with why there is none, or what is wrong."""
        body = b""
        async for chunk in request.content.iter_chunked(_CHUNK):  # nobody is known yet: no more
            body += chunk
            if len(body) > BODY_BYTES:
                return problem(413, "too_large", f"a body has at most {BODY_BYTES} bytes")
        wrong = self._doubt(request, body)
        if wrong is not None:
            return problem(401, "signature", wrong)
        try:
            telling = msgspec.json.decode(body, type=Telling)
            parse(telling.timestamp, "rfc3339")
        except (msgspec.DecodeError, UnicodeError, ValueError):
            return problem(400, "malformed", "not a delivery of MLflow's registry")
        event = self._event(telling, body)
        if isinstance(event, str):
            return answer({"accepted": 0, "reason": event})
        piece = Piece(
            log="model-events", key=event.model.encode(), value=encode(event), name=event.id
        )
        return await self._receiver.append(Group(entries=[entry_of(piece)]), [piece])

    def _doubt(self, request: web.Request, body: bytes) -> str | None:
        """Why a delivery is not believed; None if it is."""
        headers = request.headers
        name, stamp = headers.get("X-MLflow-Delivery-Id"), headers.get("X-MLflow-Timestamp", "")
        if not name or not stamp.isascii() or not stamp.isdigit():
            return "X-MLflow-Delivery-Id, X-MLflow-Timestamp and X-MLflow-Signature are needed"
        given = headers.get("X-MLflow-Signature", "").split()
        content = b"%b.%b.%b" % (_bytes(name), stamp.encode(), body)
        # Every pair is compared, so that the time taken does not tell which one was near.
        known = [_signature(secret, content) for secret in self._secrets]
        matches = [hmac.compare_digest(k, _bytes(g)) for k in known for g in given]
        if not any(matches):
            return "the signature is not one of ours"
        if abs(time.time() - int(stamp[:15])) > self._tolerance_s:
            return "the delivery is too old, or of the future"
        return None

    def _event(self, telling: Telling, body: bytes) -> ModelEvent | str:
        """The deployment that was told of, or why there is none."""
        what = "model_version" if self._alias is None else "model_version_alias"
        if (telling.entity, telling.action) != (what, "created"):
            return f"only {what}.created is a deployment here"
        try:
            told = msgspec.json.decode(telling.data, type=Told)
        except msgspec.DecodeError:
            return "no name and version"
        if told.alias != self._alias:
            return "another alias"
        model = self._names.get(told.name, told.name)
        if model not in self._models:
            return "no model of this name is watched here; http.mlflow.models maps names"
        if not is_name(told.version):
            return "no version"
        return ModelEvent(
            model=model,
            type="deployed",
            timestamp=telling.timestamp,
            version=told.version,
            id=f"mlflow-{hashlib.sha256(body).hexdigest()[:32]}",
            author="mlflow",
            note=_note(self._alias),
            deployment=Deployment(registry=f"models:/{told.name}/{told.version}"[:512]),
        )


def _bytes(header: str) -> bytes:
    """A header as it came, also where that was no UTF-8."""
    return header.encode("utf-8", "surrogateescape")


def _note(alias: str | None) -> str:
    return "a new version in the registry" if alias is None else f"now bears the alias {alias}"


def _signature(secret: bytes, content: bytes) -> bytes:
    digest = hmac.new(secret, content, hashlib.sha256).digest()
    return b"%b,%b" % (_VERSION.encode(), base64.b64encode(digest))
