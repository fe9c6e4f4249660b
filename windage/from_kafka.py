"""Reading a topic of Kafka with kafka-python, imported only when it is needed.

Promises: offsets are committed only below the first event that is not done, so that nothing is
lost with a reader; a partition that went to another reader is not committed for it.
Leaves to others: telling repeated events (`subscribing`).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from windage.addresses import KafkaAddress
from windage.counts import Counts
from windage.over_kafka import connected
from windage.sources import Arrived, Event

STRUCTURED: Final = b"application/cloudevents+json"
SESSION_MS: Final = 15_000
BOOTSTRAP_MS: Final = 5_000
BATCH: Final = 200

_counts: Final = Counts()
"""Only to log each kind of fault once."""


class FromKafka:
    """A member of a consumer group."""

    def __init__(
        self, address: KafkaAddress, topic: str, *, group: str, start: str, longest_s: float
    ) -> None:
        import kafka  # noqa: PLC0415 - takes longer than importing all of this package

        self._errors = kafka.errors
        self._offset = kafka.OffsetAndMetadata
        self._topic = topic
        self._open: dict[Any, list[int]] = {}
        """Offsets by partition that were handed out and are not done."""
        self._next: dict[Any, int] = {}
        """Offsets by partition behind the last one handed out."""
        self._saved: dict[Any, int] = {}
        try:
            self._consumer = connected(
                kafka.KafkaConsumer,
                {
                    "group_id": group,
                    "auto_offset_reset": start,
                    "session_timeout_ms": SESSION_MS,
                    "max_poll_interval_ms": int(1000 * longest_s),
                    **options_of(address),
                },
            )
            self._consumer.subscribe([address.topic(topic)])
        except kafka.errors.KafkaError as error:
            raise ConnectionError(f"{address} does not answer: {type(error).__name__}") from error

    def read(self, seconds: float) -> Sequence[Arrived]:
        """Poll once."""
        out: list[Arrived] = []
        polled = self._consumer.poll(timeout_ms=int(1000 * seconds), max_records=BATCH)
        for partition, records in polled.items():
            for record in records:
                self._next[partition] = record.offset + 1
                event = opened(record.headers, record.value, self._topic)
                if event is not None:
                    event.id = event.id or f"{self._topic}/{record.partition}@{record.offset}"
                    self._open.setdefault(partition, []).append(record.offset)
                    out.append(Arrived(event, (partition, record.offset)))
        for gone in set(self._next) - self._consumer.assignment():
            for places in (self._open, self._next, self._saved):
                places.pop(gone, None)
        return out

    def owns(self, arrived: Arrived) -> bool:
        """Whether its partition is still ours, and has been since it was read."""
        partition, offset = arrived.place
        return offset in self._open.get(partition, ()) and partition in self._consumer.assignment()

    def done(self, arrived: Arrived) -> None:
        """Remember it; `save` commits."""
        partition, offset = arrived.place
        if offset in self._open.get(partition, ()):
            self._open[partition].remove(offset)

    def save(self) -> None:
        """Commit, below the first event of each partition that is not done."""
        ours = self._consumer.assignment()
        places = {
            partition: min([*self._open.get(partition, ()), after])
            for partition, after in self._next.items()
            if partition in ours
        }
        changed = {tp: at for tp, at in places.items() if self._saved.get(tp) != at}
        if not changed:
            return
        try:
            self._consumer.commit({tp: self._offset(at, "", -1) for tp, at in changed.items()})
            self._saved.update(changed)
        except self._errors.KafkaError as error:
            # Another member has the partition now, or nobody answers: it will come again.
            _counts.tell(f"cannot commit: {type(error).__name__}")

    def close(self) -> None:
        """Commit, and leave the group."""
        try:
            self.save()
        finally:
            self._consumer.close(autocommit=False)


def options_of(address: KafkaAddress) -> dict[str, Any]:
    """What every consumer of ours is told, and what the caller wants."""
    return {
        "bootstrap_servers": list(address.bootstrap),
        "client_id": "windage",
        "bootstrap_timeout_ms": BOOTSTRAP_MS,
        "enable_auto_commit": False,
        **(address.options or {}),
    }


def opened(headers: Sequence[tuple[str, bytes]], value: bytes | None, topic: str) -> Event | None:
    """The event of a record in either mode of CloudEvents; None for what is no JSON object."""
    said: Mapping[str, bytes] = {name.lower(): text for name, text in headers or ()}
    try:
        found = json.loads(value or b"null")
        about = said.get("ce_id", b"").decode()
        if said.get("content-type", b"").startswith(STRUCTURED):
            about, found = str(found.get("id", "")), found.get("data")
    except (ValueError, AttributeError):
        found = None
    if not isinstance(found, dict):
        _counts.tell(f"{topic}: a record is no event, and was left out")
        return None
    event = Event(found)
    event.id, event.topic = about, topic
    return event
