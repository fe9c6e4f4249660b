"""Tokens that run out while a worker is connected: it goes on with new ones, and loses nothing."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import windage
from tests.kafka.secured import BRIEF_SECONDS
from tests.kafka.test_secured import Installation, until
from tests.kafka.test_secured_ways import token, token_server
from tests.refused import now

ROOT = Path(__file__).resolve().parents[2]
ROWS = 100
ROUNDS = 4
STOP_SECONDS = 40
SECRET = "t0p-s3cret"


class Worker:
    """A profiler whose tokens come from a server."""

    def __init__(self, path, log):
        self._log = log
        with log.open("wb") as said:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "streams.cli", "worker", "--role", "profiler"),
                    "-c",
                    path,
                ],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=os.environ | {"CLIENT": "me", "SECRET": SECRET},
            )

    def said(self):
        return self._log.read_text()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)


def publish(installation, first):
    """Send so many predictions, beginning with that number."""
    with windage.Publisher(
        f"kafka://{installation.secured.open}",
        model="m",
        version="1",
        topic_prefix=installation.prefix,
    ) as pub:
        for n in range(first, first + ROWS):
            pub.prediction({"x": n % 7 / 2}, n % 2, id=f"p{n}", timestamp=now())
        assert pub.flush(30)


@pytest.mark.slow
async def test_a_worker_outlives_its_tokens(secured, tmp_path):
    """The broker ends every connection with its token; each record is counted once all the same."""
    installation = Installation(secured, tmp_path)
    installation.create()
    for resource in ("Topic", "Group"):
        secured.allow("svc", "All", resource, installation.prefix)

    def answer():
        return {"access_token": token("svc", BRIEF_SECONDS), "expires_in": BRIEF_SECONDS}

    with token_server(answer) as (url, asked):
        path = installation.path(
            "brief",
            mechanism="OAUTHBEARER",
            username=None,
            password=None,
            token_url=url,
            client_id="${CLIENT}",
            client_secret="${SECRET}",
        )
        worker = Worker(path, tmp_path / "said")
        try:
            for number in range(ROUNDS):
                begun = time.monotonic()
                await asyncio.to_thread(publish, installation, number * ROWS)
                expected = (number + 1) * ROWS
                await until(worker, lambda expected=expected: installation.accounts() == expected)
                await asyncio.sleep(max(0.0, begun + 1.5 * BRIEF_SECONDS - time.monotonic()))
        finally:
            code = await asyncio.to_thread(worker.stop)
    assert 0 == code, worker.said()
    assert ROUNDS * ROWS == installation.accounts()
    assert len(asked) >= ROUNDS, "each round lasted longer than a token"
    assert SECRET not in worker.said()
