"""`windage worker`: processes of the Kafka runtime.

Promises: a broker that does not answer is one line and exit code 3 within 15 seconds, before any
process is started; without a role, all processes are kept running until a signal; a reset happens
once, before the first process, and not again when one is started anew.
Leaves to others: the work (`runtime.kafka`).
"""

import sys
from pathlib import Path
from typing import Literal

from schemas.config import Config
from streams.cli.configured import load_baselines, load_config
from streams.cli.endings import OperatorError

RoleName = Literal["profiler", "monitor"]


def run(path: Path, role: RoleName | None, workers: int, reset_from: str | None = None) -> int:
    """Run until told to stop; gives the exit code. `workers`: of the role, or profilers."""
    where = None if reset_from is None else place(reset_from)
    config = load_config(path)
    baselines = load_baselines(config, path.parent)  # what is wrong with them is said once, here
    from streams.runtime.kafka import process

    if role is None:
        return process.run_all(
            config, lambda name: _one(path, name), workers=workers, reset_from=where
        )
    if workers == 1:
        return process.run(config, role, baselines=baselines, reset_from=where)
    _ask(config)
    if where is not None:
        process.reset(config, role, where)
    from streams.runtime.kafka.supervisor import Command, supervise

    return supervise(
        [
            Command(name=f"{role} {number}", arguments=_one(path, role))
            for number in range(1, workers + 1)
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


def _one(path: Path, role: RoleName) -> tuple[str, ...]:
    """The arguments that start one process of a role; it does not reset."""
    start = (sys.executable, "-m", "streams.cli", "worker")
    return (*start, "--config", str(path), "--role", role)


def _ask(config: Config) -> None:
    """UnreachableError or RefusedError if no worker could run."""
    from schemas.log import INPUT_LOGS
    from schemas.topics import plan
    from streams.runtime.kafka.connection import connection_of
    from streams.runtime.kafka.survey import check_config, check_inputs, survey

    names = [topic.name for topic in plan(config)]
    there = survey(connection_of(config.kafka), names)
    check_inputs(there, {log: config.topics.name(log) for log in INPUT_LOGS}, names)
    check_config(there, config)
