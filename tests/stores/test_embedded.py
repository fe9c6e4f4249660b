"""The embedded runtime over a real Redis: the same books, and health that says how it is."""

import asyncio
import time

from aiohttp.test_utils import TestClient, TestServer

from schemas import config_links
from streams.runtime.assembly import open_embedded
from streams.web.access import Access
from streams.web.server import Site
from tests.laws.world import BASELINE, MODEL, Ways, world

KNOWN = {MODEL: BASELINE}


def configured(made, server):
    """The config of a world, with Redis."""
    redis = config_links.Redis(url=server.url, timeout="200ms")
    return made.config().model_copy(update={"redis": redis})


def feed(runtime, items):
    """Append items as their producer would."""
    for item in items:
        record = item.record(0)
        runtime.append(item.log, record.key, record.value, record.headers, item.broker)


def test_both_stores_keep_the_same_books_over_restarts(server, tmp_path):
    """Two restarts on the way; Redis is killed and started between them, and has kept its log."""
    made = world(11, Ways(corrected=0.5, again=0.4), ids=60, clock="event")
    items = [
        one
        for at, ones in made.logs(1).items()
        for one in ones
        if at[0] in ("predictions", "labels")
    ]
    items.sort(key=lambda one: one.broker)
    books = []
    for name, config in (("memory", made.config()), ("redis", configured(made, server))):
        for number in range(3):
            runtime = open_embedded(config, KNOWN, tmp_path / name)
            try:
                third = slice(number * len(items) // 3, (number + 1) * len(items) // 3)
                for begin in range(third.start, third.stop, 25):
                    feed(runtime, items[begin : min(begin + 25, third.stop)])
                    runtime.run_until_idle()
                if number == 2:
                    books.append(runtime.accounting())
            finally:
                runtime.stop()
            if name == "redis":
                server.kill()
                server.start()
    assert books[0] == books[1]
    assert books[1]["labels"]["joined"] > 10


def test_two_directories_do_not_meet_in_one_redis(server, tmp_path):
    """Their offsets are the same, their rows are not."""
    made = world(12, Ways(again=0), ids=20, clock="event")
    items = sorted((one for one in made.items if one.kind == "prediction"), key=lambda o: o.broker)
    for name in ("one", "two"):
        runtime = open_embedded(configured(made, server), KNOWN, tmp_path / name)
        try:
            for item in items:
                feed(runtime, [item])
                runtime.run_until_idle()
            told = runtime.accounting()["predictions"]
        finally:
            runtime.stop()
        if name == "one":
            first = told
    assert first == told


async def test_health_and_metrics_say_how_redis_is(server, tmp_path):
    """Its absence makes nothing unwell: it is said, and so is its return."""
    made = world(13, ids=12)
    runtime = open_embedded(configured(made, server), KNOWN, tmp_path)
    runtime.start()
    client = TestClient(TestServer(Site(runtime, {}).application(Access())))
    await client.start_server()

    async def health(wanted):
        """What /healthz says, as soon as it says that."""
        for _ in range(200):
            number = next(numbers)
            item = made.items[0]._replace(kind="prediction", log="predictions", number=number)
            now = time.time_ns() // 1_000_000
            feed(runtime, [item._replace(broker=None, time=now, version="1", score=0.5)])
            answer = await client.get("/healthz")
            body = await answer.json()
            assert (200, "ok") == (answer.status, body["status"])
            if wanted in (body["store"] or ""):
                return True
            await asyncio.sleep(0.1)
        return False

    numbers = iter(range(10**6, 10**7))
    try:
        assert await health("ok")
        assert "windage_store_serves 1.0" in await (await client.get("/metrics")).text()
        server.kill()
        assert await health("does not answer")
        page = await (await client.get("/metrics")).text()
        assert "windage_store_serves 0.0" in page
        assert 'outcome="unasked"' in page
        server.start()
        assert await health("ok")
    finally:
        await client.close()
        runtime.stop()
