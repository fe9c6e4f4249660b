"""A message: one output event as a sink is told of it.

Promises: the id is that of the event, the same however often it is read or sent; what cannot be
read as an event is None, never an exception.
Leaves to others: reading logs (`source`), which sink it is for (`memory`), its form (`webhook`,
`alertmanager`).
"""

from typing import Final, cast

import msgspec

from schemas.config_sinks import SinkTopic
from schemas.envelope import EnvelopeError, open_envelope
from schemas.log import Millis
from schemas.outputs import Alert, RetrainRequest, RollbackRequest
from schemas.vocabulary import EVENT_TYPES, EventType, TopicName
from streams.runtime.installation.drill import SOURCE
from streams.runtime.installation.reading import Located

SinkEvent = Alert | RetrainRequest | RollbackRequest


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """An event with its id; `content` are its JSON bytes, `time` when it was appended."""

    id: str
    topic: SinkTopic
    type: EventType
    time: Millis
    content: bytes
    event: SinkEvent
    drill: bool = False

    @property
    def incident(self) -> str | None:
        """The incident of an alert; None for a request."""
        return self.event.incident_id if isinstance(self.event, Alert) else None

    @property
    def firing(self) -> bool:
        """Whether it is an alert of an incident that is open."""
        return isinstance(self.event, Alert) and self.event.status == "firing"


_decoders: Final[dict[SinkTopic, msgspec.json.Decoder[SinkEvent]]] = {
    "alerts": cast("msgspec.json.Decoder[SinkEvent]", msgspec.json.Decoder(Alert)),
    "retrain-requests": cast(
        "msgspec.json.Decoder[SinkEvent]", msgspec.json.Decoder(RetrainRequest)
    ),
    "rollback-requests": cast(
        "msgspec.json.Decoder[SinkEvent]", msgspec.json.Decoder(RollbackRequest)
    ),
}


def message_of(record: Located) -> Message | None:
    """The message of a record of an output topic; None where it is none."""
    topic = cast("SinkTopic", record.topic)
    if record.value is None or topic not in _decoders:
        return None
    try:
        envelope = open_envelope(record.headers, record.value)
        event = _decoders[topic].decode(envelope.content)
    except (EnvelopeError, msgspec.MsgspecError, UnicodeError):
        return None
    return Message(
        id=envelope.id or f"{record.topic}-{record.partition}-{record.offset}",
        topic=topic,
        type=EVENT_TYPES[cast("TopicName", record.topic)],
        time=record.timestamp,
        content=envelope.content,
        event=event,
        drill=envelope.source == SOURCE,
    )
