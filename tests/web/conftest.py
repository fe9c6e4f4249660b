"""A server over counting machines, on a free port."""

import pytest
from aiohttp.test_utils import TestClient, TestServer

from streams.runtime import embedded
from streams.runtime.embedded import Embedded
from streams.web.access import Access
from streams.web.server import Site
from tests.runtime.counting import CountingMonitors, CountingProfilers


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """A started runtime that commits often."""
    monkeypatch.setattr(embedded, "COMMIT_SECONDS", 0.01)
    runtime = Embedded(CountingProfilers(), CountingMonitors(), tmp_path)
    runtime.start()
    yield runtime
    runtime.stop()


@pytest.fixture
async def connect(runtime):
    """Return a function that opens a client to a server with the given access."""
    clients = []

    async def connected(access=None):
        app = Site(runtime, {"m": "binary"}).application(access or Access())
        client = TestClient(TestServer(app))
        await client.start_server()
        clients.append(client)
        return client

    yield connected
    for client in clients:
        await client.close()


@pytest.fixture
async def client(connect):
    """A client on loopback without a token."""
    return await connect()
