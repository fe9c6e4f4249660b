"""An output record as one line: a structured CloudEvent.

Promises: attributes are those of the record's headers, data is the record's own JSON, byte for
byte.
Leaves to others: which records have an envelope (`schemas.envelope`).
"""

from typing import Final

import msgspec

from schemas.log import Output

_PREFIX: Final = "ce_"
_encode: Final = msgspec.json.Encoder().encode


def structured(output: Output) -> bytes | None:
    """The record as a structured CloudEvent; None for references and dead letters."""
    attributes: dict[str, str | msgspec.Raw] = {
        name.removeprefix(_PREFIX): text.decode()
        for name, text in output.headers
        if name.startswith(_PREFIX) and text is not None
    }
    if "specversion" not in attributes or output.topic == "dead-letters" or output.value is None:
        return None
    return _encode(
        {**attributes, "datacontenttype": "application/json", "data": msgspec.Raw(output.value)}
    )
