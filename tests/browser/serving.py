"""A server in a thread of its own, because the browser is driven from this one."""

import asyncio
from threading import Thread

from schemas.config_links import Http


class Serving:
    """`with` it is there; gives its address."""

    def __init__(self, make):
        self._make = make
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        self._server = self._make(Http(port=0))
        return f"http://127.0.0.1:{self._wait(self._server.start())}"

    def __exit__(self, *_):
        self._wait(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
