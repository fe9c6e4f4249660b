"""What poison costs: good records of the bench alone, and among as many refused ones, in one run.

The records have ten numeric features, 430 bytes of JSON and three segments. Poison is what broken
producers make of them, in turn: cut short, a field renamed or of a wrong type, no UTF-8, an instant
centuries ahead. `profiler`: the machine alone, in this process. `worker`: the profiler's process on
a real broker, with one label per five predictions, fetching, sending and snapshots; its start is
left out as in `kafka_sides`. All is CPU time.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import events
import kafka_sides as sides
from broker import NoBrokerError, broker, create

FEW, MANY = 20_000, 120_000
"""Good predictions of the two runs whose difference is measured."""

BREAKS: Final[tuple[Callable[[bytes], bytes], ...]] = (
    lambda value: value[:-7],
    lambda value: value.replace(b'"model"', b'"modell"'),
    lambda value: value.replace(b'"timestamp":', b'"timestamp":[],"at":'),
    lambda value: value.replace(b'"prediction_id":"', b'"prediction_id":"\xff'),
    lambda value: value.replace(b'"timestamp":"2', b'"timestamp":"4'),
)
ARMS: Final = ("good", "both")


def spoilt(values: list[bytes]) -> list[bytes]:
    """Each record broken in one way, in turn."""
    return [BREAKS[i % len(BREAKS)](value) for i, value in enumerate(values)]


def profiled(count: int = 10_000, rounds: int = 5) -> dict[str, Any]:
    """The figures of the machine alone."""
    from schemas.baseline import decode  # noqa: PLC0415 - found once this runs as a program
    from schemas.config_model import config_hash  # noqa: PLC0415
    from schemas.load import load_text  # noqa: PLC0415
    from streams.runtime.roles import ProfilerRole  # noqa: PLC0415
    from tests.fuzz.poison import collected_by_hand, compared  # noqa: PLC0415

    features = ", ".join(f"{name}: numeric" for name in events.NAMES)
    text = sides.CONFIG.format(bootstrap="127.0.0.1:9", run="r", name="r", features=features)
    config = load_text(text, {}, lambda name: Path(name).read_text())
    grid = decode(events.reference(config_hash(config.models[events.MODEL])))
    good = [value for chunk in events.chunks(count) for value in chunk.predictions_json()]
    poison = [(value, ()) for value in spoilt(good)]
    with collected_by_hand():
        role = ProfilerRole(config, {events.MODEL: grid})
        healthy, now = [(value, ()) for value in good], time.time_ns() // 1_000_000
        found: dict[str, Any] = compared(healthy, poison, rounds, role, now)
    return found


def worked() -> dict[str, Any]:
    """The figures of a worker on a broker of its own; NoBrokerError where none can be started."""
    with (
        tempfile.TemporaryDirectory() as name,
        broker(Path(name) / "broker") as bootstrap,
    ):
        return _measured(bootstrap, Path(name))


def _measured(bootstrap: str, folder: Path) -> dict[str, Any]:
    create(bootstrap, [f"{arm}-{log}" for arm in ARMS for log in "pl"])
    sides._coordinated(bootstrap)  # noqa: SLF001 - the same bench
    source = events.chunks(MANY)
    spent, bad = dict.fromkeys(ARMS, 0.0), []
    for run, count, sign in (("few", FEW, -1), ("many", MANY - FEW, 1)):
        bad += asyncio.run(_produce(bootstrap, source, count))
        for arm in ARMS:
            spent[arm] += sign * sides._windage(bootstrap, folder, arm, run).cpu_s  # noqa: SLF001
    letters = _values(bootstrap, "both-many-dead-letters")
    micro = 1e6 / (MANY - FEW)
    return {
        "good_predictions": MANY,
        "refused": len(bad),
        "dead_letters": len(letters),
        "bytes_equal": sorted(letters) == sorted(bad),
        "good_us": round(spent["good"] * micro, 2),
        "refused_us": round((spent["both"] - spent["good"]) * micro, 2),
        "throughput_ratio": round(spent["good"] / spent["both"], 3),
    }


async def _produce(bootstrap: str, source: Iterator[events.Chunk], count: int) -> list[bytes]:
    """Write the next `count` predictions and their labels, for one arm among poison: gives that."""
    from aiokafka import AIOKafkaProducer  # noqa: PLC0415 - not needed to break records

    written: list[bytes] = []
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks=1) as producer:
        for _ in range(count // events.CHUNK):
            chunk = next(source)
            good, labels = chunk.predictions_json(), chunk.labels_json()
            bad = spoilt(good)
            mixed = [value for pair in zip(good, bad, strict=True) for value in pair]
            twice = [name for name in chunk.ids for _ in range(2)]
            await sides._write(producer, "good-p", chunk.ids, good)  # noqa: SLF001
            await sides._write(producer, "both-p", twice, mixed)  # noqa: SLF001
            for arm in ARMS:
                names = chunk.ids[:: events.EVERY]
                await sides._write(producer, f"{arm}-l", names, labels)  # noqa: SLF001
            written += bad
    return written


def _values(bootstrap: str, topic: str) -> list[bytes]:
    """The values of all records of a topic."""
    from kafka import KafkaConsumer, TopicPartition  # noqa: PLC0415

    with closing(KafkaConsumer(bootstrap_servers=bootstrap)) as consumer:
        parts = [TopicPartition(topic, part) for part in consumer.partitions_for_topic(topic)]
        consumer.assign(parts)
        consumer.seek_to_beginning()
        wanted, found = sum(consumer.end_offsets(parts).values()), []
        while len(found) < wanted:
            for records in consumer.poll(1000).values():
                found += [record.value for record in records]
    return found


if __name__ == "__main__":
    sys.path[:0] = [str(sides.ROOT)]
    report = {"profiler": profiled()}
    try:
        report["worker"] = worked()
    except NoBrokerError as error:
        print(f"poison: no figures of a worker: {error}", file=sys.stderr)
    print(json.dumps(report))
