"""The HTTP server of the embedded runtime: routes, and a listening socket.

Promises: paths and fields are those of the public contract; nothing is served beyond loopback
without a token or a client certificate.
Leaves to others: each path's meaning (`receiving`, `views`, `stream`, `metrics`, `access`).
"""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from schemas.config_links import Http, Tls
from streams.runtime.embedded import Embedded
from streams.web import metrics, stream, views
from streams.web.access import Access, guard, problem
from streams.web.board import Board
from streams.web.receiving import BODY_BYTES, Receiver

STALLED_SECONDS: Final = 30.0
"""Without a turn of the machines for so long, they count as stopped."""

CLOSING_SECONDS: Final = 2.0

_PAGES: Final = Path(__file__).parent / "pages"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site:
    """The paths over one runtime."""

    def __init__(self, runtime: Embedded, tasks: Mapping[str, str]) -> None:
        """`tasks`: the task of each model in the config."""
        self._runtime = runtime
        self._tasks = tasks
        self._board = Board(runtime)
        self._receiver = Receiver(runtime)
        self._bell: stream.Bell | None = None

    def application(self, access: Access) -> web.Application:
        """An aiohttp application; its runtime must be started by who made it."""
        app = web.Application(middlewares=[guard(access)], client_max_size=BODY_BYTES)
        app.add_routes(
            [
                web.post("/v1/events", self._receiver.receive),
                web.post("/v1/model-events", self._model_events),
                web.get("/v1/models", self._models),
                web.get("/v1/incidents", self._incidents),
                web.get("/v1/readings", self._readings),
                web.get("/v1/stream", self._stream),
                web.get("/healthz", self._health),
                web.get("/readyz", self._ready),
                web.get("/metrics", self._metrics),
                web.get("/", self._page),
                web.static("/pages", _PAGES),
            ]
        )
        app.on_startup.append(self._open)
        app.on_cleanup.append(self._close)
        return app

    async def _open(self, _: web.Application) -> None:
        self._bell = stream.Bell()
        self._runtime.observers.append(self._bell.ring)

    async def _close(self, _: web.Application) -> None:
        assert self._bell is not None
        self._runtime.observers.remove(self._bell.ring)

    async def _fresh(self) -> Board:
        """The board as of now; reading the log is kept off the event loop."""
        await asyncio.to_thread(self._board.refresh)
        return self._board

    async def _model_events(self, request: web.Request) -> web.StreamResponse:
        return await self._receiver.receive(request, "model-events")

    async def _models(self, _: web.Request) -> web.StreamResponse:
        return views.models(await self._fresh(), self._tasks)

    async def _incidents(self, request: web.Request) -> web.StreamResponse:
        return views.incidents(await self._fresh(), request.query)

    async def _readings(self, request: web.Request) -> web.StreamResponse:
        board = await self._fresh()
        return await asyncio.to_thread(views.readings, board, self._runtime, dict(request.query))

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        topics = tuple(request.query.get("topics", ",".join(stream.DEFAULT_TOPICS)).split(","))
        if not set(topics) <= set(stream.TOPICS):
            return problem(400, "topics", f"allowed are {', '.join(stream.TOPICS)}")
        assert self._bell is not None
        if self._bell.readers >= stream.READERS:
            return problem(429, "readers", "too many open streams", **{"Retry-After": "10"})
        said = request.headers.get("Last-Event-ID", "")
        cursor = stream.read_cursor(said, topics)
        if cursor is None:
            first = request.query.get("from") == "start"
            end = self._runtime.log.end
            cursor = {topic: -1 if first else end(topic) - 1 for topic in topics}
        return await stream.serve(request, self._runtime, self._bell, cursor)

    async def _health(self, _: web.Request) -> web.StreamResponse:
        since = time.monotonic() - self._runtime.progressed
        failure = self._runtime.failure
        well = failure is None and since < STALLED_SECONDS
        content = {
            "status": "ok" if well else "failing",
            "turned_seconds_ago": round(since, 3),
            "backlog": self._runtime.backlog(),
            # The kind only: a message might quote what it was about.
            "failure": None if failure is None else type(failure).__name__,
        }
        return views.answer(content, 200 if well else 503)

    async def _ready(self, _: web.Request) -> web.StreamResponse:
        ready = self._runtime.failure is None
        return views.answer({"ready": ready}, 200 if ready else 503)

    async def _metrics(self, _: web.Request) -> web.StreamResponse:
        board = await self._fresh()
        body = await asyncio.to_thread(metrics.page, board, self._runtime)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _page(self, _: web.Request) -> web.StreamResponse:
        return web.FileResponse(_PAGES / "index.html")


class Server:
    """A listening socket for a site; `async with`, or `start` and `stop`."""

    def __init__(self, runtime: Embedded, http: Http, tasks: Mapping[str, str]) -> None:
        """`http` was checked by the config: where it listens, it may listen."""
        app = Site(runtime, tasks).application(Access.of(http))
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=CLOSING_SECONDS, handler_cancellation=True
        )
        self._http = http

    async def start(self) -> int:
        """Listen; gives the port. OSError if the address is taken."""
        await self._runner.setup()
        context = None if self._http.tls is None else _context(self._http.tls)
        site = web.TCPSite(self._runner, self._http.host, self._http.port, ssl_context=context)
        await site.start()
        address = self._runner.addresses[0]
        return int(address[1])

    async def stop(self) -> None:
        """Close the socket and the open streams."""
        await self._runner.cleanup()

    async def __aenter__(self) -> int:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls.certificate, tls.key)
    if tls.client_ca is not None:
        context.load_verify_locations(tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
