"""Sinks on a real broker: a group each, one owner a partition, and kill -9 forgets nothing."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.config import Config
from streams.cli.endings import OperatorError, code_of
from streams.cli.sinks import run
from streams.runtime import topics
from streams.runtime.kafka.exits import RefusedError, UnreachableError
from streams.sinks import courier as couriers
from streams.sinks import kafka_source
from streams.sinks.caller import Caller
from streams.sinks.courier import Courier
from tests.sinks.listening import Listener, patiently
from tests.sinks.world import Service, alert, output, retraining

ROOT = Path(__file__).parents[2]
PARTITIONS = 2
IDLE = 4
"""Looks without a record after which everything that is there was read."""


class World:
    """Topics of one test, and what stands in them."""

    def __init__(self, broker, prefix, url):
        self.document = {
            "kafka": {
                "bootstrap": broker.bootstrap,
                "group": f"{prefix}g",
                "session_timeout": "6s",
            },
            "topics": {"prefix": prefix, "partitions": PARTITIONS},
            "sinks": {"s": {"url": url, "allow_private": True, "attempts": 2}},
            "models": {"m": {"task": "none"}},
        }
        self.document["sinks"]["s"]["topics"] = ["alerts", "retrain-requests"]
        self.config = Config.model_validate(self.document)
        topics.create(self.config)

    async def write(self, *outputs):
        async with AIOKafkaProducer(bootstrap_servers=self.config.kafka.bootstrap) as producer:
            for one in outputs:
                await producer.send_and_wait(
                    self.config.topics.name(one.topic),
                    one.value,
                    key=one.key,
                    headers=list(one.headers),
                )

    async def letters(self):
        """The dead letters: (value, headers)."""
        name = self.config.topics.name("dead-letters")
        consumer = AIOKafkaConsumer(bootstrap_servers=self.config.kafka.bootstrap)
        await consumer.start()
        try:
            places = [TopicPartition(name, number) for number in range(PARTITIONS)]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            found = []
            while any([await consumer.position(p) < ends[p] for p in places]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [(one.value, dict(one.headers)) for one in records]
            return found
        finally:
            await consumer.stop()

    async def carry(self, looks=IDLE):
        """Carry until nothing has come for a while; gives the courier."""
        sink = self.config.sinks["s"]
        source = await kafka_source.opened(self.config, "s", sink.told)
        try:
            async with Caller(sink) as caller:
                courier = Courier("s", sink, frozenset(), caller)
                courier._source = source
                idle = 0
                while idle < looks or not source._marks:
                    idle = 0 if await courier.turn(source, 0.25) else idle + 1
                return courier
        finally:
            await source.close()


@pytest.fixture
async def service():
    async with Service() as one:
        yield one


@pytest.fixture
def world(broker, topic_prefix, service):
    return World(broker, topic_prefix, service.url)


def ids(service):
    """What the service took, by the ids it would see if it were signed: here by incident."""
    return [
        body["data"].get("incident_id") or body["data"]["request_id"] for body in service.bodies
    ]


async def test_a_sink_is_told_once_over_restarts(world, service):
    """A new one hears of what is open; from then on of everything; of nothing twice."""
    await world.write(
        output(alert("over"), "a-1", key=b"over"),
        output(alert("over", status="resolved", sequence=2), "a-2", key=b"over"),
        output(alert("open"), "a-3", key=b"open"),
        output(retraining("old"), "r-1", key=b"m"),
    )
    courier = await world.carry()
    assert ["open"] == ids(service)
    assert 0 == courier.status().waiting
    await world.write(
        output(alert("open", status="resolved", sequence=2), "a-4", key=b"open"),
        output(alert("open", status="resolved", sequence=2), "a-4", key=b"open"),
        output(retraining("new"), "r-2", key=b"m"),
        *(output(alert(f"i-{n}"), f"b-{n}", key=b"%d" % n) for n in range(6)),
    )
    await world.carry()
    await world.carry()
    assert ["open", "open", "new", *(f"i-{n}" for n in range(6))] == sorted(
        ids(service), key=lambda one: (one.startswith("i-"), one == "new", one)
    )


async def test_what_is_given_up_is_a_dead_letter_and_stays_one(world, service, monkeypatch):
    async def at_once(_):
        pass

    monkeypatch.setattr(couriers, "_sleep", at_once)
    await world.carry()
    service.script.extend([500, 500])
    lost = output(alert("lost"), "a-1", key=b"lost")
    await world.write(lost)
    courier = await world.carry()
    assert 1 == courier.status().dead_letters
    await world.carry()
    ((value, headers),) = await world.letters()
    assert lost.value == value
    assert (b"undelivered", b"sink s", b"alerts") == tuple(
        headers[name]
        for name in ("windage.error.code", "windage.error.stage", "__connect.errors.topic")
    )
    assert [] == ids(service)


async def test_two_processes_share_the_partitions_and_tell_nothing_twice(world, service):
    """Also those alerts that come while the second one joins."""
    await world.carry()
    names = [f"i-{n}" for n in range(24)]

    async def write():
        for name in names:
            await world.write(output(alert(name), f"a-{name}", key=name.encode()))
            await asyncio.sleep(0.05)

    async def later():
        await asyncio.sleep(0.5)
        return await world.carry(looks=24)

    first, second, _ = await asyncio.gather(world.carry(looks=24), later(), write())
    assert sorted(names) == sorted(ids(service))
    assert len(names) == first.status().sent + second.status().sent


def test_kill_9_between_sending_and_committing_sends_the_same_id_again(
    broker, topic_prefix, tmp_path
):
    """`windage sinks` as an operator runs it; what was committed is not sent again."""
    hook = Listener()
    try:
        world = World(broker, topic_prefix, hook.url)
        key = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldY"
        world.document["sinks"]["s"] |= {"secret": "${SIGNING}", "timeout": "60s"}
        (tmp_path / "windage.yaml").write_text(json.dumps(world.document))
        process = _started(tmp_path, key)
        asyncio.run(world.write(output(alert("i-1"), "a-1", key=b"1")))
        patiently(lambda: _ids(hook.got), lambda told: told == ["a-1"])
        hook.held.set()
        asyncio.run(world.write(output(alert("i-2"), "a-2", key=b"2")))
        patiently(lambda: _ids(hook.begun), lambda told: told == ["a-1", "a-2"])
        process.kill()
        process.wait(30)
        hook.held.clear()
        process = _started(tmp_path, key)
        # The call that was open is answered, too, though nobody is there to hear it.
        patiently(lambda: _ids(hook.begun), lambda told: told == ["a-1", "a-2", "a-2"])
        patiently(lambda: _ids(hook.got).count("a-2"), lambda count: count == 2)
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(30)
        assert ["a-1", "a-2", "a-2"] == _ids(hook.begun)
        assert 1 == len({json.dumps(body) for headers, body in hook.got if _is(headers, "a-2")})
    finally:
        process.kill()
        process.wait(30)
        hook.close()


@pytest.mark.slow
def test_windage_worker_carries_a_drill_to_its_sinks(broker, topic_prefix, tmp_path):
    """As an operator would try it: the workers run, a drill is said, the receiver hears it once."""
    hook = Listener()
    process = None
    try:
        world = World(broker, topic_prefix, hook.url)
        world.document["sinks"]["s"]["secret"] = "${SIGNING}"
        (tmp_path / "windage.yaml").write_text(json.dumps(world.document))
        key = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldY"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SIGNING": key}
        command = [sys.executable, "-m", "streams.cli"]
        with (tmp_path / "worker.log").open("wb") as said:
            process = subprocess.Popen(
                [*command, "worker"], cwd=tmp_path, env=environment, stderr=said
            )
        for _ in range(20):  # what was over before the sink was read for is not told
            subprocess.run(
                [*command, "drill", "m", "--config", "windage.yaml"],
                cwd=tmp_path,
                env=environment,
                check=True,
                timeout=60,
                capture_output=True,
            )
            if hook.begun:
                break
        patiently(lambda: len(hook.got), lambda count: count and not count % 2)
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(60)
        told = [(body["data"]["status"], body["data"]["labels"]["drill"]) for _, body in hook.got]
        assert [("firing", "true"), ("resolved", "true")] == told[-2:]
        assert len(hook.got) == len(set(_ids(hook.got)))
    finally:
        if process is not None:
            process.kill()
            process.wait(30)
        hook.close()


def _ids(got):
    return [headers["webhook-id"] for headers, _ in got]


def _is(headers, id):
    return headers["webhook-id"] == id


def _started(folder, key):
    return subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "sinks"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SIGNING": key},
        stderr=subprocess.DEVNULL,
    )


def test_without_a_broker_or_topics_the_command_says_so(broker, topic_prefix, tmp_path):
    """Before anything is sent, in words that an operator can act on."""
    document = {
        "kafka": {"bootstrap": broker.bootstrap},
        "topics": {"prefix": topic_prefix},
        "sinks": {"s": {"url": "https://hooks.example/"}},
        "models": {"m": {"task": "none"}},
    }
    path = tmp_path / "windage.yaml"
    for change, code, word in (
        ({}, 2, "not on the broker"),
        ({"kafka": {"bootstrap": "127.0.0.1:9"}}, 3, "127.0.0.1:9"),
        ({"sinks": {}}, 2, "there are none"),
    ):
        path.write_text(json.dumps({**document, **change}))
        with pytest.raises((RefusedError, UnreachableError, OperatorError), match=word) as refused:
            run(path, None)
        assert code == code_of(refused.value)
