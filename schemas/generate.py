"""The published schemas: JSON Schema 2020-12 per event and for the config, and AsyncAPI 3.0.

Promises: everything is derived from the types that decode and encode, so what is published is
what is accepted; the same types give the same text.
Leaves to others: writing the files (`scripts/schemas`), checking them (tests).
"""

import inspect
import json
from typing import Any, Final

import msgspec

from schemas import inputs, outputs
from schemas.asyncapi import asyncapi
from schemas.config import Config
from schemas.config_values import Part
from schemas.config_words import WORDS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
NAMESPACE: Final = "urn:windage:schema"

Schema = dict[str, Any]

EVENTS: Final[dict[str, type[msgspec.Struct]]] = {
    "prediction": inputs.Prediction,
    "label": inputs.Label,
    "metric": inputs.Metric,
    "model-event": inputs.ModelEvent,
    "column-batch": inputs.ColumnBatch,
    "reading": outputs.Reading,
    "drift-event": outputs.DriftEvent,
    "alert": outputs.Alert,
    "retrain-request": outputs.RetrainRequest,
    "rollback-request": outputs.RollbackRequest,
}
"""What is published, by the name of its file."""


def event_schema(name: str) -> Schema:
    """The JSON Schema of an event; KeyError for a name that is not in EVENTS."""
    (reference,), parts = msgspec.json.schema_components(
        [EVENTS[name]], ref_template="#/$defs/{name}"
    )
    schema: Schema = _head(name) | parts.pop(reference["$ref"].rpartition("/")[2])
    if parts:
        schema["$defs"] = parts
    _tidy(schema)
    return schema


def config_schema() -> Schema:
    """The JSON Schema of `windage.yaml`, as an editor can use it."""
    schema = _head("config") | Config.model_json_schema(by_alias=True)
    described = {"Config": schema, **schema["$defs"]}
    for part in Part.__subclasses__():
        # Defaults as they would be written: 30s, not 30000.
        defaults = part.model_construct().model_dump(mode="json", by_alias=True)
        for name, entry in described.get(part.__name__, {}).get("properties", {}).items():
            entry.pop("title", None)
            entry["description"] = WORDS.get(part.__name__, {}).get(name, "")
            if name in defaults:
                entry["default"] = defaults[name]
    _tidy(schema)
    return schema


def documents() -> dict[str, str]:
    """Every published file: its path below `schemas/`, and its text."""
    files = {f"json/{name}.json": event_schema(name) for name in EVENTS}
    files["json/config.json"] = config_schema()
    files["asyncapi.json"] = asyncapi()
    return {path: show(schema) for path, schema in files.items()}


def show(schema: Schema) -> str:
    """The text of a schema."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _tidy(schema: object) -> None:
    """Take the indentation of docstrings out of every description, in place."""
    if isinstance(schema, dict):
        if isinstance(schema.get("description"), str):
            schema["description"] = inspect.cleandoc(schema["description"])
        for item in schema.values():
            _tidy(item)
    elif isinstance(schema, list):
        for item in schema:
            _tidy(item)


def _head(name: str) -> Schema:
    """What every schema begins with."""
    return {"$schema": DIALECT, "$id": f"{NAMESPACE}:{name}"}
