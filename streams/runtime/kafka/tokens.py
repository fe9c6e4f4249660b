"""Bearer tokens for OAUTHBEARER: fixed, of a file that somebody renews, or asked for at a URL.

Promises: a token is asked for again before it ends; neither tokens nor secrets are named in an
error; nobody is sent a secret by a redirect.
Leaves to others: when a connection needs one (the clients), that the URL is https (the config).
"""

import base64
import http.client
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from streams.runtime.kafka.exits import RefusedError, UnreachableError

TokenSource = Callable[[], str]
"""Gives a token that is good now; blocks."""

ANSWER_S: Final = 5.0
ANSWER_BYTES: Final = 64 * 1024
LIFE_S: Final = 300.0
"""How long a token is taken to live if its server does not say."""

USED_SHARE: Final = 0.8
"""The share of a token's life after which a new one is asked for."""


class _Answer(msgspec.Struct, frozen=True):
    """RFC 6749, section 5.1."""

    access_token: str
    expires_in: float = LIFE_S


def fixed(token: str) -> TokenSource:
    """A token that never changes."""
    return lambda: token


def of_file(path: str) -> TokenSource:
    """What the file holds whenever a token is needed; RefusedError if it cannot be read."""

    def read() -> str:
        try:
            token = Path(path).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise RefusedError(f"kafka.security.token_file: {path}: {reason}") from None
        if not token:
            raise RefusedError(f"kafka.security.token_file: {path} is empty")
        return token

    return read


class ClientCredentials:
    """Tokens by the client credentials grant (RFC 6749, section 4.4), kept while they are good."""

    def __init__(self, url: str, client_id: str, client_secret: str, scope: str | None) -> None:
        self._url = urlsplit(url)
        # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
        pair = f"{quote(client_id, safe='')}:{quote(client_secret, safe='')}"
        self._basic = base64.b64encode(pair.encode()).decode()
        form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        self._form = urlencode(form)
        self._guard = threading.Lock()
        self._token = ""
        self._until = 0.0

    def __call__(self) -> str:
        """A good token. RefusedError if the server says no, UnreachableError if it says nothing."""
        with self._guard:
            if time.monotonic() >= self._until:
                begun = time.monotonic()
                answer = self._ask()
                self._token = answer.access_token
                self._until = begun + USED_SHARE * answer.expires_in
            return self._token

    def _ask(self) -> _Answer:
        host = self._url.netloc
        secure = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=ANSWER_S)
        path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        headers = {
            "Authorization": f"Basic {self._basic}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        try:
            connection.request("POST", path, self._form, headers)
            response = connection.getresponse()
            body = response.read(ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(
                f"the token server {host} does not answer ({type(error).__name__})"
            ) from None
        finally:
            connection.close()
        if response.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise UnreachableError(f"the token server {host} answers {response.status}")
        if response.status != http.HTTPStatus.OK:
            raise RefusedError(
                f"the token server {host} gives no token ({response.status}): "
                "kafka.security.client_id, client_secret and scope must be as it knows them"
            )
        try:
            return msgspec.json.decode(body, type=_Answer)
        except msgspec.DecodeError:
            raise RefusedError(f"the token server {host} does not answer with a token") from None
