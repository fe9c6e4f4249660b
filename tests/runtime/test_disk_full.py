"""A full disk: nothing accepted is lost, senders are told, and it goes on once there is room."""

import asyncio

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer

from streams.runtime import embedded
from streams.runtime.embedded import Embedded
from streams.runtime.sqlite_log import DiskFullError, Entry, Group, SqliteLog
from streams.web.access import Access
from streams.web.server import Site
from tests.runtime.counting import CountingMonitors, CountingProfilers
from tests.runtime.test_embedded import wait_for


def limit(log, pages):
    """Let the file have so many pages more (None: as many as it likes); as a quota would."""
    for name in ("append", "commit"):
        connection = log._connections[name]
        (now,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={now + pages if pages is not None else 1 << 30}")


def entries(count):
    return [
        Entry(log="predictions", key=b"%d" % n, value=b'{"n":%d,"w":"%s"}' % (n, b"x" * 500))
        for n in range(count)
    ]


def test_an_append_without_room_appends_nothing(tmp_path):
    """It says what is wrong; after there is room the same groups go in at the same offsets."""
    log = SqliteLog(tmp_path)
    log.append([Group(entries=entries(3))])
    limit(log, 4)
    with pytest.raises(DiskFullError, match="full"):
        log.append([Group(entries=entries(5)), Group(entries=entries(500), name="key a")])
    assert 3 == log.end("predictions")
    assert 3 == len(log.read("predictions", 0, 0, 1000))
    limit(log, None)
    (receipt,) = log.append([Group(entries=entries(2), name="key a")])
    assert (False, [3, 4]) == (receipt.repeated, receipt.offsets)
    log.close()


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """A started runtime that commits and tries again often."""
    monkeypatch.setattr(embedded, "COMMIT_SECONDS", 0.01)
    monkeypatch.setattr(embedded, "RETRY_SECONDS", 0.02)
    runtime = Embedded(CountingProfilers(), CountingMonitors(), tmp_path)
    runtime.start()
    yield runtime
    runtime.stop()


async def test_intake_says_507_while_the_disk_is_full_and_goes_on_afterwards(runtime):
    """Everything that got a 202 is counted once, nothing that got a 507 is."""
    app = Site(runtime, {"m": "binary"}).application(Access())
    async with TestClient(TestServer(app)) as client:
        accepted, statuses = 0, []
        limit(runtime.log, 60)
        for number in range(2_000):
            if statuses.count(507) == 3:
                limit(runtime.log, None)
            rows = [{"n": number * 10 + i, "prediction_id": "p", "w": "x" * 200} for i in range(10)]
            answer = await client.post("/v1/events", data=orjson.dumps(rows))
            statuses.append(answer.status)
            if answer.status == 202:
                accepted += sum(row["n"] for row in rows)
            if statuses.count(507) >= 3 and statuses[-5:] == [202] * 5:
                break
        assert {202, 507} == set(statuses)
        assert 202 == statuses[-1]
    wait_for(lambda: not sum(runtime.backlog().values()) and runtime.failure is None)
    wait_for(lambda: accepted == _counted(runtime))
    await asyncio.sleep(0.05)
    assert accepted == _counted(runtime)


def _counted(runtime):
    """The sum that the monitor has said last."""
    said = runtime.outputs("readings", limit=100_000)
    return orjson.loads(said[-1].value)["sums"]["predictions"] if said else 0


async def test_a_full_disk_tells_when_to_come_again(runtime):
    """507 with Retry-After; the same key is accepted later."""
    app = Site(runtime, {"m": "binary"}).application(Access())
    body = orjson.dumps([{"n": 1, "prediction_id": "p", "w": "x" * 5_000}] * 50)
    async with TestClient(TestServer(app)) as client:
        limit(runtime.log, 0)
        full = await client.post("/v1/events", data=body, headers={"Idempotency-Key": "k"})
        assert (507, "10") == (full.status, full.headers["Retry-After"])
        assert "disk_full" == (await full.json())["error"]["code"]
        limit(runtime.log, None)
        again = await client.post("/v1/events", data=body, headers={"Idempotency-Key": "k"})
        assert (202, 50) == (again.status, (await again.json())["accepted"])
