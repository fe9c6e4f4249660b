"""Records in stretches: the same ones as the fetcher's own loop gives, wherever it is cut."""

import gc
import random
import weakref

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

from streams.runtime.kafka.records import Stretches

COMMITTED = fetcher.READ_COMMITTED
ABORT = b"\x00\x00\x00\x00"
COMMIT = b"\x00\x00\x00\x01"
CONTROL = 0x20
ATTRIBUTES_AT = 21
CRC_AT = 17


def batch(offset, values, *, producer=-1, codec=0, transactional=False, control=False):
    """The bytes of one batch whose first record has this offset."""
    builder = DefaultRecordBatchBuilder(2, codec, transactional, producer, 0, 0, 1 << 20)
    for i, value in enumerate(values):
        builder.append(i, 1_000 + i, value if control else b"k%d" % i, value, [("h", b"1")])
    made = bytearray(builder.build())
    made[:8] = offset.to_bytes(8, "big")
    if control:
        made[ATTRIBUTES_AT + 1] |= CONTROL
        made[CRC_AT:ATTRIBUTES_AT] = calc_crc32c(bytes(made[ATTRIBUTES_AT:])).to_bytes(4, "big")
    return bytes(made)


def log(r):
    """Batches (end, bytes) of transactions, ended both ways, and of none; and what was aborted."""
    batches, aborted, offset, running = [], [], r.choice([0, 40]), {}
    for _ in range(r.randint(1, 12)):
        producer = r.choice([-1, -1, 7, 8])
        if producer > 0 and producer in running and r.random() < 0.5:
            ends = r.choice([ABORT, COMMIT])
            if ends == ABORT:
                aborted.append((producer, running[producer]))
            del running[producer]
            marker = batch(offset, [ends], producer=producer, transactional=True, control=True)
            offset += 1
            batches.append((offset, marker))
            continue
        values = [b"%d" % r.getrandbits(40) for _ in range(r.randint(1, 9))]
        if producer > 0:
            running.setdefault(producer, offset)
        kind = {"producer": producer, "transactional": producer > 0, "codec": r.choice([0, 1])}
        batches.append((offset + len(values), batch(offset, values, **kind)))
        offset += len(values) + r.choice([0, 0, 3])
    return batches, aborted


def opened(kind, content, aborted, position, level):
    """What a fetch brought, as the fetcher's own class or as ours takes it."""
    place = TopicPartition("t", 0)
    return kind(place, MemoryRecords(content), aborted, position, None, None, True, level)


def told(records):
    """What machines read of records."""
    return [(r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in records]


@pytest.mark.parametrize("seed", range(60))
def test_any_cut_gives_the_records_of_the_fetchers_own_loop(seed):
    """With transactions, compression and gaps, from any position, `limit` records at a time."""
    r = random.Random(seed)
    batches, aborted = log(r)
    position, level = r.randint(0, batches[-1][0] - 1), r.choice([0, COMMITTED])
    content = b"".join(one for end, one in batches if end > position)  # what a broker sends
    theirs = opened(fetcher.PartitionRecords, content, aborted, position, level)
    wanted = told(list(theirs))
    ours = opened(Stretches, content, aborted, position, level)
    got = []
    while not ours.over:
        limit, before = r.choice([None, 1, 2, 5, 99]), ours.next_fetch_offset
        taken = ours.take(limit)
        assert limit is None or len(taken) <= limit
        assert all(before <= record.offset < ours.next_fetch_offset for record in taken)
        got += taken
    assert wanted == told(got)
    assert theirs.next_fetch_offset == ours.next_fetch_offset


def test_one_at_a_time_they_are_the_same_too():
    """Whoever iterates gets single records."""
    content = batch(0, [b"a", b"b"]) + batch(2, [b"c"])
    ours = opened(Stretches, content, [], 1, 0)
    assert [b"b", b"c"] == [record.value for record in ours]


def test_a_batch_whose_checksum_is_wrong_is_given_up_and_fetched_again():
    """Its error is told, and the position fits nothing any more."""
    damaged = bytearray(batch(0, [b"a"]) + batch(1, [b"b"]))
    damaged[-1] ^= 1
    ours = opened(Stretches, bytes(damaged), [], 0, 0)
    with pytest.raises(CorruptRecordException):
        ours.take(None)
    assert ours.next_fetch_offset == -1


def test_what_was_fetched_is_freed_without_the_collector():
    """Workers have it switched off, and each fetch is megabytes."""
    ours = opened(Stretches, batch(0, [b"a", b"b"]), [], 0, 0)
    seen = weakref.ref(ours)
    gc.disable()
    try:
        assert len(ours.take(1)) == 1
        del ours
        assert seen() is None
    finally:
        gc.enable()
