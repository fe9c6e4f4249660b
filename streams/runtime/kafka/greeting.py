"""The first words with a broker: address, certificate and password, each with its own complaint.

The clients try again when a certificate has run out or a password is wrong, and in the end say
that nobody answers. So one connection is made and closed before any of them is.

Promises: one broker has answered us as a client, or one line says why none does: what an operator
must mend is a RefusedError, what may pass an UnreachableError; within seconds; no secret is named.
Leaves to others: everything that is said afterwards.
"""

import asyncio
import ssl
import threading
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from streams.runtime.kafka.connection import Connection
from streams.runtime.kafka.exits import RefusedError, UnreachableError

KNOCK_S: Final = 2.0
"""How long an address may take to accept a connection."""

ANSWER_S: Final = 8.0
"""How long brokers together may take to say who they are and to believe who we are."""

_CLOSE_S: Final = 0.3
"""How long the end of a connection is waited for."""

_REASON: Final = 200
"""Characters of a broker's own words that are passed on."""


def greet(connection: Connection) -> None:
    """Return if one of the brokers takes us; RefusedError or UnreachableError says why none does.

    May be called inside an event loop: it makes one of its own, in a thread.
    """
    connection.check()
    failures: list[Exception] = []

    def run() -> None:
        try:
            asyncio.run(_greet(connection))
        except Exception as error:  # noqa: BLE001 - carried over to the caller's thread
            failures.append(error)

    thread = threading.Thread(target=run, name="windage-greeting")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


async def _greet(connection: Connection) -> None:
    """Try every address in turn; what must be mended is worth more than what is merely away."""
    problems: list[str] = []
    options = connection.aiokafka()
    servers = options.pop("bootstrap_servers")
    for server in servers:
        host, _, port = server.rpartition(":")
        host = host.strip("[]")
        try:
            await _knock(host, int(port))
            async with asyncio.timeout(ANSWER_S / len(servers)):
                await _introduce(host, int(port), options)
        except (TimeoutError, OSError, KafkaError) as error:
            # What ends a connection later than its handshake is only the cause of what is raised.
            refused = _refusal(error.__cause__ or error, server, connection)
            if refused is not None:
                raise refused from None
            problems.append(_problem(error, connection))
        else:
            return
    reasons = "; ".join(dict.fromkeys(problems))
    raise UnreachableError(f"Kafka does not answer at {connection.bootstrap} ({reasons})")


async def _knock(host: str, port: int) -> None:
    """OSError or TimeoutError unless somebody takes a connection at all."""
    async with asyncio.timeout(KNOCK_S):
        _, writer = await asyncio.open_connection(host, port)
    writer.close()
    await writer.wait_closed()


async def _introduce(host: str, port: int, options: dict[str, Any]) -> None:
    """Speak TLS, ask for the versions, log in, and ask something that strangers are not told."""
    one = AIOKafkaConnection(host, port, client_id="windage", **options)
    try:
        await one.connect()
        await one.send(MetadataRequest([]))
    finally:
        closed = one.close()
        if closed is not None:
            # Not done by itself where the connection was never made.
            await asyncio.wait([closed], timeout=_CLOSE_S)


def _refusal(error: BaseException, server: str, connection: Connection) -> RefusedError | None:
    """What an operator must mend; None for what may pass by itself."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return RefusedError(
            f"the certificate of {server} is not accepted: {error.verify_message.rstrip('.')}"
        )
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "").replace("_", " ").lower()
        if "alert" in reason:
            ours = "our certificate" if connection.certificate_file else "us without a certificate"
            return RefusedError(f"{server} does not accept {ours}: {reason}")
        return RefusedError(
            f"{server} does not speak TLS as kafka.security.protocol {connection.protocol} "
            f"needs it: {reason}"
        )
    if isinstance(error, SaslAuthenticationFailed | AuthenticationFailedError):
        why = str(error.args[0] if error.args else "").partition("\n")[0][:_REASON]
        return RefusedError(
            f"{server} does not accept {connection.principal} with {connection.mechanism}: "
            f"{why or 'authentication failed'}"
        )
    if isinstance(error, UnsupportedSaslMechanismError):
        return RefusedError(f"{server} does not offer the mechanism {connection.mechanism}")
    return None


def _problem(error: BaseException, connection: Connection) -> str:
    """Why nobody answers, in few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, KafkaError | ConnectionError | TimeoutError):
        return (
            f"it takes connections, but does not answer to {connection.protocol}: is that the "
            "protocol of this port?"
        )
    return str(error) or type(error).__name__
