"""The AsyncAPI 3.0 description of the public topics, seen from the product.

Promises: one channel per public topic, with key, headers and a reference to its JSON Schema.
Leaves to others: the schemas themselves (`generate`); internal topics are not described.
"""

from typing import Any, Final

from schemas.envelope import ARROW
from schemas.topics import TOPICS, Topic, event_type
from schemas.vocabulary import UNDELIVERED, RefusalCode, TopicName, words

Document = dict[str, Any]

VERSION: Final = "1.0.0"
"""Of the contract, not of the software: major numbers are in the names of the types (v1)."""

_FORMAT: Final = "application/schema+json;version=2020-12"
FILE_OF: Final[dict[TopicName, str]] = {
    "predictions": "prediction",
    "labels": "label",
    "metrics": "metric",
    "model-events": "model-event",
    "readings": "reading",
    "drift-events": "drift-event",
    "alerts": "alert",
    "retrain-requests": "retrain-request",
    "rollback-requests": "rollback-request",
}
_KEYS: Final = {
    "prediction_id": "the prediction_id, so that a label finds its prediction",
    "model": "the model",
    "incident_id": "the incident_id",
    "original": "the key of the refused record",
}
_DEAD_LETTER_HEADERS: Final = (
    "windage.error.message",
    "windage.error.stage",
    "windage.error.version",
    "__connect.errors.topic",
    "__connect.errors.partition",
    "__connect.errors.offset",
    "__connect.errors.exception.class.name",
    "__connect.errors.exception.message",
)


def asyncapi() -> Document:
    """The whole description."""
    public = [row for row in TOPICS if row.flow != "internal"]
    return {
        "asyncapi": "3.0.0",
        "id": "urn:windage",
        "info": {
            "title": "Windage",
            "version": VERSION,
            "description": "Watches the predictions of models in production and says when their "
            "world has drifted. Names are defaults; a prefix and single names are configured.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {row.topic: _channel(row) for row in public},
        "operations": {_operation_name(row): _operation(row) for row in public},
        "components": {"messages": _messages(public), "schemas": {"envelope": _envelope()}},
    }


def _channel(row: Topic) -> Document:
    """One topic."""
    return {
        "address": row.topic,
        "description": f"{row.content[0].upper()}{row.content[1:]}.",
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"} for name in _message_names(row)
        },
        "bindings": {
            "kafka": {
                "topic": row.topic,
                "topicConfiguration": {
                    "cleanup.policy": row.cleanup.split(","),
                    "retention.ms": row.retention,
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation_name(row: Topic) -> str:
    return f"{'receive' if row.flow == 'in' else 'send'}-{row.topic}"


def _operation(row: Topic) -> Document:
    """What the product does with a topic: inputs are received, outputs sent."""
    return {
        "action": "receive" if row.flow == "in" else "send",
        "channel": {"$ref": f"#/channels/{row.topic}"},
        "messages": [
            {"$ref": f"#/channels/{row.topic}/messages/{name}"} for name in _message_names(row)
        ],
    }


def _message_names(row: Topic) -> list[str]:
    """The messages a topic may carry."""
    names = [FILE_OF.get(row.topic, "dead-letter")]
    if row.flow == "in" and ARROW in row.media:
        names += ["column-batch", "arrow-batch"]
    return names


def _messages(rows: list[Topic]) -> Document:
    """Every message, by name."""
    out: Document = {}
    for row in rows:
        if row.topic in FILE_OF:
            out[FILE_OF[row.topic]] = _event(row, FILE_OF[row.topic])
    out["column-batch"] = {
        "title": "Many events of one model as columns",
        "contentType": "application/json",
        "payload": _reference("column-batch"),
        "bindings": {"kafka": {"bindingVersion": "0.5.0"}},
    }
    out["arrow-batch"] = {
        "title": "The same columns as an Arrow IPC stream",
        "contentType": ARROW,
        "bindings": {"kafka": {"bindingVersion": "0.5.0"}},
    }
    out["dead-letter"] = _dead_letter()
    return out


def _event(row: Topic, name: str) -> Document:
    """A message that is a CloudEvent; as an input it may come without envelope."""
    return {
        "name": event_type(row.topic),
        "title": f"{row.content[0].upper()}{row.content[1:]}",
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/envelope"},
        "payload": _reference(name),
        "bindings": {"kafka": _key(row)},
    }


def _dead_letter() -> Document:
    """A refused record: its bytes, its headers, and why."""
    properties: Document = {
        "windage.error.code": {"type": "string", "enum": [*words(RefusalCode), UNDELIVERED]}
    }
    properties |= {header: {"type": "string"} for header in _DEAD_LETTER_HEADERS}
    return {
        "title": "A refused record: its raw bytes, its headers, and why",
        "contentType": "application/octet-stream",
        "headers": {"type": "object", "required": list(properties), "properties": properties},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": _KEYS["original"]},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _key(row: Topic) -> Document:
    """The record key."""
    return {
        "key": {"type": "string", "description": _KEYS[row.key]},
        "bindingVersion": "0.5.0",
    }


def _reference(name: str) -> Document:
    """A payload that is described by a JSON Schema beside this file."""
    return {"schemaFormat": _FORMAT, "schema": {"$ref": f"./json/{name}.json"}}


def _envelope() -> Document:
    """The headers of CloudEvents in binary mode; inputs may leave them all out."""
    names = ("specversion", "id", "source", "type", "time", "subject")
    return {
        "type": "object",
        "description": "CloudEvents 1.0, Kafka protocol binding, binary mode. Structured mode "
        "(application/cloudevents+json) and, for inputs, plain JSON are accepted as well.",
        "properties": {f"ce_{name}": {"type": "string"} for name in names}
        | {
            f"ce_{name}": {"type": "string"}
            for name in ("correlationid", "causationid", "severitytext", "partitionkey")
        }
        | {"traceparent": {"type": "string"}, "content-type": {"type": "string"}},
    }
