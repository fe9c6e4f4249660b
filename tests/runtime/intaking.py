"""Servers to be killed: `windage serve` in small, started again at each word on standard input.

intaking.py DIRECTORY    prints pid and port of a server on DIRECTORY for each line it reads

Servers are forks of a process that has imported everything, so that hundreds of them are cheap.
"""

import asyncio
import os
import sys
from pathlib import Path

from schemas.config_links import Http
from streams.runtime import embedded
from streams.runtime.assembly import open_embedded
from streams.web.server import Server
from tests.laws.world import BASELINE, MODEL, World

WORLD = World((), 3_000, 86_400_000)
PARTITIONS = 2


def opened(directory: Path) -> embedded.Embedded:
    """The runtime of the tiny model, whose reference is known."""
    return open_embedded(WORLD.config(), {MODEL: BASELINE}, directory, partitions=PARTITIONS)


async def serve(directory: Path) -> None:
    """Serve until somebody kills the process."""
    embedded.COMMIT_SECONDS = 0.02  # many commits, so that a kill meets one
    runtime = opened(directory)
    runtime.start()
    port = await Server(runtime, Http(port=0), {MODEL: "binary"}).start()
    print(os.getpid(), port, flush=True)  # noqa: T201  # read by the test
    await asyncio.Event().wait()


def main() -> None:
    """Fork a server for each line, one after the other."""
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            asyncio.run(serve(Path(sys.argv[1])))
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
