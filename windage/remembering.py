"""Which retrain requests were run: so that one that is delivered again is not.

Promises: over Kafka the memory is the topic of model events itself, which every trainer reads to
its end before it starts a request; so it survives restarts, and is shared by all members of a
group and by other groups. Over HTTP it is a file, or only this process.
Leaves to others: what to do about it (`retraining`).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from windage.addresses import KafkaAddress

TYPES: Final = ("retraining_started", "retraining_finished", "retraining_failed")
POLL_MS: Final = 500
PATIENCE: Final = 60
"""Polls without a record before we say that the topic cannot be read."""


class Memory(Protocol):
    """Requests that were started by anyone."""

    def knows(self, request_id: str) -> bool:
        """Whether it was started. ConnectionError where that cannot be known."""
        ...

    def add(self, request_id: str) -> None:
        """Remember that it was."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class InModelEvents:
    """The requests that retraining events name."""

    def __init__(self, target: KafkaAddress) -> None:
        """Connect and read nothing yet."""
        import kafka  # noqa: PLC0415

        self._ids: set[str] = set()
        self._topic = target.topic("model-events")
        self._consumer = kafka.KafkaConsumer(
            bootstrap_servers=list(target.bootstrap),
            client_id="windage",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            **(target.options or {}),
        )
        numbers = self._consumer.partitions_for_topic(self._topic)
        if not numbers:
            self._consumer.close()
            raise ConnectionError(f"there is no topic {self._topic} to answer in")
        self._partitions = [kafka.TopicPartition(self._topic, number) for number in numbers]
        self._consumer.assign(self._partitions)

    def knows(self, request_id: str) -> bool:
        """Read to the end of the topic, and look."""
        if request_id not in self._ids:
            self._catch_up()
        return request_id in self._ids

    def add(self, request_id: str) -> None:
        """Remember it before the topic says so."""
        self._ids.add(request_id)

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
                self._ids.update(about for record in partition for about in started(record.value))


class InFile:
    """A line for each request; None: only in this process."""

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else Path(path)
        self._ids: set[str] = set()
        if self._path is not None and self._path.exists():
            self._ids.update(self._path.read_text("utf-8").split())

    def knows(self, request_id: str) -> bool:
        """Look."""
        return request_id in self._ids

    def add(self, request_id: str) -> None:
        """Append a line."""
        self._ids.add(request_id)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(request_id + "\n")

    def close(self) -> None:
        """Nothing is open."""


def started(value: bytes | None) -> Iterator[str]:
    """The id of the request that a model event says was started, if it is one."""
    try:
        event: Any = json.loads(value or b"null")
    except ValueError:
        return
    if isinstance(event, dict) and "specversion" in event:
        event = event.get("data")
    if isinstance(event, dict) and event.get("type") in TYPES:
        about = event.get("request_id")
        if isinstance(about, str):
            yield about
