"""Access: who is let in, and what browsers are told."""

import re
from pathlib import Path

import pytest

from streams.web import server
from streams.web.access import Access

BODY = b'{"prediction":1}'
BEYOND = Access(loopback=False, write="w" * 32, read="r" * 32)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("headers", "reading", "writing"),
    [
        ({}, 401, 401),
        (bearer("w" * 32), 200, 202),
        (bearer("r" * 32), 200, 403),
        (bearer("w" * 31), 401, 401),
        (bearer(""), 401, 401),
        ({"Authorization": "Basic " + "w" * 32}, 401, 401),
        ({"Authorization": "bearer  " + "w" * 32}, 200, 202),
        (bearer("ü"), 401, 401),
    ],
)
async def test_tokens(connect, headers, reading, writing):
    """The write token may do all, the read token read, anything else nothing."""
    client = await connect(BEYOND)
    assert reading == (await client.get("/v1/models", headers=headers)).status
    assert writing == (await client.post("/v1/events", data=BODY, headers=headers)).status


@pytest.mark.parametrize("path", [
        "/v1/readings", "/v1/incidents", "/v1/stream", "/v1/history", "/v1/heat", "/v1/marks",
        "/v1/shape", "/v1/pipeline", "/v1/session", "/v1/incidents/i", "/metrics",
    ],
)  # fmt: skip
async def test_nothing_else_is_open(connect, path):
    """Every path that says something asks for the token."""
    client = await connect(BEYOND)
    assert 401 == (await client.get(path)).status


@pytest.mark.parametrize(
    "path",
    [
        "/", "/science", "/business", "/incident", "/healthz", "/readyz", "/static/main.js",
        "/static/style.css", "/static/vendor/uPlot.js",
    ],
)  # fmt: skip
async def test_what_is_open(connect, path):
    """The empty page and the signs of life."""
    client = await connect(BEYOND)
    assert 200 == (await client.get(path)).status


async def test_a_read_token_alone_does_not_open_writing(connect):
    """Without a write token nobody writes."""
    client = await connect(Access(loopback=False, read="r"))
    assert 403 == (await client.post("/v1/events", data=BODY, headers=bearer("r"))).status


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", 200), ("localhost:8080", 200), ("127.0.0.1:1", 200), ("[::1]:8080", 200),
        ("[::1]", 200), ("evil.example", 403), ("127.0.0.1.evil.example:80", 403),
    ],
)  # fmt: skip
async def test_names_that_are_not_this_machine(client, host, expected):
    """A page whose name was pointed at this machine cannot read through the browser."""
    assert expected == (await client.get("/v1/models", headers={"Host": host})).status


async def test_pages_of_other_sites_cannot_write(client):
    """A form or script of another origin is refused; the own page is not."""
    own = f"http://{client.host}:{client.port}"
    statuses = [
        (await client.post("/v1/events", data=BODY, headers={"Origin": origin})).status
        for origin in ("https://evil.example", "null", "http://localhost:1", own)
    ]
    assert [403, 403, 403, 202] == statuses


async def test_a_client_too_fast_is_slowed(connect):
    """So many requests a second, then 429."""
    client = await connect(Access(rate=5))
    statuses = [(await client.get("/healthz")).status for _ in range(8)]
    assert [200] * 5 == statuses[:5]
    assert 429 == statuses[-1]


@pytest.mark.parametrize("path", ["/", "/v1/models", "/static/main.js", "/nothing"])
async def test_browsers_are_kept_honest(client, path):
    """Every answer carries the policy, errors too."""
    headers = (await client.get(path)).headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "nosniff" == headers["X-Content-Type-Options"]


async def test_the_page_loads_nothing_from_elsewhere(client):
    """No address of another host, no inline script or style."""
    static = Path(server.__file__).parent / "static"
    own = [f"/static/{one.name}" for one in static.iterdir() if one.suffix in (".js", ".css")]
    assert 10 < len(own)
    for path in ("/", *own):
        text = await (await client.get(path)).text()
        assert [] == re.findall(r"[\"'(]\s*(?:https?:)?//\w", text), path
    page = await (await client.get("/")).text()
    assert "<style" not in page
    assert " style=" not in page
    assert page.count("<script") == page.count(' src="/static/') == 2


async def test_all_of_the_page_is_light(client):
    """Everything that is served for it weighs less than 250 KB."""
    static = Path(server.__file__).parent / "static"
    weights = [one.stat().st_size for one in static.rglob("*") if one.is_file()]
    assert 50_000 < sum(weights) < 250_000


async def test_errors_are_json(client):
    """Also those of the router, which say what would be allowed."""
    response = await client.delete("/v1/events")
    assert (405, "POST") == (response.status, response.headers["Allow"])
    assert "http" == (await response.json())["error"]["code"]


async def test_no_way_out_of_the_pages(client):
    """Only the pages are served."""
    for path in ("/static/../server.py", "/static/%2e%2e/server.py", "/static/"):
        assert (await client.get(path)).status in (403, 404), path
