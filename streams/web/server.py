"""The HTTP server over a runtime: routes, and a listening socket.

Promises: paths and fields are those of the public contract; nothing is served beyond loopback
without a token or a client certificate.
Leaves to others: each path's meaning (`receiving`, `views`, `stream`, `metrics`, `access`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from aiohttp import web
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from schemas.config_links import Http, Mlflow
from schemas.instants import rfc3339
from streams.web import charts, drilling, metrics, otlp, stream, views
from streams.web.access import PAGES, Access, Session, guard, holds, problem
from streams.web.board import Board
from streams.web.casefile import Casefile, casefile
from streams.web.mlflow import Registry
from streams.web.receiving import BODY_BYTES, Receiver
from streams.web.running import Runtime
from streams.web.said import Said
from streams.web.sinks import Statuses
from streams.web.sinks import views as sink_views
from streams.web.tls import tls_context
from streams.web.views import About

STALLED_SECONDS: Final = 30.0
"""Without a turn of the machines for so long, they count as stopped."""

CLOSING_SECONDS: Final = 2.0

_STATIC: Final = Path(__file__).parent / "static"
_CATCHING_UP_SECONDS: Final = 0.25

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site:
    """The paths over one runtime."""

    def __init__(
        self,
        runtime: Runtime,
        models: Mapping[str, str | About],
        place: str = "",
        role: str = "serve",
        sinks: Statuses = tuple,
        mlflow: Mlflow | None = None,
    ) -> None:
        """`models`: what the config says of each, or its task alone.

        `place`: options by which a command finds this installation; `role`: what it runs as;
        `sinks`: how those do that this process carries for; `mlflow`: whose registry may tell of
        deployments.
        """
        self._runtime, self._role, self._sinks = runtime, role, sinks
        self._models_known = {
            name: About(task=one) if isinstance(one, str) else one for name, one in models.items()
        }
        self._place = place
        self._board = Board(runtime)
        self._said = Said(runtime.log)
        self._receiver = Receiver(runtime)
        self._registry = (
            None if mlflow is None else Registry(mlflow, self._models_known, self._receiver)
        )
        self._bell: stream.Bell | None = None
        self._catching_up: asyncio.Task[None] | None = None
        self._pushing: otlp.Pushing | None = None
        self._session = Session()
        self._closing = False

    def application(self, access: Access) -> web.Application:
        """An aiohttp application; its runtime must be started by who made it."""
        app = web.Application(
            middlewares=[guard(access, self._session)], client_max_size=BODY_BYTES
        )
        app.add_routes(
            [
                web.post("/v1/events", self._receiver.receive),
                web.post("/v1/model-events", self._model_events),
                web.post("/v1/mlflow", self._mlflow),
                web.post("/v1/drill", self._drill),
                web.get("/v1/models", self._models),
                web.get("/v1/incidents", self._incidents),
                web.get("/v1/readings", self._readings),
                web.get("/v1/stream", self._stream),
                web.get("/v1/session", self._session_of),
                web.get("/v1/history", self._history),
                web.get("/v1/heat", self._heat),
                web.get("/v1/marks", self._marks),
                web.get("/v1/shape", self._shape),
                web.get("/v1/pipeline", self._pipeline),
                web.get("/v1/incidents/{incident_id}", self._incident),
                web.get("/healthz", self._health),
                web.get("/readyz", self._ready),
                web.get("/metrics", self._metrics),
                *(web.get(path, self._page) for path in sorted(PAGES)),
                web.static("/static", _STATIC),
            ]
        )
        app.on_startup.append(self._open)
        app.on_cleanup.append(self._close)
        return app

    async def _open(self, _: web.Application) -> None:
        self._bell = stream.Bell()
        self._runtime.observers.append(self._bell.ring)
        self._catching_up = asyncio.create_task(self._catch_up())
        self._pushing = otlp.pushing(self._families)

    async def _close(self, _: web.Application) -> None:
        assert self._bell is not None
        assert self._catching_up is not None
        self._closing = True
        await self._catching_up
        if self._pushing is not None:
            await asyncio.to_thread(self._pushing.stop)
        self._runtime.observers.remove(self._bell.ring)

    async def _catch_up(self) -> None:
        """Take in what was stored before, so that the first who asks finds it done."""
        while not self._closing:
            if await asyncio.to_thread(self._board.refresh, _CATCHING_UP_SECONDS):
                return

    async def _fresh(self) -> Board:
        """The board as of now; reading the log is kept off the event loop."""
        await asyncio.to_thread(self._board.refresh)
        return self._board

    async def _model_events(self, request: web.Request) -> web.StreamResponse:
        return await self._receiver.receive(request, "model-events")

    async def _mlflow(self, request: web.Request) -> web.StreamResponse:
        if self._registry is None:
            return problem(404, "mlflow", "http.mlflow is not configured")
        return await self._registry.receive(request)

    async def _drill(self, request: web.Request) -> web.StreamResponse:
        return await drilling.receive(request, self._runtime)

    async def _models(self, _: web.Request) -> web.StreamResponse:
        return views.models(await self._fresh(), self._models_known)

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

    async def _session_of(self, request: web.Request) -> web.StreamResponse:
        """What this reader may do, and the word that proves that a page of ours asks."""
        return views.answer({"may_write": holds(request, "operate"), "word": self._session.word})

    async def _history(self, request: web.Request) -> web.StreamResponse:
        return await self._asked(request, charts.history)

    async def _heat(self, request: web.Request) -> web.StreamResponse:
        return await self._asked(request, charts.heat)

    async def _marks(self, request: web.Request) -> web.StreamResponse:
        def marks(board: Board, query: charts.Query) -> object:
            self._said.refresh()
            return {"marks": charts.marks(board, self._said, query)}

        return await self._asked(request, marks)

    async def _shape(self, request: web.Request) -> web.StreamResponse:
        return await self._asked(request, charts.shapes)

    async def _asked(
        self, request: web.Request, question: Callable[[Board, charts.Query], object]
    ) -> web.StreamResponse:
        """The answer to a question of `charts`, found off the event loop."""
        board = await self._fresh()
        try:
            return views.answer(await asyncio.to_thread(question, board, request.query))
        except charts.QueryError as error:
            return problem(400, "query", str(error))

    async def _incident(self, request: web.Request) -> web.StreamResponse:
        board = await self._fresh()

        def found() -> Casefile | None:
            self._said.refresh()
            return casefile(board, self._said, request.match_info["incident_id"], self._place)

        case = await asyncio.to_thread(found)
        if case is None:
            return problem(404, "incident", "no such incident is known")
        return views.answer(case)

    async def _pipeline(self, _: web.Request) -> web.StreamResponse:
        board = await self._fresh()
        content = views.Pipeline(
            status="ok" if self._is_well() else "failing",
            backlog=self._runtime.backlog(),
            records={log: dict(one) for log, one in self._runtime.accounting().items()},
            dead_letters=dict(board.refused),
            clock=rfc3339(self._runtime.clock),
            complete=board.complete,
            taken=board.taken,
        )
        return views.answer(content)

    def _is_well(self) -> bool:
        since = time.monotonic() - self._runtime.progressed
        return self._runtime.failure is None and since < STALLED_SECONDS

    async def _health(self, _: web.Request) -> web.StreamResponse:
        since = time.monotonic() - self._runtime.progressed
        failure = self._runtime.failure
        well = self._is_well()
        content = {
            "status": "ok" if well else "failing",
            "turned_seconds_ago": round(since, 3),
            "backlog": self._runtime.backlog(),
            # The kind only: a message might quote what it was about.
            "failure": None if failure is None else type(failure).__name__,
            # Neither a store nor a sink that is away makes this process unwell.
            "store": self._runtime.store(),
            "sinks": sink_views(self._sinks()),
        }
        return views.answer(content, 200 if well else 503)

    async def _ready(self, _: web.Request) -> web.StreamResponse:
        ready = self._runtime.failure is None
        return views.answer({"ready": ready}, 200 if ready else 503)

    def _families(self) -> Iterable[Metric]:
        """What the metrics page says now, for whoever asks outside the event loop."""
        self._board.refresh()
        about = (self._models_known, self._role, self._sinks)
        return metrics.registry(self._board, self._runtime, *about).collect()

    async def _metrics(self, _: web.Request) -> web.StreamResponse:
        board = await self._fresh()
        about = (self._models_known, self._role, self._sinks)
        body = await asyncio.to_thread(metrics.page, board, self._runtime, *about)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _page(self, _: web.Request) -> web.StreamResponse:
        return web.FileResponse(_STATIC / "index.html")


class Server:
    """A listening socket for a site; `async with`, or `start` and `stop`."""

    def __init__(
        self,
        runtime: Runtime,
        http: Http,
        models: Mapping[str, str | About],
        place: str = "",
        role: str = "serve",
        sinks: Statuses = tuple,
    ) -> None:
        """`http` was checked by the config: where it listens, it may listen. See `Site`."""
        site = Site(runtime, models, place, role, sinks, http.mlflow)
        app = site.application(Access.of(http))
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=CLOSING_SECONDS, handler_cancellation=True
        )
        self._http = http

    async def start(self) -> int:
        """Listen; gives the port. OSError if the address is taken."""
        await self._runner.setup()
        context = None if self._http.tls is None else tls_context(self._http.tls)
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
