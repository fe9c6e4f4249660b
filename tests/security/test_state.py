"""Snapshots that somebody has touched: with `state.key` only our own are believed."""

import msgspec
import pytest

from streams import snapshot as snapshots
from streams.snapshot import Meta, SnapshotError, StateRecord, assemble, split

KEY = b"k" * 64
META = Meta(order=(1,), positions={"predictions": 7})


def stored(secret, content=b"state" * 100, meta=META):
    cut = split(content, meta, limit=64, secret=secret)
    return [*cut.records, cut.manifest]


def test_ours_is_believed():
    assert b"state" * 100 == assemble(stored(KEY), secret=KEY).snapshot


@pytest.mark.parametrize("forger", [b"", b"x" * 64])
def test_a_forged_snapshot_is_refused(forger):
    """Its checksums are right, but made without the key or with another: none is intact."""
    with pytest.raises(SnapshotError):
        assemble(stored(forger), secret=KEY)


def test_a_forged_snapshot_does_not_win_over_ours():
    """Though it claims a higher order, and is written later."""
    better = Meta(order=(99,), positions={"predictions": 10**9})
    found = assemble([*stored(KEY), *stored(b"", b"forged", better)], secret=KEY)
    assert (META, b"state" * 100, 1) == (found.meta, found.snapshot, found.damaged)


def test_switching_the_key_on_is_no_silent_new_beginning():
    """An unsigned state under a key is refused, not taken for none; an operator resets it."""
    with pytest.raises(SnapshotError):
        assemble(stored(b""), secret=KEY)


def test_parts_of_two_snapshots_are_no_snapshot():
    """A chunk of an older one in its place is noticed, key or not."""
    old, new = stored(KEY, bytes(range(128))), stored(KEY, bytes(range(128, 256)))
    with pytest.raises(SnapshotError):
        assemble([old[0], new[1], new[2]], secret=KEY)


@pytest.mark.parametrize("secret", [b"", KEY])
def test_every_flipped_byte_is_noticed(secret):
    """In any record of the snapshot."""
    records = stored(secret, b"state" * 30)
    for at, record in enumerate(records):
        for position in range(0, len(record.value), 7):
            broken = bytearray(record.value)
            broken[position] ^= 1
            touched = [*records[:at], StateRecord(record.key, bytes(broken)), *records[at + 1 :]]
            with pytest.raises(SnapshotError):
                assemble(touched, secret=secret)


def test_a_newer_format_is_refused_by_an_older_program(monkeypatch):
    """Going on from what it cannot read would lose what the newer one did."""
    with monkeypatch.context() as newer:
        newer.setattr(snapshots, "FORMAT", snapshots.FORMAT + 1)
        records = stored(KEY)
    with pytest.raises(SnapshotError, match="newer version"):
        assemble([*stored(KEY), *records], secret=KEY)


def test_a_manifest_that_promises_too_much_is_not_believed():
    """Nothing of that size is ever put together."""
    big = snapshots._Manifest(snapshots.FORMAT, META, snapshots.SNAPSHOT_BYTES + 1, b"", [])
    body = msgspec.msgpack.encode(big)
    value = snapshots._digest(body, KEY) + body
    with pytest.raises(SnapshotError):
        assemble([StateRecord(b"0/manifest", value)], secret=KEY)
