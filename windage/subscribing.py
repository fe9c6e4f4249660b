"""Subscribing: drift events, alerts and requests as plain dicts, each once.

Promises: an event that comes again, after a crash of ours or of the product, is left out as long
as its id is remembered; of an incident's alerts, one with a lower sequence than one already seen is
left out; an event counts as handled when the next one is asked for, so that none is lost with us.
Leaves to others: reading (`sources`).
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from time import monotonic
from typing import Any, Final, Literal

from windage.addresses import address
from windage.counts import Counts
from windage.fields import nearest
from windage.opening import source
from windage.sources import Event, Source

TOPICS: Final = ("alerts", "drift-events", "readings", "retrain-requests", "rollback-requests")
POLL_S: Final = 0.5
AGAIN_S: Final = 1.0
_counts: Final = Counts()


class Seen:
    """Ids and sequences that were seen, the oldest forgotten first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._sequences: OrderedDict[str, int] = OrderedDict()

    def is_new(self, event: Event) -> bool:
        """Whether the event is to be handed out; it is remembered."""
        if event.id in self._ids:
            return False
        self._ids[event.id] = None
        if len(self._ids) > self._size:
            self._ids.popitem(last=False)
        incident, sequence = event.get("incident_id"), event.get("sequence")
        if event.topic != "alerts" or not isinstance(incident, str) or type(sequence) is not int:
            return True
        if sequence <= self._sequences.get(incident, -1):
            return False
        self._sequences[incident] = sequence
        self._sequences.move_to_end(incident)
        if len(self._sequences) > self._size:
            self._sequences.popitem(last=False)
        return True


def subscribe(  # noqa: PLR0913 - options of keyword only
    url: str,
    topic: str = "alerts",
    *,
    group: str,
    models: Iterable[str] | None = None,
    start: Literal["latest", "earliest"] = "latest",
    cursor: str | None = None,
    idle_s: float | None = None,
    stop: threading.Event | None = None,
    remember: int = 10_000,
    topic_prefix: str = "",
    token: str | None = None,
    ca_file: str | None = None,
    kafka: Mapping[str, Any] | None = None,
    allow_insecure: bool = False,
) -> Iterator[Event]:
    """Events of an output topic, as they come; ValueError for arguments that cannot be meant.

    >>> for alert in subscribe("kafka://localhost:9092", group="ops"):  # doctest: +SKIP
    ...     print(alert["status"], alert["title"])

    `group`: readers of one group share the events (Kafka) and go on where the group was. Over HTTP
    every reader has all events, and goes on where it was if `cursor` names a file to keep the
    place in. `models`: only theirs. `idle_s`: end after so long without an event; `stop`: end when
    it is set. While nobody answers it waits, and after `idle_s` raises ConnectionError.
    """
    if topic not in TOPICS:
        hint = nearest(topic, TOPICS) or f"known are {', '.join(TOPICS)}"
        raise ValueError(f"there is no output topic {topic!r}; {hint}")
    if start not in ("latest", "earliest"):
        raise ValueError(f"start is {start!r}; latest or earliest are allowed")
    if isinstance(models, str):
        raise ValueError("models is a list of names, not one text")  # noqa: TRY004
    target = address(
        url,
        prefix=topic_prefix,
        token=token,
        ca_file=ca_file,
        options=kafka,
        allow_insecure=allow_insecure,
    )
    wanted = None if models is None else frozenset(models)

    def connect() -> Source:
        return source(target, topic, group=group, start=start, cursor=cursor)

    return _events(connect, wanted, Seen(remember), idle_s, stop or threading.Event())


def _events(
    connect: Any,  # noqa: ANN401 - a function without arguments that opens a source
    wanted: frozenset[str] | None,
    seen: Seen,
    idle_s: float | None,
    stop: threading.Event,
) -> Iterator[Event]:
    reader = opened(connect, idle_s, stop)
    if reader is None:
        return
    try:
        last = monotonic()
        while not stop.is_set():
            found = reader.read(POLL_S)
            for arrived in found:
                event = arrived.event
                if (wanted is None or event.get("model") in wanted) and seen.is_new(event):
                    yield event
                    last = monotonic()
                reader.done(arrived)
                if stop.is_set():
                    break
            if found:
                reader.save()
            elif idle_s is not None and monotonic() - last > idle_s:
                break
    finally:
        reader.close()


def opened(connect: Any, patience_s: float | None, stop: threading.Event) -> Source | None:  # noqa: ANN401
    """A source, as soon as somebody answers; None if `stop` was set before.

    ConnectionError if nobody has for `patience_s`.
    """
    since = monotonic()
    while not stop.is_set():
        try:
            return connect()  # type: ignore[no-any-return]
        except ConnectionError as error:
            if patience_s is not None and monotonic() - since > patience_s:
                raise
            _counts.tell(f"waiting: {error}")
        stop.wait(AGAIN_S)
    return None
