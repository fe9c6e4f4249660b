"""Secrets and personal values planted everywhere, and looked for in all that comes out.

One `windage serve` as an operator starts it. Every plant is a word that occurs nowhere else, so
that to find it is to know where it leaked.
"""

import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streams.runtime.reading import SqliteReader
from tests.cli.installation import MODELS, ROWS, prediction

ROOT = Path(__file__).resolve().parents[2]
TURNED_SECONDS = 60

SECRETS = {
    "WRITE_TOKEN": "planted-write-token-9f31",
    "READ_TOKEN": "planted-read-token-77c2",
    "STATE_KEY": "planted-state-key-5ab0",
    "BROKER_PASSWORD": "planted-broker-password-02de",
}
PERSONAL = {
    "undeclared": "planted-ssn-4481",
    "rare": "planted-city-of-one",
    "wrong_type": "planted-name-in-a-number",
    "tag": "planted-tag-6613",
    "id": "planted-customer-8812",
    "malformed": "planted-in-no-json-1204",
    "header": "planted-in-a-header-3377",
    "note": "planted-password-in-a-guess-5150",
}
HEAD = """version: 1
kafka: {bootstrap: "127.0.0.1:9", security: {protocol: SASL_PLAINTEXT, username: "${USER_NAME}",
  password: "${BROKER_PASSWORD}"}}
http: {write_token: "${WRITE_TOKEN}", read_token: "${READ_TOKEN}"}
state: {every: 1s, key: "${STATE_KEY}"}
"""
CONFIG = HEAD + MODELS
OUTPUTS = (
    "readings",
    "drift-events",
    "alerts",
    "retrain-requests",
    "rollback-requests",
    "references",
)


class Served:
    """A server, and everything it has answered."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "windage.yaml").write_text(CONFIG)
        self._log = folder / "said"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streams.cli", "serve", "--port", "0"],
                cwd=folder,
                env={**os.environ, **SECRETS, "USER_NAME": "u", "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.answers = []
        self._port = self._listening()

    def ask(self, method, path, body=None, token=None, **headers):
        """Send a request, to write if no other token is named; gives the status."""
        token = "WRITE_TOKEN" if token is None else token
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            authorization = {"Authorization": f"Bearer {SECRETS.get(token, token)}"}
            connection.request(method, path, body, authorization | headers)
            answer = connection.getresponse()
            self.answers.append(answer.read().decode() + str(answer.getheaders()))
            return answer.status
        finally:
            connection.close()

    def stop(self):
        """Stop it; gives what it has said."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            assert 0 == self._process.wait(30)
        return self._log.read_text()

    def _listening(self):
        deadline = time.monotonic() + 30
        while not (found := re.search(r"http://[^/\s]+:(\d+)", self._log.read_text())):
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return int(found[1])


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Return a server that was sent plants between good rows, with an incident in them, stopped."""
    server = Served(tmp_path_factory.mktemp("planted"))
    try:
        _send(server)
        _look(server)
    finally:
        server.said = server.stop()
    return server


def _send(server):
    chance = random.Random(7)
    rows = []
    for number in range(ROWS):
        event, label = prediction(number, chance)
        event["features"]["ssn"] = PERSONAL["undeclared"]
        event["tags"] = {"who": PERSONAL["tag"]}
        event["user"] = PERSONAL["tag"]
        if number % 200 == 100:
            event["features"]["kind"] = PERSONAL["rare"]
            event["prediction_id"] = label["prediction_id"] = PERSONAL["id"] + str(number)
        if number % 200 == 150:
            event["features"]["amount"] = PERSONAL["wrong_type"]
        rows += [event, label]
    body = "\n".join(json.dumps(row) for row in rows)
    lines = {"Content-Type": "application/x-ndjson"}
    assert 202 == server.ask("POST", "/v1/events", body, **lines)
    bad = f'{{"prediction_id": "{PERSONAL["malformed"]}", '
    assert 202 == server.ask("POST", "/v1/events", bad + "\n" + bad, **lines)
    planted = {"X-Planted": PERSONAL["header"], "Idempotency-Key": PERSONAL["header"]}
    assert 202 == server.ask("POST", "/v1/events", json.dumps(rows[0]), **planted)
    assert 401 == server.ask("POST", "/v1/events", "{}", token=PERSONAL["note"])
    assert 401 == server.ask("POST", "/v1/events", "{}", token="READ_TOKEN")


def _look(server):
    deadline = time.monotonic() + TURNED_SECONDS
    while '"shop"' not in server.answers[-1] or "red" not in server.answers[-1]:
        assert time.monotonic() < deadline, server.answers[-1]
        time.sleep(0.5)
        assert 200 == server.ask("GET", "/v1/incidents", token="READ_TOKEN")
    for path in ("/v1/models", "/v1/readings", "/metrics", "/healthz", "/readyz", "/nothing", "/"):
        server.ask("GET", path, token="READ_TOKEN")
    server.ask("GET", f"/v1/readings?model={PERSONAL['note']}&since={PERSONAL['note']}")
    server.ask("POST", "/v1/model-events", json.dumps({"model": "shop", "type": PERSONAL["note"]}))


def _found(text, plants):
    return sorted({name for name, word in plants.items() if word in text})


def test_nothing_planted_is_logged(served):
    """Not one secret, not one personal value, on stdout or stderr."""
    assert [] == _found(served.said, SECRETS | PERSONAL)


def test_nothing_planted_is_answered(served):
    """Pages, metrics, incidents and refusals carry statistics and fixed sentences."""
    assert len(served.answers) > 10
    assert [] == _found("\n".join(served.answers), SECRETS | PERSONAL)


@pytest.mark.parametrize("topic", OUTPUTS)
def test_nothing_planted_is_in_an_output(served, topic):
    """Neither key, headers nor value; a category of few rows is `other`."""
    with SqliteReader(served.folder / "windage-data") as reader:
        records = list(reader.read(topic))
    if topic in ("readings", "drift-events", "alerts", "references"):
        assert records, "there is something to search"
    text = repr([(one.key, one.value, one.headers) for one in records])
    assert [] == _found(text, SECRETS | PERSONAL)


def test_the_journal_holds_declared_features_and_no_more(served):
    """Learning batches are raw columns of declared features; nothing undeclared is in them."""
    with SqliteReader(served.folder / "windage-data") as reader:
        text = repr([(one.key, one.value, one.headers) for one in reader.read("journal")])
    hidden = {name: word for name, word in PERSONAL.items() if name != "rare"}
    assert [] == _found(text, SECRETS | hidden)


def test_dead_letters_are_raw_but_their_reasons_are_not(served):
    """The bytes of the sender are there; what we say about them quotes nothing."""
    with SqliteReader(served.folder / "windage-data") as reader:
        letters = list(reader.read("dead-letters"))
    assert any(PERSONAL["malformed"] in repr(one.value) for one in letters)
    reasons = repr([(name, text) for one in letters for name, text in one.headers])
    assert [] == _found(reasons, SECRETS | PERSONAL)


def test_secrets_are_in_no_file(served):
    """Neither the log's file nor anything else below the folder holds a secret of the config."""
    files = [path for path in served.folder.rglob("*") if path.is_file()]
    assert len(files) > 2
    leaks = [
        (path.name, name)
        for path in files
        for name, word in SECRETS.items()
        if word.encode() in path.read_bytes()
    ]
    assert [] == leaks
