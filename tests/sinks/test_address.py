"""No sink is spoken to at an address of our own network, whatever it is called."""

import ipaddress
import shutil
import socket
import ssl
import subprocess

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from schemas.config_sinks import Sink
from streams.sinks import caller as callers
from streams.sinks.address import ForbiddenAddressError, guarded_socket, is_public
from streams.sinks.call import Call, judge
from streams.sinks.caller import ANSWER_BYTES, BODY_BYTES, Caller, CallError

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "0.0.0.0",  # noqa: S104 - to see it refused
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "::1",
    "::",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "fe80::1",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
]
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "64:ff9b::101:101"]


@pytest.mark.parametrize("text", PRIVATE)
def test_an_address_of_our_own_is_not_public(text):
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_an_address_of_the_internet_is_public(text):
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "2130706433", "0x7f000001", "127.1", "localhost", "fe80::1%lo", ""]
)
def test_no_socket_is_made_for_what_is_no_public_address(text):
    """Neither for numbers and names, which the system would turn into an address itself."""
    make = guarded_socket(allow_private=False)
    with pytest.raises(ForbiddenAddressError):
        make((socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, 80)))


def unchecked(url, **fields):
    """A sink whose address was not looked at when the config was loaded, as that of a name."""
    return Sink.model_construct(url=url, ca=None, allow_private=False, timeout=2_000, **fields)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::ffff:127.0.0.1]",
    ],
)
async def test_nothing_of_this_machine_is_reached(service, host):
    """A service that is there, asked for in every spelling of this machine, gets no request."""
    async with Caller(unchecked(f"http://{host}")) as caller:
        with pytest.raises(CallError):
            await caller.make(Call(url=f"http://{host}:{service.server.port}/x", body=b"{}"))
    assert [] == service.got


async def test_the_metadata_address_is_not_connected_to():
    """Refused before anything is sent, not by a timeout."""
    async with Caller(unchecked("http://169.254.169.254")) as caller:
        with pytest.raises(CallError, match="private address"):
            await caller.make(Call(url="http://169.254.169.254/latest/meta-data", body=b""))
        with pytest.raises(CallError, match="private address"):
            await caller.touch("169.254.169.254", 80, tls=False)


def answering(monkeypatch, *answers):
    """Let every name resolve to the next of `answers`, the last one again; gives who asked."""
    asked = []
    places = list(answers)

    async def resolve(_self, host, port=0, family=socket.AF_INET):
        asked.append(host)
        place = places.pop(0) if len(places) > 1 else places[0]
        return [
            {
                "hostname": host,
                "host": place,
                "port": port,
                "family": socket.AF_INET,
                "proto": 6,
                "flags": socket.AI_NUMERICHOST,
            }
        ]

    monkeypatch.setattr("aiohttp.resolver.ThreadedResolver.resolve", resolve)
    return asked


async def test_a_name_that_leads_to_this_machine_is_not_followed(service, monkeypatch):
    asked = answering(monkeypatch, "127.0.0.1")
    async with Caller(unchecked("http://hooks.example")) as caller:
        with pytest.raises(CallError, match="private address"):
            await caller.make(Call(url=f"http://hooks.example:{service.server.port}/", body=b"{}"))
    assert (["hooks.example"], []) == (asked, service.got)


async def test_a_name_is_resolved_once_for_a_call(service, monkeypatch):
    """A name that is public when it is looked at cannot be private when it is connected to."""
    asked, made = answering(monkeypatch, "203.0.113.9", "127.0.0.1"), []

    def refusing(*, allow_private):
        def make(info):
            made.append(info[4][0])
            raise ConnectionRefusedError

        return make

    monkeypatch.setattr(callers, "guarded_socket", refusing)
    async with Caller(unchecked("http://hooks.example")) as caller:
        with pytest.raises(CallError, match="cannot be connected to"):
            await caller.make(Call(url="http://hooks.example/", body=b"{}"))
    assert (["hooks.example"], ["203.0.113.9"]) == (asked, made)
    assert [] == service.got


async def test_a_redirection_is_not_followed(service):
    """Least of all one to where we must not go; and it is not tried again."""
    service.script.append(f"http://127.0.0.1:{service.server.port}/elsewhere")
    one = Sink(url=service.url, allow_private=True)
    call = Call(url=service.url, body=b"{}")
    async with Caller(one) as caller:
        verdict = judge(call, await caller.make(call))
    assert ("refused", 1) == (verdict.outcome, len(service.got))
    assert "redirections" in verdict.reason


async def test_a_proxy_of_the_environment_is_not_used(service, monkeypatch):
    """It would connect on our behalf to what we may not."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with Caller(Sink(url=service.url, allow_private=True)) as caller:
        assert 200 == (await caller.make(Call(url=service.url, body=b"{}"))).status


async def test_an_answer_is_read_up_to_a_limit_and_a_body_has_one(service):
    service.answer = b"x" * (ANSWER_BYTES * 3)
    async with Caller(Sink(url=service.url, allow_private=True)) as caller:
        answer = await caller.make(Call(url=service.url, body=b"{}"))
        assert 0 < len(answer.body) <= ANSWER_BYTES
        with pytest.raises(CallError, match="larger than"):
            await caller.make(Call(url=service.url, body=b"x" * (BODY_BYTES + 1)))


async def test_a_service_that_hangs_is_given_up(service):
    service.script.append("hang")
    one = Sink(url=service.url, allow_private=True, timeout="200ms")
    async with Caller(one) as caller:
        with pytest.raises(CallError, match="no answer within"):
            await caller.make(Call(url=service.url, body=b"{}"))


async def test_a_failure_says_neither_path_nor_host(monkeypatch):
    """The path of a webhook is often its password."""
    answering(monkeypatch, "10.0.0.1")
    async with Caller(unchecked("http://hooks.example")) as caller:
        with pytest.raises(CallError) as caught:
            await caller.make(Call(url="http://hooks.example/geheim", body=b"{}"))
    assert not [word for word in ("geheim", "hooks.example", "10.0.0.1") if word in str(caught)]


@pytest.fixture
def certificate(tmp_path):
    """A certificate for localhost that nobody knows, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make a certificate")
    wanted = "-x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem -out ca.pem"
    name = "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
    made = subprocess.run(
        ["openssl", "req", *wanted.split(), *name.split()],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert 0 == made.returncode, made.stderr
    return tmp_path / "ca.pem", tmp_path / "key.pem"


@pytest.fixture
async def private(certificate):
    """The address of a service with that certificate, and the file that makes it known."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    async def take(_):
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    server = TestServer(app, scheme="https", host="localhost")
    await server.start_server(ssl=context)
    yield f"https://localhost:{server.port}/", certificate[0]
    await server.close()


async def test_a_certificate_is_checked_and_may_be_of_the_operators_own(private):
    """Without `ca` it is not trusted, neither by a call nor by a try; with it both work."""
    url, ca = private
    call, port = Call(url=url, body=b"{}"), int(url.rstrip("/").rpartition(":")[2])
    async with Caller(Sink(url=url, allow_private=True, ca=str(ca))) as caller:
        assert 200 == (await caller.make(call)).status
        await caller.touch("localhost", port, tls=True)
    async with Caller(Sink(url=url, allow_private=True)) as caller:
        with pytest.raises(CallError, match="not trusted"):
            await caller.make(call)
        with pytest.raises(CallError, match="not trusted"):
            await caller.touch("localhost", port, tls=True)
