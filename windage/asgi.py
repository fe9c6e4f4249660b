"""ASGI middleware: the predictions of a model server are published as it answers them.

    app = windage.asgi.Recorder(app, pub, paths=["/predict"])

Promises: requests and answers pass through unchanged and are not held up; latency is that of the
application; an answer of 500 and above, or an exception, is published as an error; what cannot be
read is counted by the publisher, and nothing of it reaches the application.
Leaves to others: publishing; either publisher will do, the awaited one fits best.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from time import perf_counter
from typing import Any, Final

from windage.aio.publisher import Publisher as AwaitedPublisher
from windage.fields import ArgumentError
from windage.publisher import Publisher, note
from windage.watching import answered

BODY_BYTES: Final = 256 * 1024
"""Longer requests and answers pass through and are not published."""

FAILED_FROM: Final = 500
REFUSED_FROM: Final = 400

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]

Read = Callable[[Any, Any], Mapping[str, Any] | None]
"""From the JSON of request and answer (None where it failed) to keywords of `prediction`; None:
publish nothing."""


def usual(request: Any, answer: Any) -> Mapping[str, Any] | None:  # noqa: ANN401 - JSON
    """Features are the request's member `features`, or the whole of it; see `watching.answered`."""
    if not isinstance(request, Mapping):
        raise ArgumentError("request", "it is no JSON object; read= must say what to publish")
    said = {} if answer is None else answered(answer)
    if "prediction_id" in request:
        said = {"id": request["prediction_id"], **said}
    if isinstance(answer, Mapping) and "prediction_id" in answer:
        said = {**said, "id": answer["prediction_id"]}
    return {"features": request.get("features", request), **said}


class Recorder:
    """The middleware. Requests to `paths` by POST are published; all others pass through."""

    def __init__(
        self,
        app: Application,
        publisher: Publisher | AwaitedPublisher,
        *,
        paths: Iterable[str] = ("/predict",),
        read: Read = usual,
    ) -> None:
        """`read` says what to publish of a request and its answer."""
        self._app = app
        self._publisher = publisher
        self._paths = frozenset(paths)
        self._read = read

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:  # noqa: ANN401
        """One connection."""
        watched = scope["type"] == "http" and scope["path"] in self._paths
        if not watched or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(receive, send)
        since = perf_counter()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:
            await self._publish(exchange, since, type(error).__name__)
            raise
        failed = exchange.status >= FAILED_FROM
        if exchange.status < REFUSED_FROM or failed:
            await self._publish(exchange, since, f"HTTP {exchange.status}" if failed else None)

    async def _publish(self, exchange: "Exchange", since: float, error: str | None) -> None:
        taken = 1000 * ((exchange.answered_at or perf_counter()) - since)
        try:
            request = _decoded(exchange.request)
            answer = None if error is not None else _decoded(exchange.answer)
            said = self._read(request, answer)
            if said is None:
                return
            made: Any = self._publisher.prediction(
                **{"features": None, "latency_ms": taken, "error": error, **said}
            )
            if hasattr(made, "__await__"):
                await made
        except Exception as problem:  # noqa: BLE001 - the answer has been given already
            note(self._publisher.counts, problem, "asgi")


class Exchange:
    """Listens to both directions of one request. None: longer than `BODY_BYTES`."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.request: bytes | None = b""
        self.answer: bytes | None = b""
        self.status = FAILED_FROM
        """Until there is an answer, it is a failure."""
        self.answered_at: float | None = None

    async def receive(self) -> Message:
        """Pass a message of the client on."""
        message = await self._receive()
        if message["type"] == "http.request":
            self.request = _longer(self.request, message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Pass a message of the application on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.answer = _longer(self.answer, message.get("body", b""))
            if not message.get("more_body", False):
                self.answered_at = perf_counter()
        await self._send(message)


def _decoded(body: bytes | None) -> Any:  # noqa: ANN401 - JSON
    if body is None:
        raise ArgumentError("body", f"more than {BODY_BYTES} bytes are not published")
    try:
        return json.loads(body)
    except ValueError:
        raise ArgumentError("body", "it is not JSON") from None


def _longer(body: bytes | None, more: bytes) -> bytes | None:
    if body is None or len(body) + len(more) > BODY_BYTES:
        return None
    return body + more
