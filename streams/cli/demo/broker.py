"""A broker for as long as the demo runs: one that is there, or one of our own.

Promises: our own listens on a free port and leaves nothing behind; of somebody's configuration
the names of secrets are carried on (`${NAME}`, `${file:PATH}`), never the secrets.
Leaves to others: how a broker is started (`scripts/kafka`), what `kafka` may say (`schemas`).
"""

import contextlib
import socket
import subprocess
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from streams.cli import console
from streams.cli.configured import load_config
from streams.cli.endings import UNREACHABLE, OperatorError

_SCRIPT: Final = Path(__file__).parents[3] / "scripts" / "kafka"
_ATTEMPTS: Final = 20


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """A broker for the demo: its section `kafka` as a file says it, and what names begin with."""

    section: dict[str, Any]
    group: str = "windage"
    prefix: str = ""
    replication: int = 1


class Broker:
    """`start` gives how it is reached."""

    def __init__(self, scratch: Path, bootstrap: str | None, config: Path | None = None) -> None:
        """`bootstrap`: the address of one that is there; `config`: a file that says how to it."""
        self._scratch = scratch
        self._bootstrap = bootstrap
        self._config = config
        self._options: list[str] = []

    def start(self) -> Reached:
        """How it is reached; OperatorError where there is no way to run a broker here."""
        if self._config is not None:
            return _theirs(self._config, self._bootstrap)
        return Reached(section={"bootstrap": self._bootstrap or self._own()})

    def _own(self) -> str:
        """Start our own; gives its address."""
        if not _SCRIPT.is_file():
            message = f"{_SCRIPT}: not there; say --bootstrap HOST:PORT"
            raise OperatorError(message, UNREACHABLE)
        folder = self._scratch / "broker"
        port = _free_port()
        self._options = ["--port", str(port), "--data-dir", str(folder)]
        console.say(f"starting Kafka at 127.0.0.1:{port}")
        done = subprocess.run(  # noqa: S603 - our own program
            [str(_SCRIPT), "start", *self._options],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            said = done.stderr.strip().splitlines() or ["it did not start"]
            raise OperatorError(f"no broker: {said[-1]}", UNREACHABLE)
        return f"127.0.0.1:{port}"

    def stop(self) -> None:
        """Stop our own broker and delete what it stored."""
        if self._options:
            subprocess.run(  # noqa: S603 - our own program
                [str(_SCRIPT), "stop", "--wipe", *self._options],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self._options = []


def _theirs(path: Path, bootstrap: str | None) -> Reached:
    """What a configuration says of Kafka; ConfigError with every problem in it."""
    config = load_config(path)
    written = yaml.safe_load(path.read_text(encoding="utf-8")).get("kafka") or {}
    return Reached(
        section={**written, "bootstrap": bootstrap or config.kafka.bootstrap},
        group=config.kafka.group,
        prefix=config.topics.prefix,
        replication=config.topics.replication,
    )


def _free_port() -> int:
    """A port that is free together with the next one, which the controller takes."""
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(OSError), socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            second.bind(("127.0.0.1", port + 1))
            return port
    raise OperatorError("no two free ports in a row were found", UNREACHABLE)
