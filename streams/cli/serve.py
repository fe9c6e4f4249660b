"""`windage serve`: one machine with HTTP intake, SQLite log, both machines and a web page.

Promises: what was accepted before a stop is there after the next start; a port that is taken, or
a directory that cannot be used, is one line.
Leaves to others: the runtime (`runtime.embedded`), the paths (`web.server`).
"""

import asyncio
import shlex
from collections.abc import Mapping
from pathlib import Path

from schemas.baseline import Baseline
from schemas.config import Config
from schemas.config_links import Http
from schemas.config_sinks import Sink
from streams.cli.configured import load_baselines, load_config
from streams.cli.listening import listen
from streams.cli.worker import place
from streams.runtime.assembly import open_embedded
from streams.runtime.embedded import Embedded
from streams.runtime.reset import reset
from streams.sinks.log_source import LogSource
from streams.sinks.office import Office
from streams.web.server import Server
from streams.web.views import about


def run(
    config_path: Path, directory: Path, port: int | None, reset_from: str | None = None
) -> None:
    """Serve until SIGINT or SIGTERM; `reset_from`: begin anew there, first."""
    where = None if reset_from is None else place(reset_from)
    config = load_config(config_path)
    if where is not None:
        reset(directory, config.hashes(), where)
    runtime = open_runtime(config, load_baselines(config, config_path.parent), directory)
    http = config.http if port is None else config.http.model_copy(update={"port": port})
    asyncio.run(_serve(runtime, config, http, f"--data {shlex.quote(str(directory))}"))


def open_runtime(config: Config, known: Mapping[str, Baseline], directory: Path) -> Embedded:
    """The embedded runtime of a config; LogError or SnapshotError where the directory says no."""
    return open_embedded(config, known, directory)


async def _serve(runtime: Embedded, config: Config, http: Http, place: str) -> None:
    office = sinks_of(runtime, config)
    office.start()  # first, so that a new sink is told of all that the machines say from now on
    runtime.start()
    server = Server(runtime, http, about(config), place, sinks=office.status)
    try:
        await listen(server, http, "POST events to /v1/events; Ctrl-C ends")
    finally:
        await asyncio.to_thread(office.stop)
        await asyncio.to_thread(runtime.stop)


def sinks_of(runtime: Embedded, config: Config) -> Office:
    """The couriers of a config over the log of a runtime; not started."""
    sources: dict[str, LogSource] = {
        name: LogSource(runtime.log, name, sink.told) for name, sink in config.sinks.items()
    }

    async def opening(name: str, sink: Sink) -> LogSource:
        sources[name] = LogSource(runtime.log, name, sink.told)
        return sources[name]

    def ring() -> None:
        for source in list(sources.values()):
            source.ring()

    runtime.observers.append(ring)
    return Office(config, opening)
