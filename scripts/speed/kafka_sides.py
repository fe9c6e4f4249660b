# ruff: noqa: ANN401 - Faust, aiokafka and pyarrow publish no types
"""Windage's profiler process and the naive detector on the same topics of a real broker.

CPU per event is that of the whole process, all threads, user and system, as the kernel says when
it has ended. Each side runs twice from the beginning of the topics, over few records and over
many; the difference of CPU by the difference of records leaves out what starting costs.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import events
from broker import broker, create

ROOT = Path(__file__).resolve().parents[2]
NAIVE = Path(__file__).with_name("naive.py")
WARM_UP = 20_000
NAIVE_PREDICTIONS = 100_000
PREDICTIONS = 1_000_000
"""All of them wait in the store at the end: the horizon is a day."""

LIMIT_SECONDS = 600
ARROW = (("content-type", b"application/vnd.apache.arrow.stream"),)
_BATCH_BYTES = 500_000

CONFIG = """
version: 1
kafka: {{bootstrap: "{bootstrap}", group: "{run}"}}
topics: {{prefix: "{run}-", partitions: 1, names: {{predictions: "{name}-p", labels: "{name}-l"}}}}
state: {{every: 2s}}
models:
  bench:
    task: binary
    pane: 10s
    lateness: 5s
    labels: {{horizon: 1d}}
    features: {{{features}}}
    segments: [region]
    classes: [0, 1]
    reference: {{from: file, path: bench.reference}}
"""


class Cost(NamedTuple):
    """What a process has used: CPU seconds, and resident memory at its peak."""

    cpu_s: float
    rss_mb: float
    wall_s: float


def measure(form: str, folder: Path) -> dict[str, float]:
    """The figures of one form of intake, `json` or `arrow`, on a broker of its own."""
    with broker(folder / "broker") as bootstrap:
        return _measure(form, bootstrap, folder)


def _measure(form: str, bootstrap: str, folder: Path) -> dict[str, float]:
    create(bootstrap, ["json-p", "json-l"])
    _coordinated(bootstrap)
    sides = {form, "json"}
    if form != "json":
        create(bootstrap, [f"{form}-p", f"{form}-l"])
    source = events.chunks(PREDICTIONS)
    asyncio.run(_produce(bootstrap, source, sides, WARM_UP))
    few_ours = _windage(bootstrap, folder, form, "few")
    few_naive = _naive(bootstrap, folder, _records(WARM_UP))
    asyncio.run(_produce(bootstrap, source, sides, PREDICTIONS - WARM_UP))
    many_naive = _naive(bootstrap, folder, _records(NAIVE_PREDICTIONS))
    many_ours = _windage(bootstrap, folder, form, "many")
    ours = (many_ours.cpu_s - few_ours.cpu_s) / _records(PREDICTIONS - WARM_UP) * 1e6
    theirs = (many_naive.cpu_s - few_naive.cpu_s) / _records(NAIVE_PREDICTIONS - WARM_UP) * 1e6
    return {
        "windage_us": round(ours, 3),
        "naive_us": round(theirs, 2),
        "ratio": round(theirs / ours, 1),
        "events_per_s": round(1e6 / ours),
        "peak_rss_mb": round(many_ours.rss_mb, 1),
        "waiting": PREDICTIONS,
        "wall_s": round(many_ours.wall_s, 2),
    }


def _records(predictions: int) -> int:
    return predictions + predictions // events.EVERY


def _windage(bootstrap: str, folder: Path, form: str, run: str) -> Cost:
    """The profiler worker as the product starts it, until everything is committed."""
    from schemas.config_model import config_hash  # noqa: PLC0415
    from schemas.load import load_text  # noqa: PLC0415
    from streams.runtime import topics  # noqa: PLC0415

    features = ", ".join(f"{name}: numeric" for name in events.NAMES)
    text = CONFIG.format(bootstrap=bootstrap, run=f"{form}-{run}", name=form, features=features)
    config = load_text(text, {}, lambda name: Path(name).read_text())
    (folder / "windage.yaml").write_text(text)
    (folder / "bench.reference").write_bytes(
        events.reference(config_hash(config.models[events.MODEL]))
    )
    topics.create(config)
    command = [sys.executable, "-m", "streams.cli", "worker"]
    options = ["-c", str(folder / "windage.yaml"), "--role", "profiler"]
    ends = _ends(bootstrap, [f"{form}-p", f"{form}-l"])
    with (folder / f"{form}-{run}.log").open("wb") as log:
        began = time.monotonic()
        process = subprocess.Popen([*command, *options], cwd=ROOT, stdout=log, stderr=log)

        def finished() -> bool:
            return _committed(bootstrap, f"{form}-{run}-profiler") == ends

        _until(finished, process, folder / f"{form}-{run}.log")
        wall = time.monotonic() - began
        process.send_signal(signal.SIGTERM)
        return _ended(process, wall)


def _naive(bootstrap: str, folder: Path, records: int) -> Cost:
    """The naive side over the first records of both topics."""
    began = time.monotonic()
    arguments = [bootstrap, "json-p", "json-l", str(folder / "naive"), str(records)]
    with (folder / "naive.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, str(NAIVE), *arguments], stdout=log, stderr=log)
        return _ended(process, 0.0, began)


def _ended(process: "subprocess.Popen[bytes]", wall: float, began: float | None = None) -> Cost:
    """Wait for a process; gives what it has used."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    took = wall if began is None else time.monotonic() - began
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, took)


def _until(done: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not done():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"the worker did not finish:\n{log.read_text()[-2000:]}")
        time.sleep(0.25)


def _ends(bootstrap: str, topics: list[str]) -> dict[str, int]:
    from kafka import KafkaConsumer, TopicPartition  # noqa: PLC0415

    with closing(KafkaConsumer(bootstrap_servers=bootstrap)) as consumer:
        ends = consumer.end_offsets([TopicPartition(topic, 0) for topic in topics])
    return {tp.topic: end for tp, end in ends.items()}


def _committed(bootstrap: str, group: str) -> dict[str, int]:
    """What a consumer group has read, by topic."""
    return asyncio.run(_ask_committed(bootstrap, group))


async def _ask_committed(bootstrap: str, group: str) -> dict[str, int]:
    from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    return {tp.topic: at.offset for tp, at in found.items() if at.offset > 0}


def _coordinated(bootstrap: str) -> None:
    """Wait until the new broker has made its topic of groups, which the first question starts."""
    for _ in range(60):
        try:
            _committed(bootstrap, "nobody")
        except Exception:  # noqa: BLE001 - whatever it says, it is not ready
            time.sleep(0.5)
        else:
            return
    raise RuntimeError("the broker gives no group coordinator")


async def _produce(
    bootstrap: str, source: Iterator[events.Chunk], sides: set[str], predictions: int
) -> None:
    """Write the next `predictions` of `source` and their labels, in every form asked for."""
    from aiokafka import AIOKafkaProducer  # noqa: PLC0415

    options: dict[str, Any] = {"max_batch_size": _BATCH_BYTES, "max_request_size": 9 << 20}
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks=1, **options) as producer:
        for _ in range(predictions // events.CHUNK):
            chunk = next(source)
            if "json" in sides:
                await _write(producer, "json-p", chunk.ids, chunk.predictions_json())
                await _write(producer, "json-l", chunk.ids[:: events.EVERY], chunk.labels_json())
            if "arrow" in sides:
                for topic, value in (
                    ("arrow-p", chunk.predictions_arrow()),
                    ("arrow-l", chunk.labels_arrow()),
                ):
                    await producer.send_and_wait(topic, value, partition=0, headers=list(ARROW))


async def _write(producer: Any, topic: str, ids: list[str], values: list[bytes]) -> None:
    batch = producer.create_batch()
    for key, value in zip(ids, values, strict=True):
        if batch.append(key=key.encode(), value=value, timestamp=None) is None:
            await (await producer.send_batch(batch, topic, partition=0))
            batch = producer.create_batch()
            batch.append(key=key.encode(), value=value, timestamp=None)
    await (await producer.send_batch(batch, topic, partition=0))
