"""HTTP in hostile surroundings: the parts that `tests/web/test_access.py` does not have."""

import http.client
import ssl

import pytest

from schemas.config_links import Http, Tls
from streams.runtime.kafka.pulse import Pulse
from streams.web.worker import serve
from tests.kafka.secured import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Return an authority with certificates of a server and of a client."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def page(authority):
    """Return the address of a worker's page that asks for client certificates."""
    pem = str(authority.issue("server", "IP:127.0.0.1"))
    tls = Tls(certificate=pem, key=pem, client_ca=str(authority.ca))
    return f"127.0.0.1:{serve(Pulse('profiler'), Http(port=0, tls=tls), 60.0)}"


def ask(address, path, context=None):
    """Return the status of an answer; a context means TLS."""
    if context is None:
        connection = http.client.HTTPConnection(address, timeout=10)
    else:
        connection = http.client.HTTPSConnection(address, timeout=10, context=context)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_certificate_of_the_right_authority_is_let_in(authority, page):
    """The page of a worker speaks TLS as the config says, not plain HTTP beside it."""
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.load_cert_chain(str(authority.issue("prometheus", "DNS:prometheus")))
    assert 200 == ask(page, "/metrics", context)


def test_without_a_certificate_nothing_is_read(authority, page):
    """Not even health."""
    context = ssl.create_default_context(cafile=str(authority.ca))
    with pytest.raises(OSError, match=r"(?i)certificate|alert|reset|closed"):
        ask(page, "/healthz", context)


def test_plain_http_is_not_answered(page):
    """Tokens and figures do not travel in the clear by mistake."""
    with pytest.raises(OSError, match=r"(?i)reset|closed"):
        ask(page, "/healthz")


def test_an_expired_client_certificate_is_refused(authority, page):
    """What ran out does not open."""
    context = ssl.create_default_context(cafile=str(authority.ca))
    old = authority.issue("gone", "DNS:gone", until="20210101000000Z")
    context.load_cert_chain(str(old))
    with pytest.raises(OSError, match=r"(?i)certificate|alert|reset|closed"):
        ask(page, "/metrics", context)
