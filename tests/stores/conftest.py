"""A real Redis for the tests in this folder; skipped with the reason where there is none."""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import closing

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError
from redis.retry import Retry

from schemas import config_links
from streams.stores.redis_store import RedisStore

DAY = 86_400_000


class Server:
    """One redis-server on a port of its own, which keeps a log of what it is given."""

    def __init__(self, folder, *more):
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder),
            "--save", "", "--appendonly", "yes", "--appendfsync", "always", *more,
        ]  # fmt: skip
        self.process = None

    def start(self):
        """Start it on what it has kept, and wait until it answers."""
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        client = self.client()
        for _ in range(600):
            try:
                client.ping()
                break
            except RedisError as error:
                if isinstance(error, AuthenticationError):
                    break
                time.sleep(0.05)
        else:
            raise AssertionError("redis-server does not come up")
        client.close()

    def client(self, **more):
        """A client of the test's own."""
        return Redis(port=self.port, retry=Retry(NoBackoff(), 0), socket_timeout=5, **more)

    def kill(self):
        """As a power cut does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    def stand_still(self):
        """It keeps its connections, and does not answer."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        """It answers again."""
        self.process.send_signal(signal.SIGCONT)

    def store(self, **more):
        """A store of the product over it."""
        fields = {"url": self.url, "timeout": "200ms"} | more
        config = config_links.Redis.model_validate(fields)
        return RedisStore(config, "test", {"m": DAY})


def need_redis():
    """Skip where no redis-server is installed; fail in CI."""
    if shutil.which("redis-server") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("redis-server is not installed")
        pytest.skip("redis-server is not installed (apt-get install redis-server)")


@pytest.fixture
def server(tmp_path):
    """A running Redis."""
    need_redis()
    made = Server(tmp_path)
    made.start()
    yield made
    made.kill()
