"""Workers as an operator runs them, and hands that can kill, stop and wake their processes.

A member is one `windage worker` with both roles: a supervisor and its children. The fleet is what
a service manager is: a member that ends by itself is started again.

Promises: signals go only to processes that were started here (by pid, taken from the system's own
tree); everything a member says is kept.
Leaves to others: what to do to whom and when (`faults`).
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

from scripts.storm.broker import ROOT

PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
STOP_SECONDS: Final = 40.0
AGAIN_SECONDS: Final = 1.0


class Member:
    """One `windage worker`; `static` gives it a name in the group that it keeps."""

    def __init__(self, name: str, config: Path, *, static: bool) -> None:
        self.name = name
        self.static = static
        self.log = config.parent / f"worker-{name}.log"
        self.wanted = False
        self.process: subprocess.Popen[bytes] | None = None
        own = ("--instance", name) if static else ()
        self._command = [
            *(sys.executable, "-m", "streams.cli", "worker", "--config", str(config), *own)
        ]

    def start(self) -> None:
        """Start it; its children follow."""
        self.wanted = True
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def stop(self) -> None:
        """Stop it in order, and kill what does not follow."""
        self.wanted = False
        if self.process is None:
            return
        pids = self.pids()
        self.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while any(map(alive, pids)) and time.monotonic() < deadline:
            self.process.poll()
            await asyncio.sleep(0.1)
        for pid in filter(alive, pids):
            send(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def children(self, role: str | None = None) -> list[int]:
        """The pids of its role processes, or of one role."""
        if self.process is None:
            return []
        found = children_of(self.process.pid)
        return [pid for pid in found if role is None or command_of(pid).endswith(f" {role}")]

    def pids(self) -> list[int]:
        """Every process of it, the supervisor first."""
        return [] if self.process is None else [self.process.pid, *self.children()]


class Fleet:
    """The members of a run, kept running."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self.members: list[Member] = []
        self.codes: Counter[int] = Counter()
        """Exit codes of members that ended by themselves."""
        self.starts = 0
        self.largest_rss: int = 0
        self.rss: list[tuple[float, int]] = []
        """(seconds since the epoch, bytes of the largest role process) as time goes by."""

    def join(self, name: str, *, static: bool = False) -> Member:
        """Add a member and start it."""
        member = Member(name, self._config, static=static)
        self.members.append(member)
        member.start()
        self.starts += 1
        return member

    async def leave(self, member: Member) -> None:
        """Stop a member in order, and forget it."""
        self.members.remove(member)
        await member.stop()

    async def keep(self) -> None:
        """Start again whoever ended; measure everybody. Runs until it is cancelled."""
        while True:
            for member in self.members:
                code = None if member.process is None else member.process.poll()
                if member.wanted and code is not None:
                    self.codes[code] += 1
                    member.process = None
                    await asyncio.sleep(AGAIN_SECONDS)
                    if member.wanted:
                        member.start()
                        self.starts += 1
            self._measure()
            await asyncio.sleep(0.5)

    def _measure(self) -> None:
        sizes = [rss_of(pid) for member in self.members for pid in member.children()]
        if sizes:
            self.rss.append((time.time(), max(sizes)))
            self.largest_rss = max(self.largest_rss, *sizes)

    def said(self) -> dict[Path, int]:
        """How much each member has said so far, by log."""
        return {path: path.stat().st_size for path in self._config.parent.glob("worker-*.log")}

    def said_since(self, before: dict[Path, int]) -> str:
        """What has been said since `said()` gave `before`."""
        texts = []
        for path in sorted(self._config.parent.glob("worker-*.log")):
            with path.open("rb") as log:
                log.seek(before.get(path, 0))
                texts.append(log.read().decode(errors="replace"))
        return "".join(texts)

    async def stop(self) -> None:
        """Stop everybody in order."""
        members, self.members = self.members, []
        await asyncio.gather(*[member.stop() for member in members])


def send(pid: int, number: int) -> bool:
    """Send a signal; whether there was somebody to take it."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def alive(pid: int) -> bool:
    """Whether a process is there and not just a name."""
    try:
        return _stat(pid)[0] != "Z"
    except OSError:
        return False


def children_of(parent: int) -> list[int]:
    """The pids whose parent this is."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = _stat(int(entry.name))
            except OSError:
                continue
            if int(fields[1]) == parent and fields[0] != "Z":
                found.append(int(entry.name))
    return sorted(found)


def command_of(pid: int) -> str:
    """The command line of a process, empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return ""


def rss_of(pid: int) -> int:
    """Resident bytes of a process, 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return 0


def _stat(pid: int) -> list[str]:
    """State, parent and so on: what follows the name in the system's table."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
