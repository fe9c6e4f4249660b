"""A real broker for the tests in this folder, and topics that no other test has.

One broker serves the session, on a free port, with its records in a temporary folder. Where none
can run the tests are skipped with the reason; with CI=true or WINDAGE_REQUIRE_KAFKA=1 they fail.
A broker that can run but does not come up is always a failure.
"""

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import KafkaAdminClient, NewTopic

from scripts.ports import free_ports

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "kafka"
NO_WAY = 3  # exit code of scripts/kafka where neither Docker nor Java and Maven can run a broker
START_SECONDS = 600  # the first start on a machine downloads the broker

MakeTopic = Callable[..., str]


class NoBrokerHereError(Exception):
    """This machine cannot run a broker; the message is the reason."""


class Broker:
    """One local broker; `bootstrap` is its address and stays the same over restarts.

    `more`: further options of scripts/kafka; `way`: docker or java, whatever there is if None.
    """

    def __init__(self, port: int, folder: Path, *more: str, way: str | None = None) -> None:
        self.bootstrap = f"127.0.0.1:{port}"
        self._environment = os.environ | ({} if way is None else {"WINDAGE_KAFKA": way})
        self._options = ["--port", str(port), "--data-dir", str(folder), *more]

    def start(self) -> None:
        """Start it on the records it had, and wait until it answers."""
        done = self._script("start")
        if done.returncode == NO_WAY:
            raise NoBrokerHereError(done.stderr.strip())
        assert done.returncode == 0, done.stderr

    def kill(self) -> None:
        """End it as a power cut does (kill -9)."""
        assert self._script("kill").returncode == 0

    def stop(self, *, wipe: bool = False) -> None:
        """Shut it down in order; with `wipe` its records are deleted."""
        assert self._script("stop", *["--wipe"] * wipe).returncode == 0

    def answers(self) -> bool:
        """Whether it speaks Kafka now."""
        return self._script("status").returncode == 0

    def _script(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SCRIPT, command, *self._options, *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            env=self._environment,
            check=False,
        )


def free_port() -> int:
    """Return a port that is free together with the next one (the controller's)."""
    return free_ports(2)[0]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that asks for a broker, so that `-m "not kafka"` leaves it out."""
    for item in items:
        if {"broker", "secured"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("kafka")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Return the running broker of this session."""
    broker = Broker(free_port(), tmp_path_factory.mktemp("broker"))
    start_or_skip(broker.start)
    yield broker
    broker.stop(wipe=True)


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return the running broker with TLS and ACLs of this session (`tests.kafka.secured`)."""
    from tests.kafka.secured import Secured

    broker = Secured(tmp_path_factory.mktemp("secured"))
    start_or_skip(broker.start)
    yield broker
    broker.stop()


def start_or_skip(start: Callable[[], None]) -> None:
    """Start a broker; where none can run the test is skipped, or fails where one must."""
    try:
        start()
    except NoBrokerHereError as reason:
        if os.environ.get("CI") == "true" or os.environ.get("WINDAGE_REQUIRE_KAFKA") == "1":
            pytest.fail(f"a broker is required here: {reason}")
        pytest.skip(str(reason))


@pytest.fixture(autouse=True)
def _broker_up_again(request: pytest.FixtureRequest) -> Iterator[None]:
    """Start the broker again after a test that left it down."""
    yield
    if "broker" in request.fixturenames:
        broker: Broker = request.getfixturevalue("broker")
        if not broker.answers():
            broker.start()


@pytest.fixture
def topic_prefix() -> str:
    """Return a prefix for topics and groups that no other test uses."""
    return f"t{uuid.uuid4().hex[:10]}-"


@pytest.fixture
def make_topic(broker: Broker, topic_prefix: str) -> MakeTopic:
    """Return `make_topic(name, partitions=1, **config)`: creates a topic, returns its full name.

    The config is Kafka's with underscores: make_topic("journal", cleanup_policy="compact").
    """

    def make(name: str, partitions: int = 1, **config: str) -> str:
        topic = topic_prefix + name
        settings = {key.replace("_", "."): value for key, value in config.items()}
        # Closed at once: while a test has the broker down, an open client leaks a socket per try.
        with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as admin:
            admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=settings)])
            admin.wait_for_topics([topic])  # the broker confirms before it tells of it
        return topic

    return make
