"""The broker that the other tests rely on is a real one: it keeps records, also over kill -9."""

from contextlib import closing

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka.admin import ConfigResource, KafkaAdminClient

TEN = [b"record %d" % number for number in range(10)]


async def produce(bootstrap, topic, values):
    """Write the values and wait until the broker has acknowledged each."""
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True
    ) as producer:
        return [(await producer.send_and_wait(topic, value)).offset for value in values]


async def consume(bootstrap, topic, count):
    """Read the first `count` values of a topic of one partition."""
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        return [(await consumer.getone()).value for _ in range(count)]


async def test_ten_records_come_back_in_order(broker, make_topic):
    """What is produced is consumed, once and in order, at consecutive offsets."""
    topic = make_topic("smoke")
    assert list(range(10)) == await produce(broker.bootstrap, topic, TEN)
    assert TEN == await consume(broker.bootstrap, topic, 10)


async def test_acknowledged_records_survive_a_killed_broker(broker, make_topic):
    """Records acknowledged before kill -9 are read after the restart, at the same address."""
    topic = make_topic("survivor")
    await produce(broker.bootstrap, topic, TEN)
    broker.kill()
    assert not broker.answers()
    broker.start()
    assert TEN == await consume(broker.bootstrap, topic, 10)


def test_a_topic_has_the_partitions_and_settings_asked_for(broker, make_topic):
    """Topics are made to order, under a prefix that is the test's own."""
    topic = make_topic("journal", partitions=4, cleanup_policy="compact")
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as admin:
        (described,) = admin.describe_topics([topic])
        configs = admin.describe_configs([ConfigResource("TOPIC", topic)])
    assert 4 == len(described["partitions"])
    assert configs["topic"][topic]["cleanup.policy"]["value"] == "compact"
