"""Places: how far a stored state has counted each model, for whoever lets it begin anew there.

Promises: reads what every format of a snapshot has in common, and needs no config.
Leaves to others: taking a state up (`machine`).
"""

from typing import Final

import msgspec

from streams.profiler.saved import SavedModel
from streams.snapshot import SnapshotError


class _Counted(msgspec.Struct, frozen=True):
    """The part of a snapshot that is asked for."""

    models: list[SavedModel]


_decoder: Final = msgspec.msgpack.Decoder(_Counted)


def places(snapshot: bytes) -> dict[str, dict[str, int]]:
    """The offset to be counted next, by model and log; SnapshotError if it cannot be read.

    A model that is learning is not in it: it has counted nothing, and what it has learned from is
    to be read again.
    """
    try:
        saved = _decoder.decode(snapshot)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SnapshotError("the snapshot cannot be read") from error
    return {
        one.model: {log: said.next for log, said in one.logs.items()}
        for one in saved.models
        if one.grid
    }
