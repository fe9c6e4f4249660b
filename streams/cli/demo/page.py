"""The web page over the demo's runtime, in a thread of its own.

Promises: `with` it is there, afterwards it is not; without a port said, 8080 or else a free one.
Leaves to others: what the page shows (`streams.web`).
"""

import asyncio
from collections.abc import Coroutine
from threading import Thread
from typing import Any, Final, Self, TypeVar

from schemas.config import Config
from streams.cli.endings import UNREACHABLE, OperatorError
from streams.runtime.embedded import Embedded
from streams.web.server import Server
from streams.web.views import about

FREE: Final = 0

Result = TypeVar("Result")


class Page:
    """A server over a started or unstarted runtime."""

    def __init__(self, runtime: Embedded, config: Config, port: int | None) -> None:
        self._runtime = runtime
        self._config = config
        self._ports = [config.http.port, FREE] if port is None else [port]
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="windage-page", daemon=True)
        self._server: Server | None = None
        self.address = ""

    def __enter__(self) -> Self:
        self._thread.start()
        reason = ""
        for port in self._ports:
            http = self._config.http.model_copy(update={"port": port})
            server = Server(self._runtime, http, about(self._config))
            try:
                found = self._await(server.start())
            except OSError as error:
                self._await(server.stop())
                reason = error.strerror or str(error)
                continue
            self._server = server
            self.address = f"http://{http.host}:{found}/"
            return self
        self._end()
        raise OperatorError(f"cannot listen at port {self._ports[-1]}: {reason}", UNREACHABLE)

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._await(self._server.stop())
        self._end()

    def _await(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
