"""Who may do what over HTTP: every path of every server, asked by everybody.

The tables below are the whole of it: a path that a server learns later is in none, and fails here.
"""

import asyncio

import pytest
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from streams.runtime.embedded import Embedded
from streams.runtime.kafka.pulse import Pulse
from streams.web import sinks
from streams.web.access import PAGES, Access
from streams.web.server import Site
from streams.web.worker import Page
from tests.runtime.counting import CountingMonitors, CountingProfilers

TOKENS = {"write": "w" * 32, "read": "r" * 32, "wrong": "x" * 32, "nobody": None}
BEYOND = Access(loopback=False, write=TOKENS["write"], read=TOKENS["read"])

LIFE = {("GET", path) for path in ("/healthz", "/readyz")}
OPEN = LIFE | {("GET", path) for path in (*PAGES, "/static")}
"""Everybody: whether we live, and pages without content."""

SIGNED = {("POST", "/v1/mlflow")}
"""Whoever signs; a token is neither needed nor enough."""

WRITE = {("POST", path) for path in ("/v1/events", "/v1/model-events", "/v1/drill")}
READ = {("GET", "/metrics")} | {
    ("GET", f"/v1/{name}")
    for name in (
        *("models", "incidents", "incidents/{incident_id}", "readings", "stream", "session"),
        *("history", "heat", "marks", "shape", "pipeline"),
    )
}
MAY = {
    "write": OPEN | READ | WRITE,
    "read": OPEN | READ,
    "wrong": OPEN,
    "nobody": OPEN,
}


def bearer(who):
    """Return the headers of somebody."""
    token = TOKENS[who]
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def routes(app):
    """Return (method, path) of everything an application answers; GET stands for HEAD, too."""
    return {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.method != "HEAD"
    }


@pytest.fixture
def runtime(tmp_path):
    """Return a started runtime over counting machines."""
    runtime = Embedded(CountingProfilers(), CountingMonitors(), tmp_path)
    runtime.start()
    yield runtime
    runtime.stop()


@pytest.fixture
async def site(runtime):
    """Return a client of the server of an installation, with tokens."""
    app = Site(runtime, {"m": "binary"}).application(BEYOND)
    async with TestClient(TestServer(app)) as client:
        yield client


def test_every_path_is_in_one_row(runtime):
    """What is open, signed, read and written is all there is."""
    found = routes(Site(runtime, {"m": "binary"}).application(BEYOND))
    assert OPEN | SIGNED | READ | WRITE == found
    assert len(OPEN) + len(SIGNED) + len(READ) + len(WRITE) == len(found)


@pytest.mark.parametrize("who", TOKENS)
async def test_the_table_of_roles(site, who):
    """401 for everything that somebody may not, and for nothing else."""
    refused = set()
    for method, path in OPEN | READ | WRITE:
        place = path.replace("{incident_id}", "i").replace("/static", "/static/main.js")
        async with asyncio.timeout(20):
            answer = await site.request(method, place, data=b"{" * 2, headers=bearer(who))
        status = answer.status
        answer.close()  # a stream would go on
        assert status < 500, path
        if status == 401:
            refused.add((method, path))
    assert OPEN | READ | WRITE == MAY[who] | refused
    assert not MAY[who] & refused


@pytest.mark.parametrize("who", TOKENS)
async def test_other_methods_are_no_way_round(site, who):
    """No method beside those of the table does anything: 401 for who may not write, else 405."""
    expected = {"write": 405}.get(who, 401)
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
        for path in ("/v1/events", "/v1/models", "/v1/incidents/i", "/metrics"):
            answer = await site.request(method, path, headers=bearer(who))
            assert expected == answer.status, (method, path)


@pytest.mark.parametrize(
    "path",
    ["/v1//events", "/v1/events/", "/V1/events", "/v1/%65vents", "/healthz/v1/events", "/nothing"],
)
async def test_other_spellings_are_no_way_round(site, path):
    """A path that looks like one of ours is not open, whether it is one or not."""
    place = URL(path, encoded=True)
    for who in ("nobody", "wrong", "read"):
        assert 401 == (await site.post(place, data=b"{}", headers=bearer(who))).status, who


@pytest.mark.parametrize(
    "path",
    [
        "/static/%2e%2e/v1/models",
        "/static/..%2fv1/models",
        "/static//v1/models",
        "/static/v1/models",
    ],
)
async def test_the_open_folder_leads_nowhere_else(site, path):
    """What begins like a page of ours is one, or nothing."""
    assert (await site.get(URL(path, encoded=True))).status in (403, 404)


@pytest.mark.parametrize("who", TOKENS)
async def test_a_token_is_no_signature(site, who):
    """Without `http.mlflow` nobody is believed there, whatever the token."""
    answer = await site.post("/v1/mlflow", data=b"{}", headers=bearer(who))
    assert 404 == answer.status


WATCHED = {
    "worker": lambda: Page(Pulse("profiler"), 60.0).application(BEYOND),
    "sinks": lambda: sinks.application(tuple, BEYOND),
}


@pytest.mark.parametrize("kind", WATCHED)
async def test_pages_of_workers(kind):
    """Signs of life are open, figures are for readers, and nothing is written."""
    app = WATCHED[kind]()
    assert LIFE | {("GET", "/metrics")} == routes(app)
    async with TestClient(TestServer(app)) as client:
        for path in ("/healthz", "/readyz"):
            assert (await client.get(path)).status in (200, 503)
        statuses = [(await client.get("/metrics", headers=bearer(who))).status for who in TOKENS]
        assert [200, 200, 401, 401] == statuses
