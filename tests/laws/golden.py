"""Golden states: snapshots of a format as it was released, and what must follow from them.

Run as a program it writes the files of today's formats; do so when a format gets a new number,
and keep those of the former one.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

from streams.monitor.machine import FORMAT as MONITOR
from streams.profiler.machine import FORMAT as PROFILER
from streams.runtime.assembly import open_embedded
from streams.runtime.embedded import Embedded
from tests.laws.mill import LOGS, Mill
from tests.laws.world import BASELINE, MODEL, Item, World, world

FOLDER = Path(__file__).parent / "golden"
DATABASE = "windage.sqlite"
ROWS = 20
SEED = 5
HALF = 60_000
"""Milliseconds into the world at which the states are taken."""


def halfway() -> Mill:
    """A world of which about half has been read, and everything said of that half."""
    mill = Mill(world(SEED, span=12), 1, seed=SEED)
    mill.now += HALF
    for log in LOGS:
        mill.poll(mill.owners[0], log, 1 << 30)
    mill.flush(mill.owners[0])
    mill.send(mill.owners[0], 1 << 30)
    mill.judge(1 << 30)
    mill.say()
    return mill


def from_states(profiler: bytes, monitor: bytes) -> Mill:
    """The second half, from these states on."""
    mill = halfway()
    mill.slots[0] = {0: ((1 << 62,), profiler)}
    mill.owners[0] = mill._restored(0)
    mill.stored = monitor
    mill.crash_monitor()
    return mill.finish()


def files() -> dict[str, bytes]:
    """Today's states by the names of their files."""
    mill = halfway()
    (_, state), *_ = mill.slots[0].values()
    assert mill.stored is not None
    return {f"profiler-{PROFILER}.bin": state, f"monitor-{MONITOR}.bin": mill.stored}


def embedded(directory: Path) -> Embedded:
    """The embedded runtime of the small model."""
    return open_embedded(World((), 3_000, 86_400_000).config(), {MODEL: BASELINE}, directory)


def row(name: str, at: int) -> bytes:
    """A prediction at epoch milliseconds `at`."""
    return (
        Item("predictions", "prediction", at, 0, at, "1", 1.0, "a", 0.3)
        .bytes()
        .replace(b'"p0"', b'"%s"' % name.encode())
    )


def write_database() -> None:
    """A directory of the embedded runtime with some rows and a dead letter."""
    with tempfile.TemporaryDirectory() as folder:
        runtime = embedded(Path(folder))
        now = time.time_ns() // 1_000_000
        for i in range(ROWS):
            runtime.append("predictions", b"%d" % i, row(f"p{i}", now))
        runtime.append("predictions", b"bad", b"not json")
        runtime.run_until_idle()
        runtime.stop()
        shutil.copy(Path(folder) / DATABASE, FOLDER / DATABASE)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, content in files().items():
        path = FOLDER / name
        if path.exists() and path.read_bytes() != content and "--again" not in sys.argv:
            raise SystemExit(f"{name} is of this format already; give the format a new number")
        path.write_bytes(content)
    write_database()
