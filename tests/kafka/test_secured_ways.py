"""Every other way to prove who we are; each is let in and then meets the first missing ACL.

The first words are aiokafka's, the question is kafka-python's: so both were let in. That a worker
does its work as Faust, too, is tested with SCRAM in `test_secured`.
"""

import base64
import gc
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from streams.runtime.kafka.connection import Connection
from streams.runtime.kafka.exits import RefusedError
from streams.runtime.kafka.survey import survey
from streams.runtime.kafka.tokens import ClientCredentials, fixed, of_file
from tests.kafka.secured import PASSWORD, WAYS

# A connection that a broker ends in the middle of TLS leaves its socket to the collector, in both
# clients; it is collected here, so that no other test is blamed.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collected():
    yield
    gc.collect()


def token(subject, seconds=300.0):
    """Return an unsigned token, as a broker without a token server takes them."""
    now = time.time()
    parts = ({"alg": "none"}, {"sub": subject, "iat": now, "exp": now + seconds})
    texts = [base64.urlsafe_b64encode(json.dumps(one).encode()).decode() for one in parts]
    return ".".join([text.rstrip("=") for text in texts] + [""])


def connection(secured, way, **more):
    """Return a connection for one way in."""
    ca = None if way == "clear" else str(secured.authority.ca)
    return Connection(bootstrap=secured.address[way], protocol=WAYS[way], ca_file=ca, **more)


@contextmanager
def token_server(answer, status=200):
    """Serve an answer, or what a function gives, to whoever asks; gives URL and questions."""
    asked = []

    class Tokens(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.append((self.headers["Authorization"], body))
            self.send_response(status)
            self.end_headers()
            given = answer() if callable(answer) else answer
            self.wfile.write(json.dumps(given).encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Tokens)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def is_let_in(one, who):
    with pytest.raises(RefusedError) as told:
        survey(one, ["anything"])
    assert f"{who} may not Describe topic anything" in str(told.value)


def test_plain_within_tls(secured):
    given = {"username": "nobody", "password": PASSWORD}
    is_let_in(connection(secured, "secured", mechanism="PLAIN", **given), "User:nobody")


def test_scram_in_the_clear_on_this_machine(secured):
    given = {"username": "nobody", "password": PASSWORD}
    is_let_in(connection(secured, "clear", mechanism="SCRAM-SHA-512", **given), "User:nobody")


def test_a_client_certificate(secured):
    pem = str(secured.client)
    is_let_in(connection(secured, "mutual", certificate_file=pem), f"the subject of {pem}")


def test_a_stale_client_certificate(secured):
    stale = connection(secured, "mutual", certificate_file=str(secured.stale))
    with pytest.raises(RefusedError, match="does not accept our certificate"):
        survey(stale, ["anything"])


def test_a_token(secured):
    one = connection(secured, "secured", mechanism="OAUTHBEARER", token=fixed(token("svc")))
    is_let_in(one, "the subject of our token")


def test_a_token_file_is_read_at_every_connection(secured, tmp_path):
    """So somebody else may write and renew it."""
    path = tmp_path / "token"
    one = connection(secured, "secured", mechanism="OAUTHBEARER", token=of_file(str(path)))
    with pytest.raises(RefusedError, match="token_file"):
        survey(one, ["anything"])
    path.write_text(token("svc") + "\n")
    is_let_in(one, "the subject of our token")


def test_a_token_of_a_server(secured):
    """Asked for once while it is good, with the credentials where RFC 6749 wants them."""
    answer = {"access_token": token("svc"), "expires_in": 300, "token_type": "Bearer"}
    with token_server(answer) as (url, asked):
        source = ClientCredentials(url, "me", "t0p:s3cret", "kafka")
        one = connection(secured, "secured", mechanism="OAUTHBEARER", token=source)
        is_let_in(one, "the subject of our token")
    assert ["grant_type=client_credentials&scope=kafka"] == [body for _, body in asked]
    basic = base64.b64decode(asked[0][0].removeprefix("Basic ")).decode()
    assert "me:t0p%3As3cret" == basic


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [({}, 401, "gives no token"), ({"x": 1}, 200, "does not answer with a token")],
)
def test_a_token_server_that_gives_none(answer, status, words):
    """One line without the secret."""
    with token_server(answer, status) as (url, _), pytest.raises(RefusedError, match=words) as told:
        ClientCredentials(url, "me", "t0p-s3cret", None)()
    assert "t0p" not in str(told.value)
