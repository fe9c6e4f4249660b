"""Routing: which model a record names, where a log is shared by several.

Promises: as cheap as reading one field where the record is plain.
Leaves to others: whether there is such a model (`profiler`).
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from schemas.envelope import EnvelopeError, open_envelope
from schemas.log import LogRecord
from schemas.tables import TableError, read_arrow
from streams.decode.limits import Limits, RefusedError
from streams.decode.trees import UNREADABLE, parsed


class _Routing(msgspec.Struct):
    model: str
    specversion: Annotated[int, Meta(gt=1, lt=0)] = 0


_routing: Final = msgspec.json.Decoder(_Routing)


def model_of(record: LogRecord, limits: Limits) -> str:
    """The model a record names; RefusedError if it names none."""
    limits.weigh(record)
    if not record.headers:
        try:
            return _routing.decode(record.value or b"").model
        except UNREADABLE:
            pass
    try:
        envelope = open_envelope(record.headers, record.value or b"")
        if envelope.media == "arrow":
            names = read_arrow(envelope.content, limits.batch_bytes)
            name = names["model"][0].as_py() if "model" in names.column_names and len(names) else ""
        else:
            name = parsed(envelope.content, limits.depth).get("model")
    except EnvelopeError as error:
        raise RefusedError("malformed", "the envelope cannot be read") from error
    except TableError as error:
        raise RefusedError(error.code, str(error)) from error
    if not isinstance(name, str):
        raise RefusedError("schema", "required field model is missing")
    return name
