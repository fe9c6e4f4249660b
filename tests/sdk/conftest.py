"""Servers that answer, refuse and hang, a real `windage serve`, and the broker of tests/kafka."""

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from tests.kafka.conftest import (  # noqa: F401 - fixtures and a hook
    _broker_up_again,
    broker,
    free_port,
    make_topic,
    pytest_collection_modifyitems,
    topic_prefix,
)

ROOT = Path(__file__).resolve().parents[2]
SERVE = """
version: 1
models:
  m:
    task: binary
    pane: 1m
    labels: {horizon: 1d}
    reference: {from: first, rows: 500, min_duration: 0s}
"""
START_SECONDS = 60
COUNT_SECONDS = 30


class Intake:
    """An HTTP server that keeps what it is sent; `answers` are statuses to give first."""

    def __init__(self):
        self.requests = []
        self.answers = []
        intake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = intake.answers.pop(0) if intake.answers else 202
                intake.requests.append((status, dict(self.headers), body))
                if status == 0:  # taken, and then the line breaks
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self._thread.start()

    def events(self):
        """Every event that was answered with 202, the repeats of a key only once."""
        taken = {}
        for status, headers, body in self.requests:
            if status in (0, 202):
                taken.setdefault(headers["Idempotency-Key"], body)
        return [json.loads(line) for body in taken.values() for line in body.splitlines()]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture
def intake():
    """Return an HTTP server that keeps what it is sent."""
    intake = Intake()
    yield intake
    intake.close()


@pytest.fixture
def hanging():
    """Return the address of a server that accepts connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def dead():
    """Return an address where nobody listens."""
    return f"127.0.0.1:{free_port()}"


class Serve:
    """A running `windage serve` with one model `m`."""

    def __init__(self, folder):
        (folder / "windage.yaml").write_text(SERVE)
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "streams.cli", "serve", "--config", "windage.yaml"]
        with (self.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--data", "log", "--port", str(self.port)],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.get("/readyz")
            except OSError:
                assert time.monotonic() < deadline, (self.folder / "serve.log").read_text()
                time.sleep(0.1)
            else:
                return

    def stop(self):
        """Stop it in order."""
        self.process.terminate()
        assert 0 == self.process.wait(30)

    def kill(self):
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait()

    def get(self, path):
        """The body at a path."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:  # noqa: S310
            return answer.read().decode()

    def post(self, body, kind="application/x-ndjson"):
        """Send a body as a plain client does."""
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/v1/events", body, {"Content-Type": kind}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.loads(answer.read())

    def records(self):
        """What became of the records, by topic and outcome, as its metrics say; no zeroes."""
        found = {}
        for line in self.get("/metrics").splitlines():
            if line.startswith("windage_records_total{"):
                labels, _, count = line[len("windage_records_total{") :].partition("} ")
                said = dict(part.split("=") for part in labels.replace('"', "").split(","))
                if float(count):
                    found[said["topic"], said["outcome"]] = int(float(count))
        return found

    def until(self, expected):
        """Wait until these are among the records."""
        deadline = time.monotonic() + COUNT_SECONDS
        while not expected.items() <= (found := self.records()).items():
            assert time.monotonic() < deadline, found
            time.sleep(0.1)


@pytest.fixture
def serve(tmp_path):
    """Return a running `windage serve`."""
    server = Serve(tmp_path)
    server.start()
    yield server
    if server.process.poll() is None:
        server.stop()
