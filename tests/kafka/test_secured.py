"""Everything that speaks Kafka, at a broker with TLS, SCRAM and ACLs, with the least permissions.

Whoever is not let in is told why in one line: nothing is sent in the clear, nothing is lost.
"""

import asyncio
import os
import signal
import ssl
import subprocess
import sys
import time
import uuid
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

import windage
import windage.aio
from schemas.load import load_text
from streams import snapshot as snapshots
from streams.cli.app import app
from streams.cli.endings import tell
from streams.runtime import topics
from streams.runtime.kafka.reading import KafkaReader
from streams.runtime.roles import ProfilerRole
from tests.kafka.secured import PASSWORD, WAYS
from tests.refused import now

ROOT = Path(__file__).resolve().parents[2]
ROWS = 400
COUNT_SECONDS = 90
STOP_SECONDS = 40

CONFIG = """
version: 1
app: {prefix}app
kafka: {{bootstrap: "{bootstrap}", group: {prefix}g, security: {{{security}}}}}
topics: {{prefix: {prefix}, partitions: 2}}
state: {{every: 1s}}
models:
  m:
    task: binary
    pane: 1m
    labels: {{horizon: 1d}}
    reference: {{from: first, rows: 500, min_duration: 0s}}
"""


def security(secured, way, **changed):
    """Return the text of a security section that is right for a way in, but for `changed`."""
    parts = {"protocol": WAYS[way]}
    if WAYS[way].startswith("SASL"):
        parts |= {"mechanism": "SCRAM-SHA-512", "username": "${NAME}", "password": "${PASSWORD}"}
    if WAYS[way] != "SASL_PLAINTEXT":
        parts["ca"] = secured.authority.ca
    if way == "mutual":
        parts |= {"certificate": secured.client, "key": secured.client}
    parts |= changed
    return ", ".join(f'{key}: "{value}"' for key, value in parts.items() if value is not None)


class Installation:
    """Topics of a prefix of its own, and configs of several users."""

    def __init__(self, secured, folder):
        self.secured = secured
        self.prefix = f"t{uuid.uuid4().hex[:10]}-"
        self._folder = folder
        self.open = self._loaded(CONFIG.format(**self._given(secured.open, "")))

    def create(self):
        """Create the topics, as a super user would."""
        topics.create(self.open)

    def path(self, way="secured", **changed):
        """Return the path of a config for a way in."""
        given = self._given(self.secured.address[way], security(self.secured, way, **changed))
        path = self._folder / f"{uuid.uuid4().hex[:6]}.yaml"
        path.write_text(CONFIG.format(**given))
        return path

    def accounts(self):
        """Return how many predictions the stored states of the profilers have counted."""
        total = 0
        with KafkaReader(self.open) as reader:
            stored = list(reader.read("profiler-state"))
        for number in range(2):
            own = [snapshots.StateRecord(r.key, r.value) for r in stored if r.partition == number]
            found = snapshots.assemble(own)
            if found is None:
                continue
            machine = ProfilerRole(self.open, {}).restored(number, 2, found.snapshot)
            account = msgspec.to_builtins(machine.accounting()["predictions"])
            total += account.get("counted", 0) + account.get("learned", 0)
        return total

    def _given(self, bootstrap, text):
        return {"prefix": self.prefix, "bootstrap": bootstrap, "security": text}

    def _loaded(self, text):
        return load_text(text, {}, lambda name: Path(name).read_text())


@pytest.fixture
def installation(secured, tmp_path):
    """Return an installation whose topics are not made yet."""
    return Installation(secured, tmp_path)


class Worker:
    """A worker process of one role, as one user."""

    def __init__(self, installation, role, folder, **changed):
        self._log = folder / f"{role}.log"
        way = changed.pop("way", "secured")
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "streams.cli", "worker", "--role", role),
                    *("-c", str(installation.path(way, **changed))),
                ],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"NAME": role, "PASSWORD": PASSWORD},
            )

    def said(self):
        return self._log.read_text()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a worker; all are stopped in the end."""
    workers = []

    def started(installation, role, **changed):
        workers.append(Worker(installation, role, tmp_path, **changed))
        return workers[-1]

    yield started
    for worker in workers:
        worker.stop()


async def until(worker, condition):
    """Wait until that holds; the worker must not end before."""
    deadline = time.monotonic() + COUNT_SECONDS
    while not await asyncio.to_thread(condition):
        assert worker.process.poll() is None, worker.said()
        assert time.monotonic() < deadline, worker.said()
        await asyncio.sleep(0.5)


def run(monkeypatch, *arguments, user="profiler", password=PASSWORD):
    """Run a command in this process; gives exit code and the lines on stderr."""
    monkeypatch.setenv("NAME", user)
    monkeypatch.setenv("PASSWORD", password)
    ended = CliRunner().invoke(app, [str(one) for one in arguments])
    code, said = ended.exit_code, ended.output
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        code, said = tell(ended.exception), f"windage: {ended.exception}\n"
    return code, said.splitlines()


def client(secured, user):
    """Return what either Kafka client of the SDK is given."""
    return {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": user,
        "sasl_plain_password": PASSWORD,
        "ssl_context": ssl.create_default_context(cafile=str(secured.authority.ca)),
    }


def publish(installation, first):
    """Send so many predictions by the SDK, beginning with that number."""
    secured = installation.secured
    at = now()
    with windage.Publisher(
        f"kafka://{secured.address['secured']}",
        model="m",
        version="1",
        topic_prefix=installation.prefix,
        kafka=client(secured, "producer"),
    ) as pub:
        for n in range(first, first + ROWS):
            pub.prediction({"x": n % 7 / 2}, n % 2, id=f"p{n}", timestamp=at)
        assert pub.flush(30)
    assert (ROWS, 0) == (pub.counts.sent, pub.dropped)


async def publish_async(installation, first):
    """The same with asyncio."""
    secured = installation.secured
    at = now()
    async with windage.aio.Publisher(
        f"kafka://{secured.address['secured']}",
        model="m",
        version="1",
        topic_prefix=installation.prefix,
        kafka=client(secured, "producer"),
    ) as pub:
        for n in range(first, first + ROWS):
            await pub.prediction({"x": n % 7 / 2}, n % 2, id=f"p{n}", timestamp=at)
        assert await pub.flush(30)
    assert (ROWS, 0) == (pub.counts.sent, pub.dropped)


REFUSED = {
    "a wrong password": ("secured", {}, 2, "does not accept User:profiler with SCRAM-SHA-512"),
    "an expired certificate": ("expired", {}, 2, "certificate has expired"),
    "a wrong host name": ("elsewhere", {}, 2, "is not valid for '127.0.0.1'"),
    "an unknown authority": ("secured", {"ca": None}, 2, "is not accepted"),
    "no client certificate": ("mutual", {"certificate": None, "key": None}, 2, "certificate"),
    "a mechanism not offered": ("secured", {"mechanism": "SCRAM-SHA-256"}, 2, "SCRAM-SHA-256"),
    "plaintext to TLS": (
        "secured",
        {"protocol": "SASL_PLAINTEXT", "ca": None},
        3,
        "does not answer to SASL_PLAINTEXT",
    ),
}


ASKED = [
    *((("worker",), kind) for kind in REFUSED),
    *((("doctor",), kind) for kind in ("a wrong password", "an expired certificate")),
    (("topics", "plan"), "a wrong host name"),
]


@pytest.mark.parametrize(("command", "kind"), ASKED)
def test_whoever_is_not_let_in_is_told_why(installation, monkeypatch, kind, command):
    """One line within seconds, the exit code of the contract, and the password nowhere."""
    way, changed, code, words = REFUSED[kind]
    wrong = "wr0ng-passw0rd"
    password = wrong if kind == "a wrong password" else PASSWORD
    begun = time.monotonic()
    found, lines = run(
        monkeypatch, *command, "-c", installation.path(way, **changed), password=password
    )
    told = [line for line in lines if not line.startswith("     ")]  # what doctor advises
    assert (code, 1) == (found, len(told)), lines
    assert words in told[0]
    assert not any(wrong in line or PASSWORD in line for line in lines)
    assert time.monotonic() - begun < 15


def test_passwords_in_the_clear_stay_on_this_machine(installation, monkeypatch):
    """Plaintext beyond loopback is a fault of the config, with its line."""
    path = installation.path("clear")
    path.write_text(path.read_text().replace(installation.secured.address["clear"], "192.0.2.1:9"))
    code, lines = run(monkeypatch, "worker", "-c", path)
    assert 2 == code
    assert 1 == len(lines)
    assert "allow_insecure" in lines[0]


async def test_workers_and_publishers_with_the_least_permissions(installation, start, monkeypatch):
    """What `topics plan --acls` prints is enough for each role, and the doctor is content."""
    secured = installation.secured
    installation.create()
    for role in ("profiler", "monitor", "producer"):
        secured.grant(installation.open, role)
    profiler = start(installation, "profiler")
    monitor = start(installation, "monitor")
    await asyncio.to_thread(publish, installation, 0)
    await publish_async(installation, ROWS)
    await until(profiler, lambda: installation.accounts() == 2 * ROWS)
    assert 0 == await asyncio.to_thread(profiler.stop), profiler.said()
    assert 0 == await asyncio.to_thread(monitor.stop), monitor.said()
    secured.grant(installation.open, "monitor", "profiler")
    code, lines = run(monkeypatch, "doctor", "-c", installation.path())
    assert "ok   permissions: enough for the topics of profiler and monitor" in lines
    assert (0, []) == (code, [line for line in lines if line.startswith("fail")]), lines


async def test_a_permission_taken_away_stops_a_worker_and_loses_nothing(installation, start):
    """The line names principal, operation and topic; afterwards each record counts once."""
    secured = installation.secured
    installation.create()
    for role in ("profiler", "producer"):
        secured.grant(installation.open, role)
    profiler = start(installation, "profiler")
    await asyncio.to_thread(publish, installation, 0)
    await until(profiler, lambda: installation.accounts() == ROWS)
    journal = installation.open.topics.name("journal")
    taken = secured.deny("profiler", "Write", "Topic", journal)
    await asyncio.to_thread(publish, installation, ROWS)
    assert 2 == await asyncio.to_thread(profiler.process.wait, COUNT_SECONDS)
    last = profiler.said().splitlines()[-1]
    assert f"User:profiler may not Write topic {journal}" in last
    assert ROWS == installation.accounts(), "nothing was acknowledged"
    secured.allow_again(taken)
    again = start(installation, "profiler")
    await until(again, lambda: installation.accounts() == 2 * ROWS)


@pytest.mark.parametrize(
    ("operation", "topic"),
    [("Describe", "labels"), ("Write", "dead-letters"), ("DescribeConfigs", "predictions")],
)
def test_a_permission_that_is_missing_is_named_at_start(
    installation, monkeypatch, operation, topic
):
    """Principal, operation and topic, and where to see all that is needed."""
    installation.create()
    installation.secured.grant(installation.open, "profiler")
    name = installation.open.topics.name(topic)
    installation.secured.deny("profiler", operation, "Topic", name)
    code, lines = run(monkeypatch, "worker", "--role", "profiler", "-c", installation.path())
    assert 2 == code
    assert [f"User:profiler may not {operation} topic {name}"] == [
        line.removeprefix("windage worker: ").partition(": an ACL")[0] for line in lines
    ]


@pytest.mark.slow
async def test_a_group_that_lets_nobody_in_is_named(installation, start):
    """A worker that may not join ends, where Faust would wait for ever."""
    installation.create()
    installation.secured.grant(installation.open, "profiler")
    group = f"{installation.prefix}g-profiler"
    installation.secured.deny("profiler", "Read", "Group", group)
    profiler = start(installation, "profiler")
    assert 2 == await asyncio.to_thread(profiler.process.wait, COUNT_SECONDS)
    assert f"User:profiler may not Read group {group}" in profiler.said()


def test_topics_are_created_by_who_may(installation, monkeypatch):
    """Create is refused by name; with it and sight of the topics all are made, through TLS."""
    secured = installation.secured
    for operation in ("Describe", "DescribeConfigs"):
        secured.allow("ops", operation, "Topic", installation.prefix)
    code, lines = run(monkeypatch, "topics", "create", "-c", installation.path(), user="ops")
    assert 2 == code
    assert "User:ops may not Create topic" in lines[0]
    secured.allow("ops", "Create", "Topic", installation.prefix)
    code, lines = run(monkeypatch, "topics", "create", "-c", installation.path(), user="ops")
    assert 0 == code, lines
    code, lines = run(monkeypatch, "topics", "plan", "-c", installation.path(), user="ops")
    assert (0, True) == (code, "all topics are there" in lines[-1])


@pytest.mark.slow
def test_the_sdk_never_shows_the_password_it_was_not_let_in_with(installation):
    """A reader with patience gets a ConnectionError that names the brokers only."""
    kafka = client(installation.secured, "producer") | {"sasl_plain_password": "wr0ng-passw0rd"}
    address = f"kafka://{installation.secured.address['secured']}"
    with pytest.raises(ConnectionError) as told:
        next(windage.subscribe(address, "alerts", group="g", kafka=kafka, idle_s=1))
    assert "wr0ng" not in str(told.value)
