"""A mirror shows an installation that runs elsewhere, and hands on what people say."""

import asyncio
import json
import time

import pytest
from aiohttp.test_utils import TestClient, TestServer

from streams.runtime.installation.reading import SqliteReader
from streams.web.access import Access
from streams.web.mirror import Mirror
from streams.web.server import Site
from tests.web.test_casefile import NOTE, drift
from tests.web.test_history import one
from tests.web.test_lamps import alert, get, write


class Letters:
    """A writer that only remembers."""

    def __init__(self):
        self.written = []

    def write(self, letters):
        self.written += letters


class Gone(SqliteReader):
    """An installation that does not tell its lag, because it is gone."""

    def lag(self):
        raise OSError("gone")


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def letters():
    return Letters()


@pytest.fixture
def mirrored(runtime, letters, tmp_path):
    """Return a function that mirrors the runtime's directory."""
    made = []

    def mirror(reader=SqliteReader):
        made.append(Mirror(lambda: reader(tmp_path), letters, tmp_path / "scratch"))
        made[0].start()
        return made[0]

    yield mirror
    for mirrored in made:
        mirrored.stop()


@pytest.fixture
async def visitor(mirrored):
    """A client of a mirror's pages."""
    app = Site(mirrored(), {"m": "binary"}).application(Access())
    async with TestClient(TestServer(app)) as client:
        yield client


async def seen(client, path, wanted):
    """The answer of a path as soon as it is as wanted."""
    end = time.monotonic() + 10
    while not wanted(answer := await get(client, path)):
        assert time.monotonic() < end, answer
        await asyncio.sleep(0.02)
    return answer


async def test_what_is_there_and_what_comes(runtime, visitor):
    """Outputs and what was said, before the mirror began and after, as the original shows them."""
    write(runtime, "readings", one(0, 0.5))
    runtime.append("model-events", b"m", json.dumps(NOTE).encode())
    strip = await seen(visitor, "/v1/heat?model=m", lambda strip: strip["signals"])
    assert 50 == max(strip["shares"][0])
    write(runtime, "alerts", alert())
    write(runtime, "drift-events", drift(10, 19))
    await seen(visitor, "/v1/incidents", lambda answer: answer["incidents"])
    file = await seen(visitor, "/v1/incidents/i1", lambda file: file["rows"] and file["said"])
    assert (10, 19) == (file["rows"][0]["from"], file["rows"][0]["to"])
    assert ["a new form"] == [mark["note"] for mark in file["said"]]


async def test_what_a_person_says_is_written_there(visitor, letters):
    """Under the model's key; predictions do not belong here."""
    answer = await visitor.post("/v1/model-events", json=NOTE)
    assert 202 == answer.status
    (letter,) = letters.written
    assert ("model-events", b"m", NOTE) == (letter.topic, letter.key, json.loads(letter.value))
    refused = await visitor.post("/v1/events", json={"model": "m", "prediction": 1})
    assert (503, 1) == (refused.status, len(letters.written))


async def test_an_installation_that_is_gone_is_said(mirrored, monkeypatch):
    """The page must not look healthy while nothing can be heard."""
    monkeypatch.setattr("streams.web.mirror.LAG_SECONDS", 0.0)
    mirror = mirrored(Gone)
    until(lambda: mirror.failure is not None)
    assert "gone" == str(mirror.failure)
