"""The state of a profiler as bytes: what a snapshot holds, and which ones can be read.

Promises: the snapshots of earlier formats are read; one of a later format, or of another partition,
is refused with the reason.
Leaves to others: what of it goes on (`epochs`), taking it up (`machine`).
"""

from typing import Final

import msgspec

from schemas.log import InputLog
from streams.profiler.saved import SavedModel, Tally, in_places
from streams.profiler.unnamed import SavedUnnamed
from streams.snapshot import SnapshotError

FORMAT: Final = 5
"""Version of the snapshot; a worker refuses one from a later version.

The fifth knows opinions: their profiles may be open in it, and rows in Redis say who labelled."""

_PLACES: Final = 2
"""The first version that tells the rows of one record apart."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """All that one profiler remembers."""

    format: int
    partition: int
    partitions: int
    spoken: dict[InputLog, int]
    strays: dict[InputLog, Tally]
    models: list[SavedModel]
    unnamed: SavedUnnamed | None = None


def read(snapshot: bytes, partition: int, partitions: int) -> State:
    """The state in `snapshot`; SnapshotError if it is none of this partition."""
    try:
        saved = msgspec.msgpack.decode(snapshot, type=State)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SnapshotError("the snapshot cannot be read") from error
    if saved.format > FORMAT:
        raise SnapshotError(f"the snapshot is of format {saved.format}, newer than {FORMAT}")
    if (saved.partition, saved.partitions) != (partition, partitions):
        raise SnapshotError(
            f"the snapshot is of partition {saved.partition} of {saved.partitions},"
            f" not {partition} of {partitions}"
        )
    if saved.format < _PLACES:
        return msgspec.structs.replace(saved, models=[in_places(one) for one in saved.models])
    return saved
