"""Snapshots as log records: chunks and a manifest in two alternating slots of a compacted topic.

Promises: a snapshot is found again whole or not at all (every chunk and the manifest carry a
digest); nothing exceeds the record limit; overwriting one slot leaves the other, so a corrupt
newest snapshot has a predecessor; among several the one with the largest order wins, not the one
written last, so a stale writer cannot set the state back.
Leaves to others: what the snapshot means (the machine), how records are sent and read (the
runtimes), what to do when none is usable (they refuse to start).
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

FORMAT: Final = 1
"""Version of the layout below; a reader refuses a larger one."""

SLOTS: Final = 2
CHUNK_BYTES: Final = 512 * 1024
"""Size of a chunk: half of the record limit that Kafka brokers have by default (1 MiB)."""

SNAPSHOT_BYTES: Final = 1 << 30
"""A manifest that promises more is not believed."""

_DIGEST_BYTES: Final = 16


class SnapshotError(Exception):
    """A snapshot cannot be used; the message says why, for the operator."""


DAMAGE: Final = (
    msgspec.MsgspecError,
    UnicodeError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
)
"""What loading a state may raise whose parts do not fit together."""


class SlotRecord(msgspec.Struct, frozen=True):
    """One record of the state topic: `value` None deletes the key at the next compaction."""

    key: bytes
    value: bytes | None


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot includes.

    `order` ranks snapshots of one partition (larger wins): resets by an operator, then what the
    machine says (epoch, has grid, source offsets). `positions` are the offsets to be read next,
    `start` those where this state began: nothing before them is ever asked for. `topics` are the
    broker's identities of the source topics, so that a recreated one is recognised. `sequence`
    counts snapshots and decides between equal orders.
    """

    order: tuple[int, ...]
    positions: Mapping[str, int]
    start: Mapping[str, int] = {}
    topics: Mapping[str, str] = {}
    config: str = ""
    sequence: int = 0


class _Manifest(msgspec.Struct, frozen=True, array_like=True):
    """The body of a manifest record; `format` stays first in every version."""

    format: int
    meta: Meta
    size: int
    digest: bytes
    chunks: list[bytes]


class _Stamp(msgspec.Struct, frozen=True, array_like=True):
    """The part of a manifest that every version can read."""

    format: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshot to continue from. `digest` is its identity.

    `chunks` is how many its slot holds now; `damaged` how many better ones were not intact.
    """

    meta: Meta
    snapshot: bytes
    slot: int
    digest: bytes
    chunks: int
    damaged: int


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot as records, in the order in which they must be appended; the manifest seals it.

    The manifest is the last record with a value; tombstones of chunks no longer used follow it.
    """

    records: tuple[SlotRecord, ...]
    manifest: SlotRecord
    leftovers: tuple[SlotRecord, ...]
    digest: bytes
    chunks: int


def _digest(content: bytes, secret: bytes) -> bytes:
    """Return the digest of `content`, keyed if there is a `secret` (at most 64 bytes)."""
    return blake2b(content, digest_size=_DIGEST_BYTES, key=secret).digest()


def _chunk_key(slot: int, index: int) -> bytes:
    return b"%d/%d" % (slot, index)


def split(
    snapshot: bytes,
    meta: Meta,
    *,
    slot: int,
    limit: int = CHUNK_BYTES,
    chunks_before: int = 0,
    secret: bytes = b"",
) -> Cut:
    """Cut `snapshot` into records of at most `limit` bytes for `slot`.

    `chunks_before`: how many chunks the slot held before; those no longer needed are deleted.
    """
    pieces = [snapshot[at : at + limit] for at in range(0, len(snapshot), limit)]
    manifest = _Manifest(
        FORMAT, meta, len(snapshot), _digest(snapshot, secret), [_digest(p, secret) for p in pieces]
    )
    body = msgspec.msgpack.encode(manifest)
    seal = _digest(body, secret)
    return Cut(
        records=tuple(SlotRecord(_chunk_key(slot, i), piece) for i, piece in enumerate(pieces)),
        manifest=SlotRecord(b"%d/manifest" % slot, seal + body),
        leftovers=tuple(
            SlotRecord(_chunk_key(slot, i), None) for i in range(len(pieces), chunks_before)
        ),
        digest=seal,
        chunks=len(pieces),
    )


def assemble(records: Iterable[SlotRecord], *, secret: bytes = b"") -> Found | None:
    """Return the intact snapshot of the largest order; None if none was ever completed.

    `records` is everything read from one partition of the state topic, in log order; versions
    that compaction has not removed yet help. SnapshotError: there are manifests, but none can be
    used (all damaged), or one is of a newer format (then going on from an older one would lose
    what the newer program did).
    """
    pieces: dict[bytes, bytes] = {}
    manifests: list[tuple[_Manifest, int, bytes]] = []
    damaged = 0
    for record in records:
        number, _, name = record.key.partition(b"/")
        if record.value is None:
            if name == b"manifest":  # deleted on purpose, with everything written before
                manifests = [entry for entry in manifests if b"%d" % entry[1] != number]
            continue
        if name != b"manifest":
            pieces[_digest(record.value, secret)] = record.value
            continue
        opened = _open(record.value, secret)
        if opened is None or not number.isdigit():
            damaged += 1
        else:
            manifests.append((opened, int(number), record.value[:_DIGEST_BYTES]))
    # Stable: of equal ones the last written comes first.
    manifests.reverse()
    manifests.sort(key=lambda entry: (entry[0].meta.order, entry[0].meta.sequence), reverse=True)
    for manifest, slot, seal in manifests:
        snapshot = _join(manifest, pieces, secret)
        if snapshot is not None:
            return Found(
                meta=manifest.meta,
                snapshot=snapshot,
                slot=slot,
                digest=seal,
                chunks=len(manifest.chunks),
                damaged=damaged,
            )
        damaged += 1
    if damaged:
        raise SnapshotError(
            f"none of the {damaged} snapshots is intact (checksums differ or parts are missing)"
        )
    return None


def _open(value: bytes, secret: bytes) -> _Manifest | None:
    """Return the manifest of a record's value; None if damaged; SnapshotError if newer."""
    seal, body = value[:_DIGEST_BYTES], value[_DIGEST_BYTES:]
    if seal != _digest(body, secret):
        return None
    try:
        version = msgspec.msgpack.decode(body, type=_Stamp).format
        if version > FORMAT:
            raise SnapshotError(
                f"the snapshot has format {version}, this program reads up to {FORMAT}: "
                "it was written by a newer version"
            )
        return msgspec.msgpack.decode(body, type=_Manifest)
    except msgspec.DecodeError:
        return None


def _join(manifest: _Manifest, pieces: Mapping[bytes, bytes], secret: bytes) -> bytes | None:
    """Return the snapshot that `manifest` describes, or None if a piece is missing or wrong."""
    if manifest.size > SNAPSHOT_BYTES:
        return None
    parts: Sequence[bytes | None] = [pieces.get(digest) for digest in manifest.chunks]
    if None in parts:
        return None
    snapshot = b"".join(part for part in parts if part is not None)
    if len(snapshot) != manifest.size or _digest(snapshot, secret) != manifest.digest:
        return None
    return snapshot
