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

HELD = {name: name[0] * 32 for name in ("write", "read", "ingest", "operate")}
TOKENS = {**HELD, "wrong": "x" * 32, "nobody": None}
BEYOND = Access(loopback=False, **HELD)

LIFE = {("GET", path) for path in ("/healthz", "/readyz")}
OPEN = LIFE | {("GET", path) for path in (*PAGES, "/static")}
"""Everybody: whether we live, and pages without content."""

SIGNED = {("POST", "/v1/mlflow")}
"""Whoever signs; a token is neither needed nor enough."""

INGEST = {("POST", "/v1/events")}
OPERATE = {("POST", path) for path in ("/v1/model-events", "/v1/drill")}
READ = {("GET", "/metrics")} | {
    ("GET", f"/v1/{name}")
    for name in (
        *("models", "incidents", "incidents/{incident_id}", "readings", "stream", "session"),
        *("history", "heat", "marks", "shape", "pipeline"),
    )
}
ALL = OPEN | READ | INGEST | OPERATE
MAY = {
    "write": OPEN | READ | INGEST | OPERATE,
    "operate": OPEN | READ | OPERATE,
    "ingest": OPEN | INGEST,
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
    """What is open, signed, read, sent and decided is all there is."""
    found = routes(Site(runtime, {"m": "binary"}).application(BEYOND))
    rows = (OPEN, SIGNED, READ, INGEST, OPERATE)
    assert set().union(*rows) == found
    assert sum(map(len, rows)) == len(found)


@pytest.mark.parametrize("who", TOKENS)
async def test_the_table_of_roles(site, who):
    """403 for everything that a token is not for, 401 for strangers, and for nothing else."""
    refused, no = set(), 403 if who in HELD else 401
    for method, path in ALL:
        place = path.replace("{incident_id}", "i").replace("/static", "/static/main.js")
        async with asyncio.timeout(20):
            answer = await site.request(method, place, data=b"{" * 2, headers=bearer(who))
        status = answer.status
        answer.close()  # a stream would go on
        assert status < 500, path
        assert status not in (401, 403) or status == no, path
        if status == no:
            refused.add((method, path))
    assert ALL == MAY[who] | refused
    assert not MAY[who] & refused


VERDICT = (
    b'{"model":"m","type":"verdict","id":"v","timestamp":1,"incident_id":"i","verdict":"expected"}'
)
SENT = b'{"model":"m","prediction_id":"p","timestamp":1,"prediction":1}'


@pytest.mark.parametrize(
    "body",
    [
        VERDICT,
        b"[%s,%s]" % (SENT, VERDICT),
        b"%s\n%s" % (SENT, VERDICT),
        b'{"specversion":"1.0","id":"e","source":"s","type":"windage.model-event.v1","data":%s}'
        % VERDICT,
    ],
    ids=["alone", "among others", "in a line", "in an envelope"],
)
async def test_no_decision_comes_among_events(site, runtime, body):
    """A token for sending says nothing of a model, and what came with it is not taken either."""
    answer = await site.post("/v1/events", data=body, headers=bearer("ingest"))
    assert 403 == answer.status
    assert "operate" in (await answer.json())["error"]["message"]
    assert [0, 0] == [runtime.log.end(log) for log in ("predictions", "model-events")]
    assert 202 == (await site.post("/v1/events", data=SENT, headers=bearer("ingest"))).status


async def test_who_lacks_a_right_is_told_which(site):
    """The message names what is needed and what the token has."""
    for who, path, message in (
        ("read", "/v1/events", "this needs the right ingest; the token has read"),
        ("ingest", "/v1/drill", "this needs the right operate; the token has ingest"),
        ("operate", "/v1/events", "this needs the right ingest; the token has read, operate"),
    ):
        answer = await site.post(path, data=SENT, headers=bearer(who))
        assert {"code": "right", "message": message} == (await answer.json())["error"]


@pytest.mark.parametrize("who", TOKENS)
async def test_a_page_offers_forms_to_who_may_send_them(site, who):
    """`may_write` is true for who may decide."""
    answer = await site.get("/v1/session", headers=bearer(who))
    said = await answer.json()
    assert who in ("write", "operate") if said.get("may_write") else who not in ("write", "operate")


@pytest.mark.parametrize("who", TOKENS)
async def test_other_methods_are_no_way_round(site, who):
    """No method beside those of the table does anything: 405 for who may decide, else a refusal."""
    expected = {"write": 405, "operate": 405, "read": 403, "ingest": 403}.get(who, 401)
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
        for path in ("/v1/events", "/v1/models", "/v1/incidents/i", "/metrics"):
            answer = await site.request(method, path, headers=bearer(who))
            of_events = {"ingest": 405, "operate": 403} if path == "/v1/events" else {}
            own = of_events.get(who, expected)
            assert own == answer.status, (method, path)


@pytest.mark.parametrize(
    "path",
    ["/v1//events", "/v1/events/", "/V1/events", "/v1/%65vents", "/healthz/v1/events", "/nothing"],
)
async def test_other_spellings_are_no_way_round(site, path):
    """A path that looks like one of ours is not open, whether it is one or not."""
    place = URL(path, encoded=True)
    spelt = 202 if path == "/v1/%65vents" else 403  # the same path, in other letters
    for who, no in (("nobody", 401), ("wrong", 401), ("read", 403), ("ingest", spelt)):
        assert no == (await site.post(place, data=b"{}", headers=bearer(who))).status, who


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
        assert dict(zip(TOKENS, statuses, strict=True)) == {
            **dict.fromkeys(("write", "read", "operate"), 200),
            "ingest": 403,
            **dict.fromkeys(("wrong", "nobody"), 401),
        }
