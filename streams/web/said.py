"""What people and services said of models: deployments, verdicts, silences, notes.

Promises: a fold of the model events that are kept, the newest `KEPT` of them; what cannot be read
is left out, because it is among the dead letters.
Leaves to others: reading the log (`Source` is whoever can), what follows (`streams.policy`).
"""

from collections import deque
from threading import Lock
from typing import Final, Protocol

import msgspec

from schemas.envelope import EnvelopeError, open_envelope
from schemas.inputs import ModelEvent, model_event_decoder
from schemas.instants import parse, rfc3339
from schemas.log import Millis, Record

KEPT: Final = 5_000
_PAGE: Final = 500


class Source(Protocol):
    """The model events of one installation, by partition."""

    @property
    def partitions(self) -> int:
        """How many there are."""

    def read(
        self, topic: str, partition: int, offset: int, limit: int, *, connection: str = ...
    ) -> list[Record]:
        """At most `limit` records from `offset` on."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was said or asked for, at an instant."""

    at: str
    model: str
    type: str
    version: str | None = None
    author: str | None = None
    note: str | None = None
    incident_id: str | None = None
    request_id: str | None = None
    verdict: str | None = None
    root_cause: str | None = None
    matchers: dict[str, str] | None = None
    until: str | None = None


class Said:
    """Model events as they were said."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._next = [0] * source.partitions
        self._marks: deque[tuple[Millis, Mark]] = deque(maxlen=KEPT)
        self._lock = Lock()  # pages are answered in threads, and each asks for the newest

    def refresh(self) -> None:
        """Take in what was said since the last time."""
        with self._lock:
            for partition in range(len(self._next)):
                while records := self._source.read(
                    "model-events", partition, self._next[partition], _PAGE, connection="view"
                ):
                    self._next[partition] = records[-1].offset + 1
                    for record in records:
                        self._take(record)

    def marks(
        self, model: str | None, start: Millis, end: Millis, incident_id: str | None = None
    ) -> list[Mark]:
        """What was said of a model (None: any) in [start, end], by time."""
        found = [
            (at, mark)
            for at, mark in tuple(self._marks)
            if start <= at <= end
            and model in (None, mark.model)
            and incident_id in (None, mark.incident_id)
        ]
        return [mark for _, mark in sorted(found, key=lambda pair: pair[0])]

    def _take(self, record: Record) -> None:
        try:
            content = open_envelope(record.headers, record.value or b"").content
            event = model_event_decoder.decode(content)
            at = parse(event.timestamp)
        except (EnvelopeError, msgspec.MsgspecError, ValueError):
            return
        if event.type != "end_of_stream":
            self._marks.append((at, _mark(event, at)))


def _mark(event: ModelEvent, at: Millis) -> Mark:
    matchers = event.matchers
    return Mark(
        at=rfc3339(at),
        model=event.model,
        type=event.type,
        version=event.version,
        author=event.author,
        note=event.note,
        incident_id=event.incident_id,
        request_id=event.request_id,
        verdict=event.verdict,
        root_cause=event.root_cause,
        matchers=None if matchers is None else msgspec.to_builtins(matchers),
        until=_instant(event.until),
    )


def _instant(value: float | str | None) -> str | None:
    if value is None:
        return None
    try:
        return rfc3339(parse(value))
    except ValueError:
        return None
