"""The server listens where the config says, and closes in time."""

import asyncio
import time

import aiohttp

from schemas.config_links import Http
from streams.web.server import Server


async def test_it_listens_on_a_free_port(runtime):
    """Port 0 takes one that is free, and tells which."""
    async with (
        Server(runtime, Http(port=0), {"m": "binary"}) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        session.get("/healthz") as response,
    ):
        assert 200 == response.status


async def test_tokens_of_the_config_are_asked_for(runtime):
    """What the config says is what is asked."""
    http = Http(port=0, write_token="w" * 20)
    async with (
        Server(runtime, http, {}) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        statuses = []
        for token in ("no", "w" * 20):
            headers = {"Authorization": f"Bearer {token}"}
            async with session.get("/v1/models", headers=headers) as response:
                statuses.append(response.status)
    assert [401, 200] == statuses


async def test_open_streams_do_not_hold_up_the_end(runtime):
    """A reader that never leaves is left."""
    server = Server(runtime, Http(port=0), {})
    port = await server.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        await session.get("/v1/stream")
        begun = time.monotonic()
        await asyncio.wait_for(server.stop(), 10)
    assert time.monotonic() - begun < 5
