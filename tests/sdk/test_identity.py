"""Ids sort by time, and keys go where Kafka's clients put them."""

import time
import uuid

from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as of_the_client

from streams.runtime.partitions import partition_of as of_the_product
from windage.identity import murmur2, new_id, partition_of


def test_an_id_is_a_uuid_of_version_7_and_of_now():
    """RFC 9562: version, variant, and milliseconds in front."""
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(new_id())
    assert (7, uuid.RFC_4122) == (made.version, made.variant)
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_ids_differ():
    """10,000 ids of one moment."""
    assert 10_000 == len({new_id() for _ in range(10_000)})


@given(st.binary(max_size=40))
def test_the_hash_is_that_of_kafka_python(key):
    """Negative numbers are the same 32 bits."""
    assert of_the_client(key) & 0xFFFFFFFF == murmur2(key)


@given(st.binary(min_size=1, max_size=40), st.integers(1, 100))
def test_the_partition_is_that_of_the_product(key, partitions):
    """So that a label finds its prediction, and nothing is misplaced."""
    assert of_the_product(key, partitions) == partition_of(key, partitions)
