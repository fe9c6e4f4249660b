"""The pages alone against a real broker: topics are shown, and what is said gets to them."""

import asyncio
import json

from aiohttp.test_utils import TestClient, TestServer
from kafka import KafkaConsumer, KafkaProducer

from schemas import outputs
from schemas.config import Config
from streams.runtime.installation.writing import KafkaWriter
from streams.runtime.kafka.reading import KafkaReader
from streams.runtime.topics import create
from streams.web.access import Access
from streams.web.mirror import Mirror
from streams.web.server import Site
from tests.web.test_casefile import NOTE
from tests.web.test_lamps import alert
from tests.web.test_mirror import seen

MODEL = {"task": "binary", "pane": "1m", "reference": {"from": "first", "rows": 100}}


async def test_the_pages_alone(broker, topic_prefix, tmp_path):
    """An alert of a topic is on the page; an annotation of the page is in the topic."""
    config = Config.model_validate(
        {
            "version": 1,
            "kafka": {"bootstrap": broker.bootstrap},
            "topics": {"prefix": topic_prefix, "partitions": 2, "replication": 1},
            "models": {"m": MODEL},
        }
    )
    await asyncio.to_thread(create, config)
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
    producer.send(f"{topic_prefix}alerts", outputs.encode(alert()), key=b"i1").get(10)
    mirror = Mirror(lambda: KafkaReader(config), KafkaWriter(config), tmp_path)
    mirror.start()
    app = Site(mirror, {"m": "binary"}).application(Access())
    try:
        async with TestClient(TestServer(app)) as client:
            await seen(client, "/v1/incidents", lambda answer: answer["incidents"])
            second = outputs.encode(alert("i2"))
            producer.send(f"{topic_prefix}alerts", second, key=b"i2").get(10)
            found = await seen(client, "/v1/incidents", lambda one: len(one["incidents"]) > 1)
            assert {"i1", "i2"} == {one["incident_id"] for one in found["incidents"]}
            assert 202 == (await client.post("/v1/model-events", json=NOTE)).status
            file = await seen(client, "/v1/incidents/i1", lambda file: file["said"])
            assert "a new form" == file["said"][0]["note"]
    finally:
        await asyncio.to_thread(mirror.stop)
        producer.close()
    topic = f"{topic_prefix}model-events"
    consumer = KafkaConsumer(
        topic, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", group_id=None,
        consumer_timeout_ms=5000,
    )  # fmt: skip
    assert NOTE == json.loads(next(consumer).value)
    consumer.close()
