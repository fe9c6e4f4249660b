"""`windage serve` with real receivers: an Alertmanager of Debian's, a webhook, and kill -9.

A stream is posted while the server runs: `amount` shifts, and shifts back. What the receivers hear
is compared with the alerts that stand in the log.
"""

import base64
import hashlib
import hmac
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
from pathlib import Path

import pytest

from streams.runtime.installation.reading import SqliteReader
from streams.sinks.message import message_of
from tests.cli.installation import CONFIG, SHIFTED_AT, prediction
from tests.sinks.listening import Listener, ask, patiently

ROOT = Path(__file__).parents[2]
READY = re.compile(r"(http://\S+?)/ ")
KEY = bytes(range(24))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Served:
    """A served installation that can be killed and started again."""

    def __init__(self, folder, sinks):
        self.folder = folder
        (folder / "windage.yaml").write_text(CONFIG + "sinks: " + json.dumps(sinks) + "\n")
        self._chance = random.Random(7)
        self.row = 0
        self.start()

    def start(self):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "streams.cli", "serve", "--port", "0"],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "SIGNING": SECRET},
            stderr=subprocess.PIPE,
            text=True,
        )
        line = self._process.stderr.readline()
        found = READY.search(line)
        assert found, line
        self.url = found[1]

    def end(self, number):
        self._process.send_signal(number)
        self._process.wait(30)
        self._process.stderr.close()

    def stream(self, rows, *, shifted):
        """Post the next rows, a hundred at a time."""
        for _ in range(rows // 100):
            events = []
            for _ in range(100):
                made, label = prediction(SHIFTED_AT if shifted else 0, self._chance)
                at = prediction(self.row, random.Random(0))[0]
                now = {"prediction_id": at["prediction_id"], "timestamp": at["timestamp"]}
                events += [{**made, **now}, {**label, **now}]
                self.row += 1
            ask(f"{self.url}/v1/events", json.dumps(events).encode())

    def alerts(self):
        """The alerts that stand in the log: (id, event)."""
        with SqliteReader(self.folder / "windage-data") as reader:
            found = [message_of(record) for record in reader.read("alerts")]
        return [(one.id, one.event) for one in found]


@pytest.fixture
def hook():
    one = Listener()
    yield one
    one.close()


@pytest.fixture
def serve(tmp_path):
    """Return a function that serves an installation with these sinks."""
    running = []

    def served(**sinks):
        running.append(Served(tmp_path, sinks))
        return running[-1]

    yield served
    for one in running:
        one.end(signal.SIGTERM)


@pytest.fixture
def alertmanager(tmp_path, hook):
    """Return the address of a real Alertmanager that tells `hook` of what it hears."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        pytest.skip("no Alertmanager here (Debian: apt-get install prometheus-alertmanager)")
    config = {
        "route": {
            "receiver": "hook",
            "group_by": ["..."],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [
            {"name": "hook", "webhook_configs": [{"url": hook.url, "send_resolved": True}]}
        ],
    }
    (tmp_path / "alertmanager.yml").write_text(json.dumps(config))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            program,
            f"--config.file={tmp_path / 'alertmanager.yml'}",
            f"--storage.path={tmp_path / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    patiently(lambda: _is_ready(url), bool)
    yield url
    process.send_signal(signal.SIGTERM)
    process.wait(30)


def _is_ready(url):
    try:
        return ask(f"{url}/api/v2/status")["cluster"]["status"]
    except (urllib.error.URLError, ConnectionError):
        return None


def test_an_alertmanager_hears_of_an_incident_and_of_its_end(serve, alertmanager, hook):
    """Its own API shows the incident that ours shows; when that is over it tells its receiver."""
    served = serve(oncall={"type": "alertmanager", "url": alertmanager, "allow_private": True})
    served.stream(600, shifted=False)
    served.stream(200, shifted=True)
    (ours,) = patiently(lambda: ask(f"{served.url}/v1/incidents")["incidents"], bool)
    theirs = patiently(lambda: ask(f"{alertmanager}/api/v2/alerts?active=true"), bool)
    assert {ours["incident_id"]} == {one["labels"]["incident_id"] for one in theirs}
    assert ("shop", ours["triage"]["class"]) == (
        theirs[-1]["labels"]["model"],
        theirs[-1]["labels"]["alertname"],
    )
    assert ours["starts_at"][:19] == theirs[-1]["startsAt"][:19]
    served.stream(700, shifted=False)
    patiently(lambda: served.alerts()[-1][1].status, lambda status: status == "resolved")
    told = patiently(
        lambda: [body["status"] for _, body in hook.got], lambda told: "resolved" in told
    )
    assert "firing" == told[0]
    said = {event.severity for _, event in served.alerts()}
    assert {"yellow", "red"} == said, "the labels were to change meanwhile"
    patiently(lambda: ask(f"{alertmanager}/api/v2/alerts"), lambda left: left == [])


def test_kill_9_neither_forgets_an_alert_nor_changes_its_id(serve, hook):
    """Killed while a call is open: the same id comes again; killed at rest: nothing comes twice."""
    hook.held.set()
    served = serve(
        hook={"url": hook.url, "allow_private": True, "secret": "${SIGNING}", "timeout": "60s"}
    )
    served.stream(600, shifted=False)
    served.stream(200, shifted=True)
    patiently(lambda: hook.begun, bool)
    served.end(signal.SIGKILL)
    hook.held.clear()
    served.start()
    written = [id for id, _ in served.alerts()]
    assert written
    patiently(lambda: _ids(hook.begun), lambda ids: set(written) <= set(ids))
    patiently(lambda: _ids(hook.begun).count(written[0]), lambda count: count == 2)
    health = lambda: ask(f"{served.url}/healthz")["sinks"]["hook"]
    patiently(health, lambda told: told["waiting"] == 0)
    served.end(signal.SIGKILL)
    served.start()
    served.stream(700, shifted=False)
    patiently(lambda: served.alerts()[-1][1].status, lambda status: status == "resolved")
    written = [id for id, _ in served.alerts()]
    patiently(lambda: _ids(hook.got), lambda ids: set(written) <= set(ids))
    once = [id for id in _ids(hook.begun) if id != written[0]]
    assert sorted(set(written) - {written[0]}) == sorted(once)
    for headers, body in hook.got:
        assert "windage.alert.v1" == body["type"]
        assert headers["webhook-signature"].startswith("v1,")
    assert _is_signed(hook.got[-1])


def _ids(got):
    return [headers["webhook-id"] for headers, _ in got]


def _is_signed(said):
    """Whether the signature is right for the body as it would be written again."""
    headers, body = said
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{text}".encode()
    digest = base64.b64encode(hmac.new(KEY, content, hashlib.sha256).digest()).decode()
    return f"v1,{digest}" == headers["webhook-signature"]
