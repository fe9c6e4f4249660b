"""HTTP intake at full rate, killed again and again: what got a 202 is counted exactly once."""

import http.client
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import orjson
import pytest

from schemas.journal import Profile, decode
from tests.laws.world import MODEL
from tests.runtime.intaking import PARTITIONS, opened

ROOT = Path(__file__).parents[2]
BATCH = 100
CONNECTIONS = 3


class Feeder:
    """Posts batch after batch over some connections; one without an answer is posted again."""

    def __init__(self):
        self.port = None
        self.stopped = threading.Event()
        self.up = threading.Event()
        self.over = False
        self.accepted: list[set[str]] = [set() for _ in range(CONNECTIONS)]
        self.cut_off = 0  # posts that a server had taken and never answered
        self.threads = [
            threading.Thread(target=self._feed, args=(number,)) for number in range(CONNECTIONS)
        ]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        """Every batch begun is answered first."""
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def _feed(self, number):
        batch = 0
        while not self.stopped.is_set():
            names = [f"{number}-{batch}-{i}" for i in range(BATCH)]
            body, key = _body(names), f"{number}-{batch}"
            while not self._posted(body, key):
                self.up.wait(10)
                if self.over:
                    return
            self.accepted[number].update(names)
            batch += 1

    def _posted(self, body, key):
        """Whether the batch was accepted, now or before."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", "/v1/events", body, {"Idempotency-Key": key})
            answer = connection.getresponse()
            content = answer.read()
        except ConnectionRefusedError:
            return False
        except (OSError, http.client.HTTPException):
            self.cut_off += 1
            return False
        finally:
            connection.close()
        if answer.status == 429:
            time.sleep(0.1)
            return False
        assert 202 == answer.status, content
        return True


def _body(names):
    """A batch of predictions of this moment and their labels."""
    now = int(time.time() * 1000)
    rows = []
    for name in names:
        about = {"model": MODEL, "prediction_id": name, "timestamp": now}
        rows.append({**about, "version": "1", "prediction": 1, "score": 0.3, "features": {"x": 1}})
        rows.append({**about, "label": 1})
    return orjson.dumps(rows)


def kill_again_and_again(directory, times, seed):
    """Feed a server that is killed `times` times; gives the feeder, when all was answered."""
    chance, feeder = random.Random(seed), Feeder()
    command = [sys.executable, "-m", "tests.runtime.intaking", str(directory)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            for kill in range(times + 1):
                process.stdin.write(b"go\n")
                process.stdin.flush()
                pid, feeder.port = map(int, process.stdout.readline().split())
                feeder.up.set()
                if not kill:
                    feeder.start()
                time.sleep(chance.uniform(0.05, 0.6))
                if kill == times:
                    feeder.stop()
                feeder.up.clear()
                os.kill(pid, signal.SIGKILL)
        finally:
            feeder.over = True
            feeder.stopped.set()
            feeder.up.set()
            process.stdin.close()
    return feeder


def check(directory, feeder):
    """Every accepted event stands in the log once, and is counted once."""
    accepted = set().union(*feeder.accepted)
    runtime = opened(directory)
    try:
        runtime.run_until_idle()
        for log in ("predictions", "labels"):
            stored = [
                orjson.loads(record.value)["prediction_id"]
                for partition in range(PARTITIONS)
                for record in runtime.log.read(log, partition, 0, 10_000_000)
            ]
            assert accepted == set(stored)
            assert len(accepted) == len(stored)
            books = runtime.accounting()[log]
            assert (len(accepted), 0) == (books["counted"], books["duplicate"])
        assert len(accepted) == runtime.accounting()["labels"]["outcomes"]
        runtime.run_until_idle(int(time.time() * 1000) + 3_600_000)
        rows = dict.fromkeys(("predictions", "outcomes"), 0)
        for profile in _profiles(runtime):
            if profile.key.segment == "*" and profile.key.kind in rows:
                rows[profile.key.kind] += profile.rows
        assert {"predictions": len(accepted), "outcomes": len(accepted)} == rows
    finally:
        runtime.stop()


def _profiles(runtime):
    """The last profile of each key in the journal."""
    journal = runtime.log.read("journal", 0, 0, 10_000_000)
    entries = [decode(record.value) for record in journal]
    return {one.key: one for one in entries if isinstance(one, Profile)}.values()


def test_what_was_accepted_is_counted_once_after_kill_9(tmp_path):
    """Five kills at random moments while intake and machines run at full rate."""
    feeder = kill_again_and_again(tmp_path, 5, seed=1)
    assert feeder.cut_off, "nothing was put to the test"
    check(tmp_path, feeder)


@pytest.mark.slow
def test_what_was_accepted_is_counted_once_after_200_times_kill_9(tmp_path):
    """The same with two hundred kills."""
    feeder = kill_again_and_again(tmp_path, 200, seed=2)
    assert feeder.cut_off >= 100
    check(tmp_path, feeder)
