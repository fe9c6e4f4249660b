"""How soon Windage speaks on Kafka: from an event at the broker to the drift event at a consumer.

Both roles run as `windage worker` starts them, on a broker of their own with topics of one
partition. As in `embedded.latency`: from the first event after a pane's end plus lateness to the
drift event of a red change, a thousand events a second going on.

    python scripts/speed/kafka_latency.py [PANES]
"""

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import embedded
from broker import broker

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 180
PREFIX = "late-"
KAFKA = """
kafka: {{bootstrap: "{bootstrap}", group: late}}
topics: {{prefix: "{prefix}", partitions: 1}}
"""


def latency(panes: int = 33) -> dict[str, float]:
    """Milliseconds: p50, p99, and of how many changes; NoBrokerError where none can be started."""
    sys.path.insert(0, str(ROOT))
    from schemas.load import load_text  # noqa: PLC0415 - as in the other benches
    from streams.runtime import topics  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as name, broker(Path(name) / "broker") as bootstrap:
        folder = Path(name)
        more = KAFKA.format(bootstrap=bootstrap, prefix=PREFIX)
        text = embedded.lay_out(folder, embedded.PANE_MS, more)
        topics.create(load_text(text, {}, lambda file: (folder / file).read_text()))
        said: dict[str, Any] = {}
        ended = threading.Event()
        listener = threading.Thread(target=_listen, args=(bootstrap, said, ended), daemon=True)
        listener.start()
        with _workers(folder):
            sent = _write(bootstrap, panes)
            time.sleep(5)
        ended.set()
        listener.join()
        return embedded.delays(said, sent)


@contextmanager
def _workers(folder: Path) -> Iterator[None]:
    """Both roles, from when they own their partitions until the end."""
    command = [sys.executable, "-m", "streams.cli", "worker", "-c", str(folder / "windage.yaml")]
    running: list[subprocess.Popen[bytes]] = []
    try:
        for role in ("profiler", "monitor"):
            with (folder / role).open("wb") as log:
                options = ["--role", role]
                one = subprocess.Popen([*command, *options], cwd=ROOT, stdout=log, stderr=log)
                running.append(one)
        deadline = time.monotonic() + READY_SECONDS
        for role, process in zip(("profiler", "monitor"), running, strict=True):
            while b"owns partitions [0]" not in (folder / role).read_bytes():
                if process.poll() is not None or time.monotonic() > deadline:
                    text = (folder / role).read_text()[-2000:]
                    raise RuntimeError(f"the {role} is not ready:\n{text}")
                time.sleep(0.2)
        yield
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait(60)


def _write(bootstrap: str, panes: int) -> list[int]:
    """Write the traffic, each event under its id; gives the instants of its batches."""
    from kafka import KafkaProducer  # noqa: PLC0415

    sent = []
    producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=0)
    for now, rows in embedded.changing(embedded.Traffic(2), panes):
        sent.append(now)
        for row in rows:
            topic = "labels" if b'"label"' in row else "predictions"
            key = json.loads(row)["prediction_id"].encode()
            producer.send(PREFIX + topic, row, key=key)
        producer.flush()
    producer.close()
    return sent


def _listen(bootstrap: str, said: dict[str, Any], ended: threading.Event) -> None:
    """Note what the topic of drift events says."""
    from kafka import KafkaConsumer  # noqa: PLC0415

    consumer = KafkaConsumer(
        f"{PREFIX}drift-events", bootstrap_servers=bootstrap, auto_offset_reset="earliest"
    )
    while not ended.is_set():
        for records in consumer.poll(timeout_ms=20).values():
            for record in records:
                embedded.note(json.loads(record.value), said)
    consumer.close()


if __name__ == "__main__":
    print(json.dumps(latency(*map(int, sys.argv[1:]))))
