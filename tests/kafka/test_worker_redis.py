"""Workers whose predictions wait in a real Redis say what a replay in memory says (law 3)."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from schemas.load import load_text
from streams.runtime import topics
from streams.runtime.assembly import open_replay
from tests.kafka.test_worker_machines import (
    CONFIG,
    PARTITIONS,
    ROOT,
    read,
    recorded,
    said,
    write,
    write_rows,
)
from tests.stores.conftest import Server, need_redis


@pytest.fixture
def redis(tmp_path):
    """A running Redis."""
    need_redis()
    server = Server(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.mark.slow
async def test_the_same_drift_events_though_a_profiler_is_killed_twice(
    broker, redis, topic_prefix, tmp_path
):
    """Killed while it reads; afterwards every partition's predictions and labels lie in Redis."""
    text = CONFIG.format(bootstrap=broker.bootstrap, prefix=topic_prefix, partitions=PARTITIONS)
    memory = load_text(text, {}, lambda name: Path(name).read_text())
    text += f'redis: {{url: "{redis.url}", timeout: 3s}}\napp: {topic_prefix}app\n'
    path = tmp_path / "windage.yaml"
    path.write_text(text)
    config = load_text(text, {}, lambda name: Path(name).read_text())
    topics.create(config)
    write_rows(tmp_path / "rows.csv")
    replayed = list(open_replay(memory, {}).run(recorded(tmp_path).chunks(), ["m"]))
    expected = said((o.headers, o.value) for o in replayed if o.topic == "drift-events")
    assert expected, "the recording holds a drift"
    started, log = [], (tmp_path / "said.txt").open("wb")

    def start(role):
        command = [sys.executable, "-m", "streams.cli", "worker", "--config", str(path)]
        started.append(
            subprocess.Popen([*command, "--role", role], cwd=ROOT, stderr=log, env=dict(os.environ))
        )
        return started[-1]

    try:
        profiler = start("profiler")
        start("monitor")
        await write(config, recorded(tmp_path))
        deadline, kills, found = time.monotonic() + 120, 0, {}
        while found.keys() != expected.keys() or kills < 2:
            assert time.monotonic() < deadline, (found.keys(), expected.keys())
            keys = redis.client().dbsize()
            if kills < 2 and keys > kills * 3_000:
                kills += 1
                profiler.send_signal(signal.SIGKILL)
                profiler.wait()
                profiler = start("profiler")
            found = said(await read(config, "drift-events"))
            await asyncio.sleep(0.2)
        assert expected == found
        assert redis.client().dbsize() > 5_000
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
            process.wait()
        log.close()
    assert "labels are joined from memory" not in (tmp_path / "said.txt").read_text()
