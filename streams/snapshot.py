"""Snapshots as log records: chunks and a manifest of a compacted topic, named by their content.

Promises: a snapshot is found again whole or not at all (every chunk and the manifest carry a
digest); nothing exceeds the record limit; no writer ever overwrites a record of another snapshot,
so compaction cannot mix two of them; among several the one with the largest order wins, not the
one written last, so a stale writer cannot set the state back.
Leaves to others: which snapshots are kept (`runtime.kafka.tenure`), what one means (the machine),
how records are sent and read, what to do when none is usable (they refuse to start).
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

FORMAT: Final = 1
"""Version of the layout below; a reader refuses a larger one."""

KEPT: Final = 2
"""Snapshots that a writer leaves, so that a damaged newest one has a predecessor."""

CHUNK_BYTES: Final = 512 * 1024
"""Size of a chunk: half of the record limit that Kafka brokers have by default (1 MiB)."""

SNAPSHOT_BYTES: Final = 1 << 30
"""A manifest that promises more is not believed."""

_DIGEST_BYTES: Final = 16
_SEAL: Final = b"/manifest"


class SnapshotError(Exception):
    """A snapshot cannot be used; the message says why, for the operator."""


class SupersededError(SnapshotError):
    """A model is counted anew by others: whoever goes on in the former way must stop, or restart.

    What it has read since its last snapshot belongs to nobody.
    """


def anew(model: str, there: int, here: int) -> str:
    """What a SupersededError says."""
    return (
        f"model {model} is counted anew by others, in epoch {there}, and here still in epoch {here}"
    )


RANKS: Final = 48
"""Bits of a rank below its epochs."""


def ranked(epochs: int, rank: int) -> int:
    """A rank that any of a later epoch exceeds.

    That of epoch 0 is what it was before there were epochs, so older snapshots have their place.
    """
    return (epochs << RANKS) + rank


def now_named(model: str, *, named: bool) -> str:
    """That a state holds a model which was not named, and the config has changed since."""
    now = "names it now" if named else "lets none in any more"
    return (
        f'model {model} was let in by models: {{"*": ...}}, and the config {now}: its counts lie'
        " elsewhere. Go back to the former config, or begin anew"
    )


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


class StateRecord(msgspec.Struct, frozen=True):
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
    """The snapshot to continue from. `digest` is its identity, `keys` are those of its records.

    `litter` are the keys of everything else that is there: older ones, and what stale or dead
    writers have left. `damaged`: how many better ones were not intact.
    """

    meta: Meta
    snapshot: bytes
    digest: bytes
    keys: tuple[bytes, ...]
    litter: tuple[bytes, ...]
    damaged: int


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot as records, in the order in which they must be appended; the manifest seals it."""

    records: tuple[StateRecord, ...]
    manifest: StateRecord
    digest: bytes

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The keys of its records, in the order in which they are to be deleted one day."""
        return (self.manifest.key, *(record.key for record in self.records))


def _digest(content: bytes, secret: bytes) -> bytes:
    """Return the digest of `content`, keyed if there is a `secret` (at most 64 bytes)."""
    return blake2b(content, digest_size=_DIGEST_BYTES, key=secret).digest()


def _keys(digest: bytes, chunks: int) -> tuple[bytes, ...]:
    """The manifest's first: a snapshot that is half deleted must not look damaged."""
    name = digest.hex().encode()
    return (name + _SEAL, *(b"%s/%d" % (name, index) for index in range(chunks)))


def split(snapshot: bytes, meta: Meta, *, limit: int = CHUNK_BYTES, secret: bytes = b"") -> Cut:
    """Cut `snapshot` into records of at most `limit` bytes."""
    pieces = [snapshot[at : at + limit] for at in range(0, len(snapshot), limit)]
    manifest = _Manifest(
        FORMAT, meta, len(snapshot), _digest(snapshot, secret), [_digest(p, secret) for p in pieces]
    )
    body = msgspec.msgpack.encode(manifest)
    digest = _digest(body, secret)
    seal, *chunks = _keys(digest, len(pieces))
    return Cut(
        records=tuple(StateRecord(key, piece) for key, piece in zip(chunks, pieces, strict=True)),
        manifest=StateRecord(seal, digest + body),
        digest=digest,
    )


def assemble(records: Iterable[StateRecord], *, secret: bytes = b"") -> Found | None:
    """Return the intact snapshot of the largest order; None if none was ever completed.

    `records` is everything read from one partition of the state topic, in log order; versions
    that compaction has not removed yet help. SnapshotError: there are manifests, but none can be
    used (all damaged), or one is of a newer format (then going on from an older one would lose
    what the newer program did).
    """
    pieces: dict[bytes, bytes] = {}
    sealed: dict[bytes, bytes] = {}
    there: dict[bytes, None] = {}
    for record in records:
        if record.value is None:
            sealed.pop(record.key, None)  # deleted on purpose
            there.pop(record.key, None)
            continue
        there[record.key] = None
        if record.key.endswith(_SEAL):
            sealed[record.key] = record.value
        else:
            pieces[_digest(record.value, secret)] = record.value
    opened = [(_open(value, secret), value[:_DIGEST_BYTES]) for value in sealed.values()]
    damaged = sum(manifest is None for manifest, _ in opened)
    manifests = [(found, digest) for found, digest in opened if found is not None]
    manifests.sort(key=lambda entry: (entry[0].meta.order, entry[0].meta.sequence), reverse=True)
    for manifest, digest in manifests:
        snapshot = _join(manifest, pieces, secret)
        if snapshot is not None:
            keys = _keys(digest, len(manifest.chunks))
            return Found(
                meta=manifest.meta,
                snapshot=snapshot,
                digest=digest,
                keys=keys,
                litter=tuple(sorted(there.keys() - set(keys))),
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
