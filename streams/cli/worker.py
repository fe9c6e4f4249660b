"""`windage worker`: processes of the Kafka runtime.

Without a role and with sinks in the config, the process that carries for them runs, too.

Promises: a broker that does not answer is one line and exit code 3 within 15 seconds, before any
process is started; without a role, all processes are kept running until a signal; a reset happens
once, before the first process, and not again when one is started anew.
Leaves to others: the work (`runtime.kafka`).
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from schemas.config import Config
from streams.cli.configured import load_baselines, load_config
from streams.cli.endings import UNREACHABLE, OperatorError

if TYPE_CHECKING:
    from streams.runtime.kafka.pulse import Pulse
    from streams.runtime.kafka.supervisor import Command

RoleName = Literal["profiler", "monitor"]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The options. `workers`: processes of the role, or profilers; `http`: port of the first."""

    role: RoleName | None = None
    workers: int = 1
    reset_from: str | None = None
    http: int | None = None
    instance: str | None = None
    supervised: bool = False


def run(path: Path, asked: Asked) -> int:
    """Run until told to stop; gives the exit code."""
    where = None if asked.reset_from is None else place(asked.reset_from)
    config = load_config(path)
    baselines = load_baselines(config, path.parent)  # what is wrong with them is said once, here
    from streams.runtime.kafka import process
    from streams.runtime.kafka.supervisor import Command, follow_supervisor, supervise

    asked = msgspec.structs.replace(asked, instance=asked.instance or config.kafka.instance)
    role = asked.role
    if role is None:
        return process.run_all(
            config,
            lambda name, number: _one(path, name, asked, number),
            workers=asked.workers,
            reset_from=where,
            more=[_sinks(path, asked)] if config.sinks else [],
        )
    if asked.workers == 1:
        if asked.supervised:
            follow_supervisor()
        return process.run(
            config,
            role,
            baselines=baselines,
            reset_from=where,
            instance=asked.instance,
            show=None if asked.http is None else lambda pulse: _serve(config, asked.http, pulse),
        )
    process.check(config, role)
    if where is not None:
        process.reset(config, role, where)
    return supervise(
        [
            Command(name=f"{role} {number}", arguments=_one(path, role, asked, number))
            for number in range(asked.workers)
        ]
    )


def place(text: str) -> str | int:
    """Where reading begins: "earliest", "latest", or epoch ms; OperatorError if it is no place."""
    from schemas.instants import parse

    if text in ("earliest", "latest"):
        return text
    try:
        instant = parse(text)
    except ValueError as error:
        raise OperatorError(f"--reset-from: earliest, latest or an instant; {error}") from None
    if instant < 0:
        raise OperatorError("--reset-from: no record is older than 1970")
    return instant


def _one(path: Path, role: RoleName, asked: Asked, number: int) -> tuple[str, ...]:
    """The arguments that start one process of a role; it does not reset.

    `number` among all processes, from 0: each has a port and a name of its own.
    """
    start = (sys.executable, "-m", "streams.cli", "worker")
    own = ["--supervised"]
    if asked.http is not None:
        own += ["--http", str(asked.http + number)]
    if asked.instance is not None:
        own += ["--instance", f"{asked.instance}-{number}"]
    return (*start, "--config", str(path), *own, "--role", role)


def _sinks(path: Path, asked: Asked) -> "Command":
    """The process that carries for the sinks; whatever it meets, the machines go on."""
    from streams.runtime.kafka.supervisor import Command

    start = (sys.executable, "-m", "streams.cli", "sinks", "--config", str(path), "--supervised")
    # Its page is behind those of the profilers and of the monitor.
    page = () if asked.http is None else ("--http", str(asked.http + asked.workers + 1))
    return Command(name="sinks", arguments=(*start, *page), needed=False)


def _serve(config: Config, port: int | None, pulse: "Pulse") -> None:
    """Serve the worker's page; OperatorError if the port is taken."""
    from streams.web.views import about, paces
    from streams.web.worker import serve

    http = config.http.model_copy(update={"port": port})
    try:
        serve(pulse, http, config.limits.stall / 1000, paces(about(config)))
    except OSError as error:
        reason = error.strerror or error
        message = f"cannot listen at {http.host}:{port}: {reason}"
        raise OperatorError(message, UNREACHABLE) from None
