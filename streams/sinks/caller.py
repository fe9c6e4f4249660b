"""The caller: makes one HTTP call to one sink, within its limits.

Promises: no redirection is followed, no proxy of the environment used, no cookie kept; a call ends
within the sink's timeout; at most `ANSWER_BYTES` of an answer are read and at most `BODY_BYTES`
sent; why a call failed is said in words of ours, without address, body or answer.
Leaves to others: which addresses are allowed (`address`), what an answer means (`call`).
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Final, Self

import aiohttp

from schemas.config_sinks import Sink
from streams.sinks.address import ForbiddenAddressError, guarded_socket
from streams.sinks.call import Answer, Call

BODY_BYTES: Final = 256 * 1024
ANSWER_BYTES: Final = 64 * 1024
AGENT: Final = "windage-sinks"


class CallError(Exception):
    """No answer; the message says why in words that may be shown."""


class TooLargeError(CallError):
    """The body is larger than any service takes; another attempt would not change it."""


class Caller:
    """Makes the calls of one sink; `async with`."""

    def __init__(self, sink: Sink) -> None:
        self._timeout = aiohttp.ClientTimeout(total=sink.timeout / 1000)
        self._allow_private = sink.allow_private
        self._ca = sink.ca
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # A connection a call: they are rare, and each is judged anew.
        connector = aiohttp.TCPConnector(
            force_close=True,
            use_dns_cache=False,
            ssl=True if self._ca is None else ssl.create_default_context(cafile=self._ca),
            socket_factory=guarded_socket(allow_private=self._allow_private),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def make(self, call: Call) -> Answer:
        """The answer to a call; CallError if there is none."""
        assert self._session is not None
        if len(call.body) > BODY_BYTES:
            raise TooLargeError(f"is larger than {BODY_BYTES // 1024} KiB")
        headers = {"User-Agent": AGENT, "Content-Type": "application/json", **call.headers}
        try:
            async with self._session.request(
                call.method,
                call.url,
                data=call.body or None,
                headers=headers,
                allow_redirects=False,
            ) as response:
                body = await response.content.read(ANSWER_BYTES)
                return Answer(status=response.status, body=body, wait_s=_wait(response.headers))
        except TimeoutError:
            raise CallError(f"no answer within {self._timeout.total:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise CallError(_why(error)) from None

    async def touch(self, host: str, port: int, *, tls: bool) -> None:
        """Connect and say nothing; CallError if that is not possible."""
        make = guarded_socket(allow_private=self._allow_private)
        context = ssl.create_default_context(cafile=self._ca) if tls else None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout.total):
                found = await loop.getaddrinfo(host, port, type=1)
                with make(found[0]) as sock:
                    sock.setblocking(False)  # noqa: FBT003 - its only parameter
                    await loop.sock_connect(sock, found[0][4])
                    _, writer = await asyncio.open_connection(
                        sock=sock, ssl=context, server_hostname=host if tls else None
                    )
                    writer.close()
                    await writer.wait_closed()
        except TimeoutError:
            raise CallError(f"no answer within {self._timeout.total:g} s") from None
        except (OSError, ValueError) as error:
            raise CallError(_why(error)) from None


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds of Retry-After; its other form, a date, is passed over."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isdigit() else None


def _why(error: BaseException) -> str:
    """Why there was no answer, from the kind of the error alone: its text may hold the address."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ForbiddenAddressError):
            return "leads to a private address (allow_private would allow it)"
        cause = getattr(cause, "os_error", None) or cause.__cause__
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        return "its certificate is not trusted"
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return "TLS failed"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known"
    if isinstance(error, aiohttp.InvalidURL):
        return "its address is not one to connect to"
    if isinstance(error, aiohttp.ClientConnectorError | ConnectionRefusedError):
        return "cannot be connected to"
    return "broke the connection off"
