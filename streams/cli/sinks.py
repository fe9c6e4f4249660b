"""`windage sinks`: carries alerts and requests from Kafka to the sinks of the config.

Promises: a broker that does not answer is one line and exit code 3, a topic or permission that is
missing one line and code 2, before anything is sent; a sink that is away ends nothing.
Leaves to others: carrying (`streams.sinks`).
"""

import asyncio
import logging
import signal
from pathlib import Path

from aiohttp import web

from schemas.config import Config
from schemas.config_links import Http
from schemas.config_sinks import Sink
from streams.cli.configured import load_config
from streams.cli.console import say
from streams.cli.endings import REFUSED, UNREACHABLE, OperatorError
from streams.sinks.kafka_source import KafkaSource, opened
from streams.sinks.office import Office


def run(path: Path, http: int | None, *, supervised: bool = False) -> None:
    """Carry until SIGINT or SIGTERM."""
    config = load_config(path)
    if not config.sinks:
        raise OperatorError(f"{path}: sinks: there are none to carry for", REFUSED)
    check(config)
    if supervised:
        from streams.runtime.kafka.supervisor import follow_supervisor

        follow_supervisor()
    # aiokafka tells each lost connection; what matters of it is said by the office.
    logging.basicConfig(format="%(asctime)s windage sinks: %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    page = None if http is None else config.http.model_copy(update={"port": http})
    asyncio.run(_carry(config, page))


def check(config: Config) -> None:
    """RefusedError or UnreachableError if no sink could be told of anything: asks the broker."""
    from schemas import access
    from streams.runtime.kafka import survey
    from streams.runtime.kafka.connection import connection_of
    from streams.runtime.kafka.exits import RefusedError

    connection = connection_of(config.kafka)
    wanted = dict.fromkeys((*access.READS["sinks"], *access.WRITES["sinks"]))
    names = [config.topics.name(topic) for topic in wanted]
    there = survey.survey(connection, names)
    missing = [name for name in names if name not in there]
    if missing:
        raise RefusedError(f"not on the broker: {', '.join(missing)} (windage topics create)")
    rows = [row for row in access.access(config) if row.role == "sinks" and row.resource == "Topic"]
    survey.check_allowed(connection, there, [(row.operation, row.name) for row in rows])


async def _carry(config: Config, http: Http | None) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)

    async def opening(name: str, sink: Sink) -> KafkaSource:
        return await opened(config, name, sink.told)

    office = Office(config, opening)
    carrying = asyncio.create_task(office.run())
    runner = None if http is None else await _show(office, http)
    say(f"carries for {', '.join(sorted(config.sinks))}; Ctrl-C ends")
    waiting = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({carrying, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (carrying, waiting):
            task.cancel()
        await asyncio.gather(carrying, waiting, return_exceptions=True)
        if runner is not None:
            await runner.cleanup()


async def _show(office: Office, http: Http) -> web.AppRunner:
    """Serve the page; OperatorError if the port is taken."""
    from streams.web.access import Access
    from streams.web.sinks import application
    from streams.web.tls import tls_context

    runner = web.AppRunner(application(office.status, Access.of(http)), access_log=None)
    await runner.setup()
    context = None if http.tls is None else tls_context(http.tls)
    try:
        await web.TCPSite(runner, http.host, http.port, ssl_context=context).start()
    except OSError as error:
        message = f"cannot listen at {http.host}:{http.port}: {error.strerror or error}"
        raise OperatorError(message, UNREACHABLE) from None
    return runner
