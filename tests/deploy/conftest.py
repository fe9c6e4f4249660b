"""A live demo and a live worker page, for whoever asks what a metrics page says."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from schemas.config_links import Http
from schemas.lamp import Lamp
from schemas.log import Output
from streams.runtime.kafka.pulse import Pulse
from streams.sinks.courier import Status
from streams.web.sinks import of_sinks
from streams.web.worker import serve

ROWS = 9_000
"""Of the demo: enough for labels to be waited for until they are due."""

ENOUGH = "windage_label_coverage_ratio{"
"""What comes last of all that the demo's page will say."""

SECONDS = 120


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def read(place: str) -> str:
    """The text of the page at HOST:PORT/PATH, empty while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://{place}", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of `windage demo`, which has judged what it was given and goes on serving."""
    port, said = free_port(), tmp_path_factory.mktemp("demo") / "said.txt"
    command = ["demo", "--rows", str(ROWS), "--port", str(port)]
    with said.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "streams.cli", *command], stdout=file, stderr=file
        )
    try:
        end = time.monotonic() + SECONDS
        while ENOUGH not in read(f"127.0.0.1:{port}/metrics"):
            assert process.poll() is None, said.read_text()[-2000:]
            assert time.monotonic() < end, "the demo has judged no labels"
            time.sleep(0.25)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def sinks() -> str:
    """The metrics page of a process that carries for a sink which is away."""
    away = Status(
        sink="pager", sent=1, failures=2, dead_letters=0, waiting=3, failing_s=60.0, reason="503"
    )
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Fixed(lambda: of_sinks([away])))
    return generate_latest(registry).decode()


class Fixed(Collector):
    """A collector of what a function gives."""

    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self.collect = collect


@pytest.fixture(scope="session")
def worker() -> str:
    """Host and port of the page of a monitor with a red incident, which has refused a record."""
    pulse = Pulse("monitor")
    pulse.ready, pulse.owned, pulse.lag = True, (0, 1), {"journal": 3}
    pulse.store = "ok"
    pulse.lamps = [Lamp(model="m", until=0, incidents={"yellow": 0, "red": 1}, spent=0.5)]
    port = serve(pulse, Http(port=0), 60.0, {"m": 90_000})
    assert pulse.heard is not None
    code = (("windage.error.code", b"schema"),)
    pulse.heard([Output(topic="dead-letters", key=None, value=b"?", headers=code)])
    return f"127.0.0.1:{port}"
