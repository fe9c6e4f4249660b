"""How large an Arrow IPC stream becomes, told from its headers before anything is unpacked.

Promises: counts what compressed buffers say of their own length, and rows that need no bytes;
whatever the headers hold, an answer or ValueError.
Leaves to others: reading the stream (`tables`), which checks all the rest.
Source: Arrow columnar format 1.5, Message.fbs; FlatBuffers internals.
"""

import struct
from collections.abc import Iterator
from typing import Final

_HEADER_TYPE, _HEADER = 1, 2
_DICTIONARY, _BATCH = 2, 3
_DICTIONARY_BATCH: Final = 1
_LENGTH, _BUFFERS, _COMPRESSION = 0, 2, 3
_BUFFER_BYTES: Final = 16
_SHORT, _INT, _UNSIGNED = struct.Struct("<H"), struct.Struct("<i"), struct.Struct("<I")
_LONG, _BUFFER = struct.Struct("<q"), struct.Struct("<qq")
_KEPT_AS_IT_IS: Final = -1
"""The length that a buffer in a compressed batch declares when it is not compressed itself."""


def compressed_size(metadata: bytes, body: bytes | memoryview) -> int:
    """Bytes that the compressed buffers of one message declare; 0 where none is compressed."""
    try:
        batch = _batch(metadata)
        if batch is None or not _field(metadata, batch, _COMPRESSION):
            return 0
        return sum(_declared(metadata, batch, body))
    except (struct.error, IndexError) as error:
        raise ValueError("the headers of the stream cannot be read") from error


def _batch(metadata: bytes) -> int | None:
    """Where the table of the record batch stands in a message; None if it holds none."""
    root = _unsigned(metadata, 0)
    kind, header = _field(metadata, root, _HEADER_TYPE), _field(metadata, root, _HEADER)
    if not kind or not header:
        return None
    of = metadata[kind]
    table = header + _unsigned(metadata, header)
    if of == _BATCH:
        return table
    if of != _DICTIONARY:
        return None
    inner = _field(metadata, table, _DICTIONARY_BATCH)
    return inner + _unsigned(metadata, inner) if inner else None


def _declared(metadata: bytes, batch: int, body: bytes | memoryview) -> Iterator[int]:
    """The unpacked length of each compressed buffer."""
    place = _field(metadata, batch, _BUFFERS)
    if not place:
        return
    vector = place + _unsigned(metadata, place)
    for i in range(_unsigned(metadata, vector)):
        offset, length = _BUFFER.unpack_from(metadata, vector + 4 + i * _BUFFER_BYTES)
        if length <= 0:
            continue
        if offset < 0:
            raise ValueError("the headers of the stream point outside")
        (declared,) = _LONG.unpack_from(body, offset)
        if declared != _KEPT_AS_IT_IS:
            if declared < 0:
                raise ValueError("a buffer declares no length")
            yield declared


def _field(metadata: bytes, table: int, number: int) -> int:
    """Where a field of a table stands; 0 if the table has it not."""
    vtable = table - int(_INT.unpack_from(metadata, table)[0])
    if vtable < 0:
        raise ValueError("the headers of the stream point outside")
    entry = 4 + 2 * number
    if entry >= _SHORT.unpack_from(metadata, vtable)[0]:
        return 0
    offset = int(_SHORT.unpack_from(metadata, vtable + entry)[0])
    return table + offset if offset else 0


def _unsigned(metadata: bytes, place: int) -> int:
    return int(_UNSIGNED.unpack_from(metadata, place)[0])
