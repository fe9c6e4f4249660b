"""Listening: a server of pages until somebody ends it.

Promises: SIGINT and SIGTERM end it in order; a port that is taken is one line.
Leaves to others: what is behind the pages, and ending that (the commands).
"""

import asyncio
import signal

from schemas.config_links import Http
from streams.cli.console import say
from streams.cli.endings import UNREACHABLE, OperatorError
from streams.web.server import Server


async def listen(server: Server, http: Http, words: str) -> None:
    """Serve until SIGINT or SIGTERM; `words` follow the address in what is said."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        port = await server.start()
        say(f"http://{http.host}:{port}/  {words}")
        await stopped.wait()
    except OSError as error:
        message = f"cannot listen at {http.host}:{http.port}: {error.strerror or error}"
        raise OperatorError(message, UNREACHABLE) from None
    finally:
        await server.stop()
