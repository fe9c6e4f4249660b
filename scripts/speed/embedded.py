"""Windage on one machine: how fast its HTTP intake, log and machines are, and how soon they speak.

`events()`: batches of 500 events are posted over four connections and are durable (202) before the
next; the figure is CPU of the whole server process, from the first batch until everything is
counted and committed. `latency()`: from the first event after a pane's end plus lateness to the
drift event of a red change, traffic going on.

    python scripts/speed/embedded.py [--json] [--events N] [--panes N]
"""

import argparse
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
EVENTS = 240_000
BATCH = 500
CONNECTIONS = 4
FEATURES = tuple(f"feature_{i}" for i in range(10))
REGIONS = ("eu", "us", "asia")
COMMIT_S = 1.2
"""After the last record a commit comes within a second."""

LABELLED = 5
"""Every fifth prediction has a label, behind its prediction and in the same batch."""

PANE_MS, LATENESS_MS = 2_000, 200
SHIFT_SD = 3.0
"""A change that is red at once."""

CONFIG = """
version: 1
models:
  bench:
    task: binary
    pane: {pane}ms
    lateness: {lateness}ms
    labels: {{horizon: 1d}}
    features: {{{features}}}
    segments: [region]
    classes: [0, 1]
    reference: {{from: file, path: bench.jsonl}}
    policy: {{sustained: 1 panes}}
"""


class Traffic:
    """Seeded events; `shifted` are the features whose mean has moved."""

    def __init__(self, seed: int) -> None:
        """The same events for the same seed, apart from their instants."""
        self._rng = np.random.default_rng(seed)
        self._number = 0
        self.shifted: set[str] = set()

    def batch(self, size: int, now_ms: int) -> list[bytes]:
        """`size` events of this instant, each a JSON object: predictions and labels."""
        predictions = size * LABELLED // (LABELLED + 1)
        values = self._rng.normal(size=(predictions, len(FEATURES)))
        values += [SHIFT_SD if name in self.shifted else 0.0 for name in FEATURES]
        scores = self._rng.random(predictions)
        answers = self._rng.integers(0, 2, predictions).tolist()
        events = []
        for row, score, answer in zip(values.tolist(), scores.tolist(), answers, strict=True):
            self._number += 1
            name = f"{self._number:012d}-{now_ms:x}"
            cells = ",".join(f'"{f}":{v:.6f}' for f, v in zip(FEATURES, row, strict=True))
            events.append(
                f'{{"model":"bench","version":"3.2.17","prediction_id":"{name}",'
                f'"timestamp":{now_ms},"features":{{{cells}}},"prediction":{answer},'
                f'"score":{score:.4f},"tags":{{"region":"{REGIONS[self._number % 3]}"}},'
                f'"latency_ms":12.5}}'
            )
            if self._number % LABELLED == 0:
                events.append(
                    f'{{"model":"bench","prediction_id":"{name}","label":{answer},'
                    f'"timestamp":{now_ms}}}'
                )
        return [event.encode() for event in events]


def events(total: int = EVENTS) -> dict[str, float]:
    """The key `embedded` of the bench: CPU per event, events a second of one core."""
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder), 10_000) as server:
        traffic, now = Traffic(1), int(time.time() * 1000)
        bodies = []
        count = 0
        while count < total:
            rows = traffic.batch(BATCH, now)
            count += len(rows)
            bodies.append(b"[" + b",".join(rows) + b"]")
        _post_all(server.port, bodies[:4])  # warm
        server.drained()
        time.sleep(COMMIT_S)
        cpu, wall = server.cpu_s(), time.perf_counter()
        _post_all(server.port, bodies[4:])
        accepted = time.perf_counter() - wall
        server.drained()
        wall = time.perf_counter() - wall
        time.sleep(COMMIT_S)  # its CPU counts, our patience does not
        counted = count - sum(body.count(b'"model"') for body in bodies[:4])
        used = (server.cpu_s() - cpu) / counted
        return {
            "windage_us": round(used * 1e6, 2),
            "events_per_s": round(1 / used),
            "events_per_s_wall": round(counted / wall),
            "accepted_per_s_wall": round(counted / accepted),
            "events": counted,
        }


def latency(panes: int = 30) -> dict[str, float]:
    """The key `latency_ms`: a change of one signal each third pane, 1,000 events a second."""
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder), PANE_MS) as server:
        traffic, sent, said = Traffic(2), [], {}
        ended = threading.Event()
        listener = threading.Thread(target=_listen, args=(server.port, said, ended), daemon=True)
        listener.start()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        for now, rows in changing(traffic, panes):
            sent.append(now)
            _post(connection, b"[" + b",".join(rows) + b"]")
        time.sleep(3)
        ended.set()
        return delays(said, sent)


def changing(traffic: Traffic, panes: int) -> Iterator[tuple[int, list[bytes]]]:
    """1,000 events a second in real time, with their instant; a signal moves in each third pane."""
    first = int(time.time() * 1000) // PANE_MS + 3
    while (now := int(time.time() * 1000)) < (first + panes) * PANE_MS:
        pane = now // PANE_MS - first
        traffic.shifted = {f for i, f in enumerate(FEATURES) if 0 <= 3 * i + 3 <= pane}
        yield now, traffic.batch(100, now)
        time.sleep(max(0.0, 0.1 - (time.time() - now / 1000)))


def note(event: dict[str, Any], said: dict[str, Any]) -> None:
    """Remember a signal of the whole model that was opened, and when that was heard."""
    signal_, whole = event.get("signal"), event.get("segment") == "*"
    if event.get("transition") == "opened" and whole and signal_ not in said:
        said[str(signal_)] = time.time() * 1000, event


def delays(said: dict[str, Any], sent: list[int]) -> dict[str, float]:
    """From the first event after a pane's end and lateness to what was said of the pane, in ms."""
    found = []
    for heard, event in said.values():
        end = int(np.datetime64(event["current"]["window"]["end"][:-1], "ms").astype(int))
        begins = next((at for at in sent if at >= end + LATENESS_MS), None)
        if begins is not None:
            found.append(heard - begins)
    if not found:
        raise RuntimeError("no drift event came of the changes")
    return {
        "p50": round(statistics.median(found), 1),
        "p99": round(float(np.quantile(found, 0.99)), 1),
        "changes": len(found),
    }


class _Server:
    """A running `windage serve`."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.process, self.port = process, port

    def cpu_s(self) -> float:
        """CPU seconds of the process so far, all threads, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def health(self) -> dict[str, Any]:
        """What /healthz says."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=10) as answer:
            return dict(json.load(answer))

    def drained(self) -> None:
        """Wait until every record was read."""
        while sum(self.health()["backlog"].values()):
            time.sleep(0.05)


def lay_out(folder: Path, pane: int, more: str = "") -> str:
    """Write the config, with `more` sections, and the reference's rows; gives the config."""
    features = ", ".join(f"{name}: numeric" for name in FEATURES)
    text = CONFIG.format(pane=pane, lateness=LATENESS_MS, features=features) + more
    (folder / "windage.yaml").write_text(text)
    rows = Traffic(3).batch(12_000, int(time.time() * 1000) - 86_400_000)
    known = [row for row in rows if b'"label"' not in row]
    (folder / "bench.jsonl").write_bytes(b"\n".join(known) + b"\n")
    return text


@contextmanager
def _server(folder: Path, pane: int) -> Iterator[_Server]:
    lay_out(folder, pane)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "streams.cli", "serve", "-c", str(folder / "windage.yaml")]
    options = ["--data", str(folder / "data"), "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, *options], cwd=ROOT, stdout=log, stderr=log)
        server = _Server(process, port)
        try:
            _ready(server, folder / "log")
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _ready(server: _Server, log: Path) -> None:
    for _ in range(600):
        try:
            server.health()
        except OSError:
            if server.process.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the server did not start:\n{log.read_text()[-2000:]}")


def _post_all(port: int, bodies: list[bytes]) -> None:
    """Post over a few connections, each waiting for its answers."""

    def send(own: list[bytes]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for body in own:
            _post(connection, body)
        connection.close()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(send, [bodies[i::CONNECTIONS] for i in range(CONNECTIONS)]))


def _post(connection: http.client.HTTPConnection, body: bytes) -> None:
    """Post until it is accepted: a server that has too much says when to come again."""
    while True:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/v1/events", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status == http.HTTPStatus.ACCEPTED:
            return
        if answer.status != http.HTTPStatus.TOO_MANY_REQUESTS:
            raise RuntimeError(f"the server answered {answer.status}")
        time.sleep(float(answer.getheader("Retry-After") or 1))


def _listen(port: int, said: dict[str, Any], ended: threading.Event) -> None:
    """Note what the stream of drift events says."""
    url = f"http://127.0.0.1:{port}/v1/stream?topics=drift-events"
    with urllib.request.urlopen(url, timeout=600) as stream:
        for line in stream:
            if ended.is_set():
                return
            if not line.startswith(b"data:"):
                continue
            event = json.loads(line[5:])
            note(event.get("data", event), said)


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--events", type=int, default=EVENTS, help="0: leave this figure out")
    parser.add_argument("--panes", type=int, default=33, help="0: leave this figure out")
    asked = parser.parse_args()
    report: dict[str, Any] = {}
    if asked.events:
        report["embedded"] = events(asked.events)
    if asked.panes:
        report["latency_ms"] = latency(asked.panes)
    print(json.dumps(report) if asked.json else json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
