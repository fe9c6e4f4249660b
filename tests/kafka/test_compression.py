"""What a worker sends is compressed fast, and read by whoever reads LZ4."""

import random

from aiokafka.codec import lz4_decode
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streams.runtime.kafka.compression import compressed, install

HEADER = 61
"""Bytes of a batch in front of its records."""

VALUES = [random.Random(i).randbytes(40).hex().encode() for i in range(300)]


def built(compression):
    """A batch of the values, as the producer's own builder makes it."""
    batch = BatchBuilder(1 << 20, compression)
    for value in VALUES:
        batch.append(timestamp=1, key=None, value=value)
    return bytes(batch._build())


def test_a_batch_of_the_producer_is_compressed_at_the_fast_level():
    """Its frame is ours, byte for byte, and aiokafka reads every record of it."""
    install()
    plain, squeezed = built(0), built(3)
    assert compressed(plain[HEADER:]) == squeezed[HEADER:]
    assert plain[HEADER:] == lz4_decode(squeezed[HEADER:])
    assert VALUES == [record.value for record in MemoryRecords(squeezed).next_batch()]


def test_nothing_is_a_frame_too():
    """An empty text comes back empty."""
    assert lz4_decode(compressed(b"")) == b""
