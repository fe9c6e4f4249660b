"""Input records as plain rows: one event each, tables (JSON columns, Arrow) row by row.

Promises: what cannot be read is passed over, because it is among the dead letters.
Leaves to others: which records (`installation.reading`), what the rows mean (the commands).
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from schemas.envelope import EnvelopeError, open_envelope
from schemas.tables import TableError, is_columns, of_arrow, of_columns
from streams.runtime.installation.reading import Located

_LARGEST: Final = 256 << 20
"""Bytes of one table, unpacked: more than any limit of a configuration."""


def rows_of(records: Iterable[Located], model: str) -> Iterator[dict[str, Any]]:
    """The events of a model, in log order; fields by their names on the wire."""
    for record in records:
        try:
            for row in _unfolded(record):
                if row.get("model") == model:
                    yield row
        except (EnvelopeError, TableError, msgspec.MsgspecError, UnicodeDecodeError):
            continue


def _unfolded(record: Located) -> Iterable[dict[str, Any]]:
    envelope = open_envelope(record.headers, record.value or b"")
    if envelope.media == "arrow":
        return of_arrow(envelope.content, "auto", _LARGEST)
    tree = msgspec.json.decode(envelope.content)
    if not isinstance(tree, dict):
        return ()
    return of_columns(tree) if is_columns(tree) else (tree,)
