"""Couriers beside the machines: nothing that a service does or leaves undone is felt by them."""

import asyncio
import time

import pytest

from schemas.config import Config
from streams.cli.serve import sinks_of
from streams.runtime import embedded
from streams.runtime.embedded import Embedded
from streams.sinks import office as offices
from streams.sinks.log_source import LogSource
from streams.sinks.office import Office
from streams.web.server import Site
from tests.runtime.counting import CountingMonitors, CountingProfilers
from tests.sinks.world import alert, output

EVENTS = 2_000


def config(**sinks):
    return Config.model_validate({"sinks": sinks, "models": {"m": {"task": "none"}}})


def to(service, **fields):
    return {"url": service.url, "allow_private": True, **fields}


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "COMMIT_SECONDS", 0.01)
    one = Embedded(CountingProfilers(), CountingMonitors(), tmp_path)
    yield one
    one.stop()


async def until(wanted):
    """Wait for it, at most 20 seconds."""
    deadline = time.monotonic() + 20
    while not wanted():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_sink_that_hangs_holds_up_neither_events_nor_other_sinks(runtime, service):
    """While its call is open all events are counted, and another sink hears of its alert."""
    service.script.append("hang")
    office = sinks_of(runtime, config(hangs=to(service, timeout="30s")))
    office.start()
    runtime.start()
    try:
        runtime.log.commit([(output(alert(), "a-1"), 0)], {})
        await asyncio.wait_for(service.arrived.wait(), 20)
        entries = [runtime.entry("predictions", b"%d" % n, b"{}") for n in range(EVENTS)]
        await asyncio.to_thread(runtime.append_many, entries)
        await until(lambda: not runtime.backlog()["predictions"])
        assert EVENTS == runtime.log.end("predictions")
        assert [] == service.got, "the call was to be open all the time"
        (status,) = office.status()
        assert (0, 1) == (status.sent, status.waiting)
    finally:
        office.stop()


async def test_one_sink_that_fails_does_not_keep_another_waiting(runtime, service):
    """Each has its own place in the log."""
    sick = {"url": "http://127.0.0.1:9/", "allow_private": True}
    office = sinks_of(runtime, config(sick=sick, sound=to(service)))
    office.start()
    runtime.start()
    try:
        outputs = [output(alert(f"i-{n}"), f"a-{n}") for n in range(3)]
        runtime.log.commit([(one, 0) for one in outputs], {})
        await until(lambda: len(service.got) == 3)
        await until(lambda: office.status()[0].failures and not office.status()[1].waiting)
        by_name = {one.sink: one for one in office.status()}
        assert (0, 3) == (by_name["sick"].sent, by_name["sick"].waiting)
        assert "cannot be connected to" == by_name["sick"].reason
    finally:
        office.stop()


async def test_a_source_that_fails_is_opened_again(runtime, service, monkeypatch):
    """A log that could not be read for a moment costs nothing but time."""
    monkeypatch.setattr(offices, "AGAIN_S", 0.01)
    read, failures = LogSource.next, [OSError("gone")]

    async def next_or_fail(self, seconds):
        if failures:
            raise failures.pop()
        return await read(self, seconds)

    monkeypatch.setattr(LogSource, "next", next_or_fail)
    office = sinks_of(runtime, config(s=to(service)))
    office.start()
    runtime.start()
    try:
        runtime.log.commit([(output(alert(), "a-1"), 0)], {})
        await until(lambda: len(service.got) == 1)
    finally:
        office.stop()
    assert [] == failures


async def test_a_sink_whose_topics_cannot_be_read_does_not_look_well(monkeypatch):
    """Whoever watches sees it, and sees when it is over."""
    monkeypatch.setattr(offices, "AGAIN_S", 0.01)
    gone = [True]

    class Silent:
        async def next(self, seconds):
            await asyncio.sleep(seconds)

        def waiting(self):
            return 0

        async def close(self):
            pass

    async def opening(_name, _sink):
        if gone:
            raise ConnectionRefusedError
        return Silent()

    office = Office(config(s={"url": "https://hooks.example/"}), opening)
    carrying = asyncio.create_task(office.run())
    try:
        await until(lambda: office.status()[0].failing_s)
        assert "its topics cannot be read (ConnectionRefusedError)" == office.status()[0].reason
        gone.clear()
        await until(lambda: not office.status()[0].failing_s)
        assert "" == office.status()[0].reason
    finally:
        carrying.cancel()
        await asyncio.gather(carrying, return_exceptions=True)


async def test_health_and_metrics_tell_of_a_sink_that_is_away(runtime):
    """The process stays well: starting it again would not help."""
    from aiohttp.test_utils import TestClient, TestServer

    from streams.web.access import Access

    sick = {"url": "http://127.0.0.1:9/", "allow_private": True}
    office = sinks_of(runtime, config(sick=sick))
    office.start()
    runtime.start()
    try:
        runtime.log.commit([(output(alert(), "a-1"), 0)], {})
        await until(lambda: office.status()[0].failures)
        site = Site(runtime, {}, sinks=office.status).application(Access())
        async with TestClient(TestServer(site)) as client:
            answer = await client.get("/healthz")
            told = (await answer.json())["sinks"]["sick"]
            page = await (await client.get("/metrics")).text()
        assert 200 == answer.status
        assert ("failing", 1) == (told["state"], told["waiting"])
        assert told["failing_seconds"] > 0
        assert 'windage_sink_waiting_records{sink="sick"} 1.0' in page
        assert 'windage_sink_sent_total{sink="sick"} 0.0' in page
        assert 'windage_sink_failures_total{sink="sick"} ' in page
    finally:
        office.stop()


async def test_without_sinks_nothing_runs(runtime):
    office = sinks_of(runtime, config())
    office.start()
    assert ([], None) == (office.status(), office._thread)
    office.stop()
