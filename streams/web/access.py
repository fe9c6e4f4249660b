"""Who may do what: tokens, hosts, rates, and headers that keep browsers honest.

Three rights: to read what was said, to send events (`ingest`), to decide about models (`operate`:
verdicts, silences, resets, drills, events of models). A token has one, an operator's may read too.

Promises: beyond loopback nothing is read or written without a token (or a client certificate); a
token does what its right says and nothing else, and who lacks one is told which; on loopback a web
page of another site can neither read nor write; a browser that says something of a model has read
it from us that it may; tokens are compared in constant time.
Leaves to others: whether a config may listen where it wants to (`schemas.config_links`).
"""

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Literal

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from schemas.config_links import Http, is_loopback

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PAGES: Final = frozenset({"/", "/science", "/business", "/incident"})
OPEN: Final = PAGES | {"/healthz", "/readyz"}
"""Paths that say nothing about anyone: the empty page, and whether we live."""

SIGNED: Final = frozenset({"/v1/mlflow"})
"""Paths whose callers prove themselves by a signature of their own."""

_STATIC: Final = "/static/"
_SAYING: Final = "/v1/model-events"
_READING: Final = frozenset({"GET", "HEAD"})
WORD: Final = "X-Windage-Word"
_CLIENTS: Final = 10_000
"""Clients whose rate is remembered; the one not seen for longest is forgotten first."""

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


Right = Literal["read", "ingest", "operate"]
RIGHTS: Final[tuple[Right, ...]] = ("read", "ingest", "operate")
NEEDS: Final[dict[str, Right]] = {"/v1/events": "ingest"}
"""What it takes to write there; to decide elsewhere. Events about models are decisions."""

_HELD: Final = web.RequestKey("rights", frozenset[Right])


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens; None where none is asked for. `rate`: requests a second and client.

    `write` is a token with every right.
    """

    loopback: bool = True
    write: str | None = None
    read: str | None = None
    ingest: str | None = None
    operate: str | None = None
    rate: int = 1000

    @classmethod
    def of(cls, http: Http) -> "Access":
        """What the config says."""
        return cls(
            loopback=is_loopback(http.host),
            write=http.write_token.get_secret_value() if http.write_token else None,
            read=http.read_token.get_secret_value() if http.read_token else None,
            ingest=http.ingest_token.get_secret_value() if http.ingest_token else None,
            operate=http.operate_token.get_secret_value() if http.operate_token else None,
            rate=http.rate,
        )

    def rights(self, authorization: str) -> frozenset[Right]:
        """What the bearer of this header may do; nothing where it is nobody's token."""
        tokens: tuple[tuple[str | None, frozenset[Right]], ...] = (
            (self.write, frozenset(RIGHTS)),
            (self.operate, frozenset({"operate", "read"})),
            (self.ingest, frozenset({"ingest"})),
            (self.read, frozenset({"read"})),
        )
        if not any(token for token, _ in tokens):
            return frozenset(RIGHTS)  # loopback, or TLS has asked for a client certificate
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return frozenset()
        given = token.strip().encode()
        # Every token is compared, so that the time taken does not tell which one was near.
        matches = [(hmac.compare_digest(given, own.encode()), held) for own, held in tokens if own]
        return frozenset().union(*(held for same, held in matches if same))


def holds(request: web.Request, right: Right) -> bool:
    """Whether who sent a request that was let in has this right."""
    return right in request[_HELD]


def lacking(right: Right, held: frozenset[Right]) -> web.Response:
    """The answer to a known token that has not the right."""
    has = ", ".join(one for one in RIGHTS if one in held)
    return problem(403, "right", f"this needs the right {right}; the token has {has}")


class _Bucket:
    """Requests a client has left; they come back at `rate` a second."""

    __slots__ = ("left", "seen")

    def __init__(self, left: float, seen: float) -> None:
        self.left = left
        self.seen = seen

    def take(self, rate: int, now: float) -> bool:
        self.left = min(float(rate), self.left + (now - self.seen) * rate)
        self.seen = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Session:
    """The word by which a page of ours proves itself; another one in each process."""

    def __init__(self) -> None:
        self.word = secrets.token_urlsafe(18)

    def refusal(self, request: web.Request) -> web.Response | None:
        """Why a browser may not say something of a model; programs send no origin."""
        if request.path != _SAYING or request.method in _READING:
            return None
        browser = "Origin" in request.headers or "Sec-Fetch-Site" in request.headers
        given = request.headers.get(WORD, "")
        if not browser or hmac.compare_digest(given.encode(), self.word.encode()):
            return None
        return problem(403, "word", f"pages send what /v1/session gave them as {WORD}")


def guard(access: Access, session: Session | None = None) -> Middleware:
    """The middleware that turns away whom it must."""
    buckets: OrderedDict[str, _Bucket] = OrderedDict()

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[_HELD] = access.rights(request.headers.get("Authorization", ""))
        refusal = _foreign(request, access) or _too_fast(request, buckets, access.rate)
        opened = request.path in OPEN | SIGNED or request.path.startswith(_STATIC)
        if refusal is None and not opened:
            refusal = _unentitled(request)
        if refusal is None and session is not None:
            refusal = session.refusal(request)
        try:
            response = refusal or await handler(request)
        except web.HTTPException as error:  # no such path, or not with this method
            allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            response = problem(error.status, "http", error.reason, **allow)
        if not response.prepared:
            response.headers.update(SECURITY_HEADERS)
        return response

    return guarded


def problem(status: int, code: str, message: str, **headers: str) -> web.Response:
    """An answer that says no, in one form everywhere."""
    body = {"error": {"code": code, "message": message}}
    return web.json_response(body, status=status, headers=headers)


def _foreign(request: web.Request, access: Access) -> web.Response | None:
    """Refuse what a page of another site sent through the user's browser.

    On loopback there is no token, so the browser is the only stranger: a name that resolves to
    this machine (DNS rebinding), or a form of another origin.
    """
    host = request.host.rpartition(":")[0] if _has_port(request.host) else request.host
    if access.loopback and not is_loopback(host):
        return problem(403, "host", "this address answers to localhost only")
    origin = request.headers.get("Origin")
    if origin is not None and request.method not in _READING:
        there = origin.partition("://")[2]
        if there != request.host:
            return problem(403, "origin", "pages of other sites may not write here")
    return None


def _has_port(host: str) -> bool:
    return ":" in host.rpartition("]")[2]


def _too_fast(
    request: web.Request, buckets: OrderedDict[str, _Bucket], rate: int
) -> web.Response | None:
    now = time.monotonic()
    client = request.remote or ""
    bucket = buckets.setdefault(client, _Bucket(float(rate), now))
    buckets.move_to_end(client)
    if len(buckets) > _CLIENTS:
        buckets.popitem(last=False)
    if bucket.take(rate, now):
        return None
    return problem(429, "rate", "too many requests", **{"Retry-After": "1"})


def _unentitled(request: web.Request) -> web.Response | None:
    """Refuse strangers (401), and whose token is for something else (403)."""
    held: frozenset[Right] = request[_HELD]
    if not held:
        return problem(401, "token", "a bearer token is needed", **{"WWW-Authenticate": "Bearer"})
    needed = "read" if request.method in _READING else NEEDS.get(request.path, "operate")
    return None if needed in held else lacking(needed, held)
