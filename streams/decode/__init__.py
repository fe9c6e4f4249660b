"""Bytes to typed records: many at once where they are plain, one by one where they are not.

Promises: any bytes in, no exception out; a record is decoded or refused with one code of a fixed
vocabulary, and messages never quote the input. One unreadable feature becomes missing, the rest
of its record stands. What a record means does not depend on those beside it.
Leaves to others: columns and values' cells (`columns`), time and identity (`profiler`, `join`).
"""

from streams.decode.decoder import Decoded, Decoder
from streams.decode.limits import Limits, RefusedError
from streams.decode.routing import model_of

__all__ = ["Decoded", "Decoder", "Limits", "RefusedError", "model_of"]
