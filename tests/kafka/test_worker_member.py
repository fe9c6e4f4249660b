"""A worker as a member of its group and as a service: static membership, its page."""

import asyncio
import signal
import time
import urllib.error
import urllib.request
from contextlib import closing

from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient

from tests.kafka.command import command  # noqa: F401 - a fixture
from tests.kafka.conftest import free_port
from tests.kafka.test_worker import Feed, fleet  # noqa: F401 - a fixture
from tests.refused import good, now


async def test_a_static_member_that_is_killed_has_its_partitions_back_at_once(fleet):  # noqa: F811
    """It does not wait for the session (60 s here) of its own former self to end."""
    feed = Feed(fleet)
    worker = fleet.start(instance="one", session_timeout_s=60.0)
    await feed.write(8_000, seconds=1)
    await fleet.counted_to(feed.ends)
    worker.kill()
    worker.wait()
    await feed.write(8_000, seconds=1)
    begun = time.monotonic()
    fleet.start(instance="one", session_timeout_s=60.0)
    feed.assert_exact(await fleet.counted_to(feed.ends))
    assert time.monotonic() - begun < 45
    assert feed.outputs == set(await fleet.outputs())


async def test_who_waits_in_a_rebalance_without_an_end_is_ended(fleet):  # noqa: F811
    """A member that was stopped holds the others up: one of little patience gives up.

    Its session outlasts the start of the newcomer, or there would be nobody to wait for.
    """
    session = {"session_timeout_s": 30.0}
    feed = Feed(fleet)
    stopped, waits = fleet.start(**session), fleet.start(**session, unsettled_s=3.0)
    await feed.write(2_000, seconds=1)
    await settled(fleet, members=2)
    await fleet.counted_to(feed.ends)
    stopped.send_signal(signal.SIGSTOP)
    fleet.start(**session)
    assert 70 == await asyncio.to_thread(waits.wait, 60)
    stopped.send_signal(signal.SIGCONT)
    feed.assert_exact(await fleet.counted_to(feed.ends))


async def settled(fleet, members):  # noqa: F811
    """Wait until so many members share the group and none of them is joining."""
    deadline = time.monotonic() + 60
    while (found := await asyncio.to_thread(group_of, fleet)) != ("Stable", members):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.3)


def group_of(fleet):  # noqa: F811
    """The state of the fleet's group, and how many members it has."""
    with closing(KafkaAdminClient(bootstrap_servers=fleet.bootstrap)) as admin:
        told = admin.describe_groups([fleet.group])[fleet.group]
    return told["group_state"], len(told["members"])


async def test_the_marker_of_a_transaction_is_no_record_that_waits(fleet):  # noqa: F811
    """A log that ends with a marker is read to its end: the watchdog lets the worker live."""
    worker = fleet.start(stall_s=4.0)
    async with (
        AIOKafkaProducer(
            bootstrap_servers=fleet.bootstrap, transactional_id=fleet.group
        ) as producer,
        producer.transaction(),
    ):
        for number in range(40):
            await producer.send(fleet.names["predictions"], b"%d" % number, partition=1)
    deadline = time.monotonic() + 90
    while not ((await fleet.states())[1] or {}).get("rows"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.3)
    assert 40 == (await fleet.states())[1]["rows"]["predictions"]
    await asyncio.sleep(9)
    assert worker.poll() is None


def ask(port, path):
    """Return status and body; status 0 while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


async def until_says(port, path, expected, seconds=45):
    """Wait for a status and a part of the body; returns the body."""
    deadline = time.monotonic() + seconds
    while True:
        status, body = await asyncio.to_thread(ask, port, path)
        if status == 200 and expected in body:
            return body
        assert time.monotonic() < deadline, (status, body)
        await asyncio.sleep(0.3)


async def test_a_worker_serves_health_readiness_and_metrics(command):  # noqa: F811
    """`--http`: what the profiler has counted stands on its page; it is well and ready."""
    port = free_port()
    command.start("--role", "profiler", "--http", str(port))
    at = now()
    await command.write([(*good(number, at), ()) for number in range(300)])
    counted = 'windage_records_total{outcome="counted",topic="predictions"} 300.0'
    page = await until_says(port, "/metrics", counted)
    assert 'windage_consumer_lag_records{topic="predictions"} 0.0' in page
    assert '"partitions": [0, 1]' in (await until_says(port, "/readyz", "ready"))
    assert '"status": "ok"' in (await until_says(port, "/healthz", "profiler"))
    assert 0 == await asyncio.to_thread(command.stop)
    command.start("--role", "profiler", "--http", str(port))
    await until_says(port, "/readyz", "ready")
    # Of the restored state, before anything new was read or stored.
    assert counted in (await asyncio.to_thread(ask, port, "/metrics"))[1]
    assert 0 == await asyncio.to_thread(command.stop)


async def test_a_port_that_is_taken_is_one_line_and_exit_code_3(command):  # noqa: F811
    port = free_port()
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    async with server:
        command.start("--role", "profiler", "--http", str(port))
        assert 3 == await asyncio.to_thread(command.process.wait, 40)
    assert f"cannot listen at 127.0.0.1:{port}" in command.said()
