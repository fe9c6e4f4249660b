"""A broker of our own with a bad line before it: workers go through a proxy, the harness past it.

Promises: only processes started here are ended; the records of a run are wiped at its end.
Leaves to others: how a broker is run (`scripts/kafka`), what is done to it (`faults`).
"""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Final

from scripts.ports import free_ports

ROOT: Final = Path(__file__).resolve().parents[2]
START_SECONDS: Final = 300


class BrokerError(Exception):
    """The broker or the proxy cannot be run; the message says why."""


class Broker:
    """One broker on free ports. `port` is the proxy's, `direct` the broker's own."""

    def __init__(self, folder: Path) -> None:
        inner, _controller, self.direct, self.port = free_ports(4)
        self._folder = folder / "broker"
        self._options = [
            *("--port", str(inner), "--direct", str(self.direct)),
            *("--advertise", f"127.0.0.1:{self.port}", "--data-dir", str(self._folder)),
        ]
        self._inner = inner
        self._proxy: asyncio.subprocess.Process | None = None

    async def open(self) -> None:
        """Start broker and proxy. BrokerError if one does not come up."""
        await self.start()
        self._proxy = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "scripts.storm.proxy", str(self.port), str(self._inner)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        assert self._proxy.stdout is not None
        if await self._proxy.stdout.readline() != b"ready\n":
            raise BrokerError(f"the proxy does not listen at {self.port}")

    async def close(self) -> None:
        """End both, and delete the records."""
        if self._proxy is not None:
            assert self._proxy.stdin is not None
            self._proxy.stdin.close()
            await self._proxy.wait()
        await self._script("stop", "--wipe")

    async def line(self, mode: str) -> None:
        """Make the line between workers and broker good (`pass`) or bad."""
        assert self._proxy is not None
        assert self._proxy.stdin is not None
        self._proxy.stdin.write(mode.encode() + b"\n")
        await self._proxy.stdin.drain()

    async def start(self) -> None:
        """Start it on the records it had."""
        code, said = await self._script("start")
        if code:
            raise BrokerError(said.strip() or f"scripts/kafka ended with {code}")

    async def stop(self) -> None:
        """Shut it down in order."""
        await self._script("stop")

    async def kill(self) -> None:
        """End it as a power cut does."""
        await self._script("kill")

    async def _script(self, command: str, *more: str) -> tuple[int, str]:
        done = await asyncio.to_thread(
            subprocess.run,
            [ROOT / "scripts" / "kafka", command, *self._options, *more],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        return done.returncode, done.stderr
