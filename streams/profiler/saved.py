"""What a profiler keeps besides the pending store: tallies, and the form of its snapshots.

Promises: plain structs; the form is versioned by the machine that writes them.
Leaves to others: counting (`model`), storing (`streams/runtime`).
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec.structs import astuple

from schemas.log import InputLog, Millis
from schemas.rows import ROW_BITS
from streams.join import SavedShelf
from streams.panes import SavedProfile


class Tally(msgspec.Struct, kw_only=True):
    """Rows of one log by what became of them (law 13: the others sum up to `read`)."""

    read: int = 0
    counted: int = 0
    duplicate: int = 0
    conflict: int = 0
    expired: int = 0
    dead_lettered: int = 0
    tombstone: int = 0
    control: int = 0
    late: int = 0
    """Of the counted."""
    joined: int = 0
    """Of the counted labels."""
    orphaned: int = 0
    """Of the counted labels: no prediction within the horizon."""
    outcomes: int = 0
    opinions: int = 0
    """Of the counted labels: of another annotator than the one that counts; they join nothing."""
    unsampled: int = 0
    """Of the counted: ids outside `labels.sample`, whose labels and duplicates are not known."""
    unasked: int = 0
    """Of the counted: read while the store elsewhere did not answer, so partners and duplicates
    that wait there were not seen."""
    unkept: int = 0
    """Of the counted: lost by the store, or given up because it took no more; none of them can be
    joined."""
    left_out: int = 0
    """Of the refused: dead letters that were not written, as a sample was asked for."""
    misplaced: int = 0
    """Of the counted rows of tables: a client that partitions by key would have sent them
    elsewhere, where their labels are."""


def summed(*books: Mapping[InputLog, Tally]) -> dict[InputLog, Tally]:
    """The books of several, added up by log."""
    rows = {log: [astuple(one[log]) for one in books if one[log] != _NOTHING] for log in books[0]}
    return {log: _tally(map(sum, zip(*own, strict=True))) for log, own in rows.items()}


def _tally(counts: Iterable[int]) -> Tally:
    """Counts in the order of the fields; fewer: the others are 0."""
    return Tally(**dict(zip(Tally.__struct_fields__, counts, strict=False)))


_NOTHING: Final = Tally()


class SavedLog(msgspec.Struct, frozen=True, array_like=True):
    """One log in a snapshot.

    It is counted up to `next`, and re-read from `rebuild_from`, where its clock stood at `largest`.
    `refused` are places (`schemas/rows`) of duplicates and conflicts since then.
    """

    next: int
    rebuild_from: int
    largest: Millis
    ticked: Millis
    refused: list[int]
    tally: Tally


class SavedModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model of one partition in a snapshot."""

    model: str
    grid: str
    logs: dict[InputLog, SavedLog]
    versions: list[str]
    forgotten: int
    """Labels that the pending store has dropped."""
    profiles: list[SavedProfile]
    shelf: SavedShelf | None = None
    """What lies in a store elsewhere."""
    epoch: int = 0


def in_places(saved: SavedModel) -> SavedModel:
    """A snapshot of the first format, which refused whole records by offset."""
    logs = {
        log: msgspec.structs.replace(one, refused=[offset << ROW_BITS for offset in one.refused])
        for log, one in saved.logs.items()
    }
    return msgspec.structs.replace(saved, logs=logs)
