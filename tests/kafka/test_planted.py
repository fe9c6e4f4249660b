"""Secrets and personal values planted in an installation on Kafka, and looked for in all of it.

What `tests/security/test_planted.py` asks of one process, asked of the workers: topics, states,
pages, logs, and what commands say. The broker asks for a password, through TLS.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from kafka import KafkaProducer

from schemas.load import load_text
from streams import snapshot as snapshots
from streams.runtime import topics
from streams.runtime.kafka.process import settings_of
from streams.runtime.kafka.reading import KafkaReader
from streams.runtime.partitions import partition_of
from tests.cli.installation import MODELS
from tests.kafka.conftest import free_port
from tests.kafka.secured import PASSWORD
from tests.security.planted import BROKEN, OUTPUTS, PERSONAL, SECRETS, plants_in, rows, text_of

pytestmark = [pytest.mark.slow, pytest.mark.kafka]

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 2
TURNED_SECONDS = 120
STOP_SECONDS = 40
KEY = "planted-state-key-of-the-workers-5ab0"
HIDDEN = SECRETS | {"BROKER_PASSWORD": PASSWORD, "STATE_KEY": KEY}
TOPICS = (*OUTPUTS, "journal", "profiler-state", "monitor-state", "dead-letters")
CONFIG = """version: 1
app: {prefix}app
kafka: {{bootstrap: "{bootstrap}", group: {prefix}g, security: {{protocol: SASL_SSL,
  mechanism: SCRAM-SHA-512, username: "${{USER_NAME}}", password: "${{BROKER_PASSWORD}}",
  ca: "{ca}"}}}}
topics: {{prefix: {prefix}, partitions: 2}}
http: {{write_token: "${{WRITE_TOKEN}}", read_token: "${{READ_TOKEN}}"}}
state: {{every: 1s, key: "${{STATE_KEY}}"}}
"""


class Workers:
    """`windage worker` with both roles, and everything that it and its topics came to hold."""

    def __init__(self, secured, folder):
        self.prefix = f"t{uuid.uuid4().hex[:10]}-"
        for resource in ("Topic", "Group"):
            secured.allow("ops", "All", resource, self.prefix)
        self._path = folder / "windage.yaml"
        self._log = folder / "said"
        given = {"prefix": self.prefix, "ca": secured.authority.ca}
        head = CONFIG.format(bootstrap=secured.address["secured"], **given)
        self._path.write_text(head + MODELS)
        self._environment = {**os.environ, **HIDDEN, "USER_NAME": "ops", "PYTHONPATH": str(ROOT)}
        self.config = load_text(
            self._path.read_text(), self._environment, lambda name: Path(name).read_text()
        )
        self._open = secured.open
        self._port = free_port()
        self._process = None
        self.answers = []
        self.records = {}
        topics.create(self.config)

    def start(self):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command("worker"), "--http", str(self._port)],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def stop(self):
        """Stop in order; gives the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_SECONDS)

    def said(self):
        return self._log.read_text()

    def run(self, *command):
        """Run a command to its end; what it says is an answer."""
        done = subprocess.run(
            self._command(*command),
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.answers.append(done.stdout + done.stderr)
        assert 0 == done.returncode, self.answers[-1]

    def look(self):
        """Ask both processes for their pages, as who may and as who may not."""
        for port in (self._port, self._port + 1):
            for path in ("/metrics", "/healthz", "/readyz", f"/{PERSONAL['note']}"):
                for token in (SECRETS["READ_TOKEN"], PERSONAL["note"]):
                    self.answers.append(_asked(port, path, token))

    def write(self, records):
        """Write (topic, key, value, headers), in order."""
        producer = KafkaProducer(bootstrap_servers=self._open, acks="all")
        for topic, key, value, headers in records:
            place = partition_of(key, PARTITIONS)
            name = self.config.topics.name(topic)
            producer.send(name, key=key, value=value, headers=headers, partition=place)
        producer.flush()
        producer.close()

    def until(self, holds):
        """Wait until that holds; the workers must not end before."""
        deadline = time.monotonic() + TURNED_SECONDS
        while not holds():
            assert self._process.poll() is None, self.said()
            if time.monotonic() > deadline:
                pytest.fail(f"{self.counts()} {self.said()}")
            time.sleep(1)

    def counts(self):
        """How many records each topic holds, for whoever waits in vain."""
        return {topic: len(self.read(topic)) for topic in (*TOPICS, "predictions", "labels")}

    def read(self, topic):
        """Everything that is in a topic now."""
        with KafkaReader(self.config) as reader:
            return list(reader.read(topic))

    def _command(self, *words):
        return [sys.executable, "-m", "streams.cli", *words, "-c", str(self._path)]


def _asked(port, path, token):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return f"{answer.status} {answer.read().decode()} {answer.getheaders()}"
    finally:
        connection.close()


def planted():
    """Good rows, and among them every plant, as anything a producer can write."""
    for number, (event, label) in enumerate(rows()):
        key = event["prediction_id"].encode()
        said = [("x-planted", PERSONAL["header"].encode())]
        yield "predictions", key, json.dumps(event).encode(), said
        if number % 400 != 100:  # some labels stay away, so that something is awaited in the end
            yield "labels", key, json.dumps(label).encode(), said
    yield "predictions", b"bad", BROKEN.encode(), [("x-planted", PERSONAL["header"].encode())]
    note = json.dumps({"model": "shop", "type": PERSONAL["note"]}).encode()
    yield "model-events", b"shop", note, []


@pytest.fixture(scope="module")
def workers(secured, tmp_path_factory):
    """Return workers that have found an incident among the plants, and were stopped."""
    found = Workers(secured, tmp_path_factory.mktemp("planted"))
    found.start()
    try:
        found.write(list(planted()))
        found.until(lambda: found.read("alerts"))
        found.until(lambda: found.read("dead-letters"))
        found.look()
        for command in (("doctor",), ("status", "--json"), ("incidents", "--json"), ("validate",)):
            found.run(*command)
    finally:
        code = found.stop()
    assert 0 == code, found.said()
    found.records = {topic: found.read(topic) for topic in TOPICS}
    return found


def test_nothing_planted_is_logged(workers):
    """Both roles and their supervisor, from the first line to the last."""
    assert "profiler: owns partitions" in workers.said()
    assert "monitor: owns partitions" in workers.said()
    assert [] == plants_in(workers.said(), HIDDEN | PERSONAL)


def test_nothing_planted_is_answered(workers):
    """Neither on the pages of the workers, which are asked with plants, nor by commands."""
    text = "\n".join(workers.answers)
    assert "windage_records_total" in text
    assert "401" in text
    assert "covariate" in text
    assert [] == plants_in(text, HIDDEN | PERSONAL)


@pytest.mark.parametrize("topic", OUTPUTS)
def test_nothing_planted_is_in_an_output(workers, topic):
    """Neither key, headers nor value."""
    records = workers.records[topic]
    if topic in ("readings", "drift-events", "alerts", "references"):
        assert records, "there is something to search"
    assert [] == plants_in(text_of(records), HIDDEN | PERSONAL)


def test_the_journal_holds_declared_features_and_no_more(workers):
    """Learning batches are raw columns of declared features; nothing undeclared is in them."""
    text = text_of(workers.records["journal"])
    assert "shop" in text
    hidden = {name: word for name, word in PERSONAL.items() if name != "rare"}
    assert [] == plants_in(text, HIDDEN | hidden)


@pytest.mark.parametrize("topic", ["profiler-state", "monitor-state"])
def test_states_hold_no_person(workers, topic):
    """Also of predictions whose label is awaited: hashes stand for their ids."""
    records = workers.records[topic]
    found = snapshots.assemble(
        [snapshots.StateRecord(one.key, one.value) for one in records if one.partition == 0],
        secret=settings_of(workers.config, "profiler")["secret"],
    )
    assert b"shop" in found.snapshot, "a snapshot is neither packed nor hidden"
    assert [] == plants_in(text_of(records), HIDDEN | PERSONAL)


def test_dead_letters_are_raw_but_their_reasons_are_not(workers):
    """The bytes of the sender are there, and its headers; what we say about them quotes nothing."""
    letters = workers.records["dead-letters"]
    assert any(PERSONAL["malformed"] in repr(one.value) for one in letters)
    reasons = [
        (name, value) for one in letters for name, value in one.headers if "x-planted" not in name
    ]
    assert len(reasons) > len(letters)
    assert [] == plants_in(repr(reasons), HIDDEN | PERSONAL)
