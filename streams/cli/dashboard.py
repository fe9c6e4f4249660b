"""`windage dashboard`: the pages of an installation that runs elsewhere, workers on Kafka.

Promises: it only looks, but for what a person says in a page; nothing of it is left behind.
Leaves to others: following the topics (`web.mirror`), the pages (`web.server`).
"""

import asyncio
import shlex
import tempfile
from pathlib import Path

from schemas.config import Config
from schemas.config_links import Http
from streams.cli.configured import load_config
from streams.cli.listening import listen
from streams.cli.places import Place, reading, writer_of
from streams.runtime.kafka.reading import KafkaReader
from streams.web.mirror import Mirror
from streams.web.server import Server
from streams.web.views import about


def run(config_path: Path, port: int | None) -> None:
    """Show the pages until SIGINT or SIGTERM."""
    config = load_config(config_path)
    place = Place(config=config_path)
    with reading(place):
        pass  # a broker that cannot be reached is said before anything is served
    http = config.http if port is None else config.http.model_copy(update={"port": port})
    with tempfile.TemporaryDirectory(prefix="windage-dashboard-") as scratch:
        mirror = Mirror(lambda: KafkaReader(config), writer_of(place), Path(scratch))
        asyncio.run(_serve(mirror, config, http, f"--config {shlex.quote(str(config_path))}"))


async def _serve(mirror: Mirror, config: Config, http: Http, place: str) -> None:
    mirror.start()
    server = Server(mirror, http, about(config), place, role="dashboard")
    try:
        await listen(server, http, "Ctrl-C ends")
    finally:
        await asyncio.to_thread(mirror.stop)
