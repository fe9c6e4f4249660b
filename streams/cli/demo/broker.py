"""A broker for as long as the demo runs: one that is there, or one of our own.

Promises: our own listens on a free port and leaves nothing behind.
Leaves to others: how a broker is started (`scripts/kafka`).
"""

import contextlib
import socket
import subprocess
from pathlib import Path
from typing import Final

from streams.cli import console
from streams.cli.endings import UNREACHABLE, OperatorError

_SCRIPT: Final = Path(__file__).parents[3] / "scripts" / "kafka"
_ATTEMPTS: Final = 20


class Broker:
    """`start` gives its address."""

    def __init__(self, scratch: Path, bootstrap: str | None) -> None:
        """`bootstrap`: the address of one that is there."""
        self._scratch = scratch
        self._bootstrap = bootstrap
        self._options: list[str] = []

    def start(self) -> str:
        """The address; OperatorError where there is no way to run a broker here."""
        if self._bootstrap is not None:
            return self._bootstrap
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


def _free_port() -> int:
    """A port that is free together with the next one, which the controller takes."""
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(OSError), socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            second.bind(("127.0.0.1", port + 1))
            return port
    raise OperatorError("no two free ports in a row were found", UNREACHABLE)
