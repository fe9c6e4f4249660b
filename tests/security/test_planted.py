"""Secrets and personal values planted everywhere, and looked for in all that comes out.

One `windage serve` as an operator starts it. Every plant is a word that occurs nowhere else, so
that to find it is to know where it leaked.
"""

import base64
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streams.runtime.installation.reading import SqliteReader
from tests.cli.installation import MODELS, ROWS
from tests.security.planted import BROKEN, OUTPUTS, PERSONAL, SECRETS, plants_in, rows, text_of
from tests.sinks.listening import Listener, patiently
from tests.stores.conftest import Server as Redis

ROOT = Path(__file__).resolve().parents[2]
TURNED_SECONDS = 60

SINK_KEY = "whsec_" + base64.b64encode(b"planted-key-of-a-sink-66aa").decode()
SINK_TOKENS = {name: f"planted-token-of-{name}-31f0" for name in ("hook", "page", "issue")}
OF_SINKS = {"SINK_KEY": SINK_KEY} | {f"TOKEN_{name}": one for name, one in SINK_TOKENS.items()}
HIDDEN = SECRETS | OF_SINKS | {"REDIS_PASSWORD": "planted-redis-password-e7a1"}
HEAD = """version: 1
kafka: {bootstrap: "127.0.0.1:9", security: {protocol: SASL_PLAINTEXT, username: "${USER_NAME}",
  password: "${BROKER_PASSWORD}"}}
http: {write_token: "${WRITE_TOKEN}", read_token: "${READ_TOKEN}"}
state: {every: 1s, key: "${STATE_KEY}"}
"""
CONFIG = HEAD + MODELS
SINKS = """sinks:
  hook: {{url: "{url}hook", allow_private: true, secret: "${{SINK_KEY}}", token: "${{TOKEN_hook}}"}}
  chat: {{url: "{url}chat", allow_private: true, template: slack}}
  page: {{url: "{url}page", allow_private: true, template: pagerduty, token: "${{TOKEN_page}}"}}
  issue: {{url: "{url}issue", allow_private: true, template: jira, token: "${{TOKEN_issue}}",
    fields: {{project: P}}}}
  line: {{url: "{url}line", allow_private: true, template: openlineage,
    fields: {{namespace: n, dataset: d}}}}
"""
SINKS_HEARD = {"hook", "chat", "page", "issue", "line"}


class Served:
    """A server, and everything it has answered."""

    def __init__(self, folder, sinks, redis):
        self.folder = folder
        store = f'redis: {{url: "{redis}", password: "${{REDIS_PASSWORD}}"}}\n' if redis else ""
        (folder / "windage.yaml").write_text(CONFIG + SINKS.format(url=sinks) + store)
        self._log = folder / "said"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streams.cli", "serve", "--port", "0"],
                cwd=folder,
                env={**os.environ, **HIDDEN, "USER_NAME": "u", "PYTHONPATH": str(ROOT)},
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
def redis(tmp_path_factory):
    """Return a Redis that asks for a password; None where there is none (CI has one)."""
    if shutil.which("redis-server") is None:
        assert os.environ.get("CI") != "true", "redis-server is not installed"
        yield None
        return
    one = Redis(tmp_path_factory.mktemp("redis"), "--requirepass", HIDDEN["REDIS_PASSWORD"])
    one.start()
    yield one
    one.kill()


@pytest.fixture(scope="module")
def served(tmp_path_factory, redis):
    """Return a server that was sent plants between good rows, with an incident in them, stopped."""
    services = Listener()
    server = Served(tmp_path_factory.mktemp("planted"), services.url, redis and redis.url)
    try:
        _send(server)
        _look(server)
        heard = patiently(lambda: list(services.raw), lambda got: _sinks(got) >= SINKS_HEARD)
    finally:
        server.said = server.stop()
        services.close()
    server.heard = heard
    return server


def _sinks(heard):
    """Which sinks were told of anything."""
    return {path.strip("/").split("/")[0] for path, _, _ in heard}


def _send(server):
    events = [row for pair in rows() for row in pair]
    body = "\n".join(map(json.dumps, events))
    lines = {"Content-Type": "application/x-ndjson"}
    assert 202 == server.ask("POST", "/v1/events", body, **lines)
    assert 202 == server.ask("POST", "/v1/events", BROKEN + "\n" + BROKEN, **lines)
    planted = {"X-Planted": PERSONAL["header"], "Idempotency-Key": PERSONAL["header"]}
    assert 202 == server.ask("POST", "/v1/events", json.dumps(events[0]), **planted)
    assert 401 == server.ask("POST", "/v1/events", "{}", token=PERSONAL["note"])
    assert 403 == server.ask("POST", "/v1/events", "{}", token="READ_TOKEN")


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


def test_nothing_planted_is_logged(served):
    """Not one secret, not one personal value, on stdout or stderr."""
    assert [] == plants_in(served.said, HIDDEN | PERSONAL)


def test_nothing_planted_is_answered(served):
    """Pages, metrics, incidents and refusals carry statistics and fixed sentences."""
    assert len(served.answers) > 10
    assert [] == plants_in("\n".join(served.answers), HIDDEN | PERSONAL)


@pytest.mark.parametrize("topic", OUTPUTS)
def test_nothing_planted_is_in_an_output(served, topic):
    """Neither key, headers nor value; a category of few rows is `other`."""
    with SqliteReader(served.folder / "windage-data") as reader:
        records = list(reader.read(topic))
    if topic in ("readings", "drift-events", "alerts", "references"):
        assert records, "there is something to search"
    text = text_of(records)
    assert [] == plants_in(text, HIDDEN | PERSONAL)


def test_the_journal_holds_declared_features_and_no_more(served):
    """Learning batches are raw columns of declared features; nothing undeclared is in them."""
    with SqliteReader(served.folder / "windage-data") as reader:
        text = text_of(reader.read("journal"))
    hidden = {name: word for name, word in PERSONAL.items() if name != "rare"}
    assert [] == plants_in(text, HIDDEN | hidden)


def test_dead_letters_are_raw_but_their_reasons_are_not(served):
    """The bytes of the sender are there; what we say about them quotes nothing."""
    with SqliteReader(served.folder / "windage-data") as reader:
        letters = list(reader.read("dead-letters"))
    assert any(PERSONAL["malformed"] in repr(one.value) for one in letters)
    reasons = repr([(name, text) for one in letters for name, text in one.headers])
    assert [] == plants_in(reasons, HIDDEN | PERSONAL)


def test_secrets_are_in_no_file(served):
    """Neither the log's file nor anything else below the folder holds a secret of the config."""
    files = [path for path in served.folder.rglob("*") if path.is_file()]
    assert len(files) > 2
    leaks = [
        (path.name, name)
        for path in files
        for name, word in HIDDEN.items()
        if word.encode() in path.read_bytes()
    ]
    assert [] == leaks


def test_sinks_are_sent_statistics(served):
    """Every template in use: no plant in what a service is sent, but the token that it asks for."""
    assert _sinks(served.heard) >= SINKS_HEARD
    for path, headers, sent in served.heard:
        (sink,) = _sinks([(path, headers, sent)])
        body = sent
        assert "drift" in sent.lower(), "there is something to search"
        if sink == "page":  # PagerDuty wants its key in the body
            assert 1 == sent.count(SINK_TOKENS[sink])
            body = sent.replace(SINK_TOKENS[sink], "")
        assert [] == plants_in(path + body, HIDDEN | PERSONAL)
        told = {name: text for name, text in headers.items() if name != "Authorization"}
        assert [] == plants_in(repr(told), HIDDEN | PERSONAL)
        asked = {f"TOKEN_{sink}"} if sink in SINK_TOKENS and sink != "page" else set()
        assert asked == set(plants_in(headers.get("Authorization", ""), HIDDEN | PERSONAL))


def test_redis_holds_no_person_but_ids_in_names(served, redis):
    """Keys and values of what waits there; the id of a prediction is in the name of its key."""
    if redis is None:
        pytest.skip("redis-server is not installed (apt-get install redis-server)")
    client = redis.client(password=HIDDEN["REDIS_PASSWORD"])
    names = list(client.scan_iter(count=1000))
    kept = [
        client.hgetall(name) if client.type(name) == b"hash" else client.get(name) for name in names
    ]
    client.close()
    assert len(names) > ROWS
    assert ["id"] == plants_in(repr(names), HIDDEN | PERSONAL)
    assert [] == plants_in(repr(kept), HIDDEN | PERSONAL)
