"""`windage worker`: processes of the Kafka runtime.

Promises: a broker that does not answer is one line and exit code 3 within 15 seconds, before any
process is started; without a role, all processes are kept running until a signal.
Leaves to others: the work (`runtime.kafka`).
"""

import sys
from pathlib import Path
from typing import Literal

from schemas.config import Config
from streams.cli.configured import load_baselines, load_config

RoleName = Literal["profiler", "monitor"]


def run(path: Path, role: RoleName | None, workers: int) -> int:
    """Run until told to stop; gives the exit code."""
    config = load_config(path)
    if role is not None and workers == 1:
        from streams.runtime.kafka import process

        return process.run(config, role, baselines=load_baselines(config, path.parent))
    _ask(config)
    from streams.runtime.kafka.supervisor import Command, supervise

    roles: tuple[RoleName, ...] = ("profiler", "monitor") if role is None else (role,)
    return supervise(
        [
            Command(
                name=f"{name} {number}",
                arguments=(
                    *(sys.executable, "-m", "streams.cli", "worker"),
                    *("--config", str(path), "--role", name),
                ),
            )
            for name in roles
            for number in range(1, workers + 1)
        ]
    )


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
