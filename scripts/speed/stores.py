"""What it costs to let predictions wait in Redis: CPU an event beside memory, bytes a prediction.

    .venv/bin/python scripts/speed/stores.py [ROWS]

Both arms read the same JSON records in one process, in turns: a prediction of ten numeric features
each, and a label for every fifth, so much later that its prediction has left memory. Redis is
started on a free port (redis-server) and keeps no log. The keys: `memory_us` and `redis_us`, CPU of
this process an event (prediction or label); `redis_server_us`, that of Redis; `bytes`, what Redis
needs for a prediction that waits, key, index and expiry included.
"""

import json
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import events  # noqa: E402 - beside this file
from redis import Redis  # noqa: E402
from redis.exceptions import RedisError  # noqa: E402

from schemas.baseline import decode  # noqa: E402 - as above
from schemas.config_links import Redis as Link  # noqa: E402
from schemas.counting import Counting  # noqa: E402
from schemas.log import Record  # noqa: E402
from streams.profiler import Profiler  # noqa: E402
from streams.stores import Attended  # noqa: E402
from streams.stores.redis_store import RedisStore  # noqa: E402

DAY_MS = 86_400_000
PANE_MS = 10_000
STEP = 5
"""Chunks of a thousand predictions in one step."""
LATER = 10
"""Steps after which a label comes."""


class Arm:
    """One profiler, and the CPU it has taken."""

    def __init__(self, store: RedisStore | None) -> None:
        counting = Counting(
            model=events.MODEL,
            task="binary",
            pane=PANE_MS,
            lateness=PANE_MS // 2,
            horizon=30 * DAY_MS,
            clock="broker",
            labelled=True,
            source=None if store is None else "bench",
        )
        grids = {events.MODEL: decode(events.reference("")).grid}
        profiler = Profiler({events.MODEL: counting}, partition=0, partitions=1, grids=grids)
        self.machine: Any = profiler if store is None else Attended(profiler, store)
        self.seconds = 0.0

    def take(self, log: str, records: list[Record]) -> None:
        """Count records, flush, and take a snapshot."""
        begun = time.process_time()
        self.machine.step(log, records)
        self.machine.flush()
        self.machine.snapshot()
        self.seconds += time.process_time() - begun


def run(port: int, rows: int) -> dict[str, float]:
    """Both arms, a step of each in turn."""
    client: Any = Redis(port=port)
    store = RedisStore(
        Link.model_validate({"url": f"redis://127.0.0.1:{port}/0", "timeout": "3s"}),
        "bench",
        {events.MODEL: 30 * DAY_MS},
    )
    arms = Arm(None), Arm(store)
    before = client.info("memory")["used_memory"]
    waiting: list[list[Record]] = []
    told = asked = 0
    batch: list[Any] = []
    for chunk in events.chunks(rows):
        batch.append(chunk)
        if len(batch) < STEP:
            continue
        at = int(batch[-1].moment.astype(int))
        values = [value for one in batch for value in one.predictions_json()]
        labels = [value for one in batch for value in one.labels_json()]
        predictions = [
            Record(offset=asked + i, timestamp=at, value=value) for i, value in enumerate(values)
        ]
        asked += len(values)
        waiting.append([Record(offset=0, timestamp=at, value=value) for value in labels])
        batch = []
        for arm in arms:
            arm.take("predictions", predictions)
        if len(waiting) <= LATER:
            continue
        late = [
            Record(offset=told + i, timestamp=at, value=one.value)
            for i, one in enumerate(waiting.pop(0))
        ]
        told += len(late)
        for arm in arms:
            arm.take("labels", late)
    about = client.info()
    books = [arm.machine.accounting() for arm in arms]
    if books[0] != books[1] or store.trouble():
        raise AssertionError(f"the arms differ: {books}, {store.trouble()}")
    # Labels share the key of their prediction: what they add is counted to it.
    return {
        "predictions": asked,
        "labels": told,
        "joined": books[1]["labels"].joined,
        "memory_us": round(arms[0].seconds / (asked + told) * 1e6, 2),
        "redis_us": round(arms[1].seconds / (asked + told) * 1e6, 2),
        "redis_server_us": round(
            (about["used_cpu_user"] + about["used_cpu_sys"]) / (asked + told) * 1e6, 2
        ),
        "bytes": round((about["used_memory"] - before) / asked, 1),
        "memory_bytes": round(arms[0].machine.pending_bytes / asked, 1),
    }


def main() -> None:
    """Start Redis, run, and print what was found."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--dir", folder, "--save", ""]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            _wait(port)
            print(json.dumps(run(port, rows)))
        finally:
            server.kill()
            server.wait()


def _wait(port: int) -> None:
    """Until it answers, ten seconds at most."""
    client = Redis(port=port)
    for _ in range(100):
        try:
            client.ping()
        except RedisError:
            time.sleep(0.1)
        else:
            return


if __name__ == "__main__":
    main()
