"""`windage serve`: one machine with HTTP intake, SQLite log, both machines and a web page.

Promises: what was accepted before a stop is there after the next start; a port that is taken, or
a directory that cannot be used, is one line.
Leaves to others: the runtime (`runtime.embedded`), the paths (`web.server`).
"""

import asyncio
import shlex
import signal
from collections.abc import Mapping
from pathlib import Path

from schemas.baseline import Baseline
from schemas.config import Config
from schemas.config_links import Http
from streams.cli.configured import load_baselines, load_config
from streams.cli.console import say
from streams.cli.endings import UNREACHABLE, OperatorError
from streams.runtime.assembly import open_embedded
from streams.runtime.embedded import Embedded
from streams.web.server import Server
from streams.web.views import about


def run(config_path: Path, directory: Path, port: int | None) -> None:
    """Serve until SIGINT or SIGTERM."""
    config = load_config(config_path)
    runtime = open_runtime(config, load_baselines(config, config_path.parent), directory)
    http = config.http if port is None else config.http.model_copy(update={"port": port})
    asyncio.run(_serve(runtime, config, http, f"--data {shlex.quote(str(directory))}"))


def open_runtime(config: Config, known: Mapping[str, Baseline], directory: Path) -> Embedded:
    """The embedded runtime of a config; LogError or SnapshotError where the directory says no."""
    return open_embedded(config, known, directory)


async def _serve(runtime: Embedded, config: Config, http: Http, place: str) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    runtime.start()
    server = Server(runtime, http, about(config), place)
    try:
        port = await server.start()
        say(f"http://{http.host}:{port}/  POST events to /v1/events; Ctrl-C ends")
        await stopped.wait()
    except OSError as error:
        message = f"cannot listen at {http.host}:{http.port}: {error.strerror or error}"
        raise OperatorError(message, UNREACHABLE) from None
    finally:
        await server.stop()
        await asyncio.to_thread(runtime.stop)
