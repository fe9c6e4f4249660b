"""Which retrain requests were run: so that one that is delivered again is not.

Promises: over Kafka the memory is the topic of model events itself, which every trainer reads to
its end before it runs a request. A request belongs to whoever said first in that log that it was
started: the log is the judge, so also of two trainers that start in the same moment only one runs.
It survives restarts, and is shared by all members of a group and by other groups. Over HTTP it is a
file, or only this process.
Leaves to others: what to do about it (`retraining`).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from windage.addresses import KafkaAddress
from windage.from_kafka import options_of
from windage.over_kafka import connected

TYPES: Final = ("retraining_started", "retraining_finished", "retraining_failed")
POLL_MS: Final = 500
PATIENCE: Final = 60
"""Polls without a record before we say that the topic cannot be read."""


class Memory(Protocol):
    """Requests that were started by anyone."""

    def owner(self, request_id: str) -> str | None:
        """The claim that was first; None: nobody's yet. ConnectionError if it cannot be known."""
        ...

    def add(self, request_id: str, claim: str) -> None:
        """A claim was published."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class InModelEvents:
    """The requests that retraining events name."""

    def __init__(self, target: KafkaAddress) -> None:
        """Connect and read nothing yet."""
        import kafka  # noqa: PLC0415

        self._owners: dict[str, str] = {}
        self._topic = target.topic("model-events")
        self._consumer = connected(
            kafka.KafkaConsumer, {"auto_offset_reset": "earliest", **options_of(target)}
        )
        numbers = self._consumer.partitions_for_topic(self._topic)
        if not numbers:
            self._consumer.close()
            raise ConnectionError(f"there is no topic {self._topic} to answer in")
        self._partitions = [kafka.TopicPartition(self._topic, number) for number in numbers]
        self._consumer.assign(self._partitions)

    def owner(self, request_id: str) -> str | None:
        """Read to the end of the topic, and look."""
        if request_id not in self._owners:
            self._catch_up()
        return self._owners.get(request_id)

    def add(self, request_id: str, claim: str) -> None:
        """Nothing: what counts is what the topic says, and in which order."""

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close(autocommit=False)

    def _catch_up(self) -> None:
        ends = self._consumer.end_offsets(self._partitions)
        silent = 0
        while any(self._consumer.position(tp) < end for tp, end in ends.items()):
            records = self._consumer.poll(timeout_ms=POLL_MS)
            silent = 0 if records else silent + 1
            if silent > PATIENCE:
                raise ConnectionError(f"{self._topic} cannot be read to its end")
            for partition in records.values():
                for record in partition:
                    for about, claim in started(record.value):
                        self._owners.setdefault(about, claim)


class InFile:
    """A line for each request; None: only in this process."""

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else Path(path)
        self._owners: dict[str, str] = {}
        if self._path is not None and self._path.exists():
            lines = self._path.read_text("utf-8").splitlines()
            self._owners = {about: claim for about, _, claim in (x.partition(" ") for x in lines)}

    def owner(self, request_id: str) -> str | None:
        """Look."""
        return self._owners.get(request_id)

    def add(self, request_id: str, claim: str) -> None:
        """Append a line."""
        self._owners[request_id] = claim
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{request_id} {claim}\n")

    def close(self) -> None:
        """Nothing is open."""


def started(value: bytes | None) -> Iterator[tuple[str, str]]:
    """The request that a model event says was started, and its claim: the event's own id."""
    try:
        event: Any = json.loads(value or b"null")
    except ValueError:
        return
    if isinstance(event, dict) and "specversion" in event:
        event = event.get("data")
    if isinstance(event, dict) and event.get("type") in TYPES:
        about = event.get("request_id")
        if isinstance(about, str):
            yield about, str(event.get("id"))
