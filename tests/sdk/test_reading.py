"""`subscribe` and `on_retrain` on a real broker."""

import asyncio
import json
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaConsumer

import windage
from schemas.load import load_text
from streams.runtime import topics
from tests.refused import CONFIG

SECONDS = 40


@pytest.fixture
def prefix(broker, topic_prefix):
    """The topics of the product, as `windage topics create` makes them; gives their prefix."""
    text = CONFIG.format(bootstrap=broker.bootstrap, prefix=topic_prefix, partitions=2)
    topics.create(load_text(text, {}, lambda name: Path(name).read_text()))
    return topic_prefix


@pytest.fixture
def write(broker, prefix):
    """Return `write(topic, event, id)`: as the product writes, lz4 and an envelope in headers."""

    def send(topic, *events):
        async def sending():
            async with AIOKafkaProducer(
                bootstrap_servers=broker.bootstrap, compression_type="lz4"
            ) as producer:
                for about, event in events:
                    await producer.send_and_wait(
                        prefix + topic,
                        json.dumps(event).encode(),
                        key=event.get("model", "m").encode(),
                        headers=[("ce_id", about.encode()), ("content-type", b"application/json")],
                    )

        asyncio.run(sending())

    return send


@pytest.fixture
def subscribe(broker, prefix):
    """Return `subscribe(topic, ...)`, which ends when nothing has come for some seconds."""

    def subscribed(topic, group="ops", **options):
        given = {"start": "earliest", "idle_s": 4, "topic_prefix": prefix, **options}
        return windage.subscribe(
            f"kafka://{broker.bootstrap}", topic, group=prefix + group, **given
        )

    return subscribed


def alert(incident, sequence, model="m"):
    return {"incident_id": incident, "sequence": sequence, "model": model, "status": "firing"}


def test_each_event_comes_once_and_no_alert_goes_back(write, subscribe):
    """A repeated id, an equal or lower sequence, and another model's are left out."""
    write(
        "alerts",
        ("1", alert("i", 5)),
        ("1", alert("i", 5)),
        ("2", alert("i", 4)),
        ("3", alert("i", 6)),
        ("4", alert("j", 1)),
        ("5", alert("k", 1, model="other")),
    )
    with closing(subscribe("alerts", models=["m"])) as alerts:
        found = [(event.id, event.topic, event["sequence"]) for event in alerts]
    assert [("1", "alerts", 5), ("3", "alerts", 6), ("4", "alerts", 1)] == found


def test_what_was_not_handled_comes_again_to_the_group(write, subscribe):
    """An event is handled when the next one is asked for; the rest of the group goes on there."""
    write("drift-events", *((str(n), {"model": "m", "n": n}) for n in range(4)))
    with closing(subscribe("drift-events")) as events:
        assert [0, 1] == [next(events)["n"], next(events)["n"]]
    with closing(subscribe("drift-events")) as events:
        assert [1, 2, 3] == [event["n"] for event in events]


def test_any_client_reads_what_the_product_writes(broker, write, prefix):
    """kafka-python has no lz4 of its own, and a plain client must do."""
    write("retrain-requests", ("1", {"model": "m"}))
    consumer = KafkaConsumer(
        prefix + "retrain-requests",
        bootstrap_servers=broker.bootstrap,
        auto_offset_reset="earliest",
        consumer_timeout_ms=20_000,
    )
    with closing(consumer):
        assert b'{"model": "m"}' == next(consumer).value


def test_what_cannot_be_meant_raises_at_once():
    """Before the first event is asked for."""
    for wrong in ({"topic": "alert"}, {"start": "now"}, {"models": "m"}, {"url": "localhost"}):
        given = {"url": "kafka://localhost:9092", "group": "g", **wrong}
        with pytest.raises(ValueError):
            windage.subscribe(**given)


def test_it_waits_for_a_broker_and_gives_up_after_a_while(dead):
    """With `idle_s`; without it would wait for ever."""
    begun = time.monotonic()
    with pytest.raises(ConnectionError):
        next(windage.subscribe(f"kafka://{dead}", "alerts", group="g", idle_s=0.1))
    assert time.monotonic() - begun < SECONDS


class Answers:
    """What trainers have said about requests."""

    def __init__(self, bootstrap, topic):
        self._given = (bootstrap, topic)

    def all(self):
        bootstrap, topic = self._given
        consumer = KafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            auto_offset_reset="earliest",
            consumer_timeout_ms=1500,
        )
        with closing(consumer):
            events = [json.loads(record.value) for record in consumer]
        for event in events:
            windage.assert_valid_event(event)
        return [(event["request_id"], event["type"], event.get("version")) for event in events]

    def until(self, expected, also=()):
        """Wait until this was said, and perhaps `also` this."""
        deadline = time.monotonic() + SECONDS
        while sorted(found := self.all()) not in (sorted(expected), sorted([*expected, *also])):
            assert time.monotonic() < deadline, found


@pytest.fixture
def answers(broker, prefix):
    """Model events about requests."""
    return Answers(broker.bootstrap, prefix + "model-events")


@pytest.fixture
def trainer(broker, prefix):
    """Return `trainer(train, group)`: starts one, which is stopped in the end."""
    started = []

    def start(train, group="trainer", **options):
        decorate = windage.on_retrain(
            f"kafka://{broker.bootstrap}",
            group=prefix + group,
            models=["m"],
            topic_prefix=prefix,
            **options,
        )
        started.append(decorate(train))
        return started[-1]

    yield start
    for one in started:
        one.stop(SECONDS)


def request(about, **fields):
    return (about, {"request_id": about, "model": "m", "version": "3", **fields})


def test_a_request_runs_once_however_often_it_is_delivered(write, trainer, answers):
    """Twice in the topic, a new member, and another group: one run, one start, one end."""
    ran = []

    def train(asked):
        ran.append(asked["request_id"])
        return asked.done(version="4", deployment={"offline_metrics": {"auc": 0.9}})

    write("retrain-requests", request("r1"), request("r1"))
    first = trainer(train)
    said = [("r1", "retraining_started", "3"), ("r1", "retraining_finished", "4")]
    answers.until(said)
    first.stop(SECONDS)
    trainer(train)
    trainer(train, group="others")
    write("retrain-requests", request("r1"), request("r2"), ("x", {"model": "other"}))
    # Who starts in the same moment as another says so, too, but does not run.
    started = ("r2", "retraining_started", "3")
    answers.until([*said, started, ("r2", "retraining_finished", "4")], also=[started])
    assert ["r1", "r2"] == ran


def test_failures_are_said_and_the_trainer_goes_on(write, trainer, answers):
    """An exception, a reason, and no answer at all."""

    def train(asked):
        if asked["request_id"] == "raises":
            raise RuntimeError("no rows")
        if asked["request_id"] == "reason":
            asked.failed("too few labels")

    write("retrain-requests", request("raises"), request("reason"), request("silent"))
    trainer(train)
    names = ("raises", "reason", "silent")
    answers.until([(n, t, "3") for n in names for t in ("retraining_started", "retraining_failed")])


@pytest.mark.slow
def test_requests_are_neither_started_too_early_nor_too_late(write, trainer, answers):
    """One that has expired is not run; one whose time has not come does not hold up others."""
    now = datetime.now(UTC)
    ran = []

    def train(asked):
        ran.append((asked["request_id"], datetime.now(UTC)))
        return asked.done()

    late = now + timedelta(seconds=8)
    write(
        "retrain-requests",
        request("expired", expires_at=(now - timedelta(seconds=1)).isoformat()),
        request("later", not_before=late.isoformat()),
        request("now", not_before=(now - timedelta(days=1)).isoformat()),
    )
    trainer(train)
    names = ("later", "now")
    answers.until(
        [(n, t, "3") for n in names for t in ("retraining_started", "retraining_finished")]
    )
    assert ["now", "later"] == [about for about, _ in ran]
    assert late <= ran[1][1]


def test_a_trainer_can_be_called_by_a_test():
    """The decorated function is still a function, and listens only when it is told to."""

    @windage.on_retrain("kafka://localhost:9092", group="g", begin=False)
    def train(asked):
        """Train."""
        return asked.done(version="4")

    from windage.retraining import Request

    assert ("train", "Train.") == (train.__name__, train.__doc__)
    assert "4" == train(Request({"request_id": "r"})).version
    assert "windage-trainer" not in {thread.name for thread in threading.enumerate()}
