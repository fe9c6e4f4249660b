"""Who to connect to and how to prove who we are: one description for three Kafka clients.

Promises: aiokafka, kafka-python and Faust are given the same security; plaintext beyond loopback
is refused unless it is allowed in so many words; nothing here prints a secret.
Leaves to others: reading the settings (`schemas/config.py`), connecting.
"""

import asyncio
import ipaddress
import ssl
from typing import Any, Final

import msgspec
from aiokafka.abc import AbstractTokenProvider
from pydantic import SecretStr

from schemas.config_links import Kafka, Security
from streams.runtime.kafka.exits import RefusedError
from streams.runtime.kafka.tokens import ClientCredentials, TokenSource, fixed, of_file

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses and credentials. Files are paths to PEM; `token` gives a bearer token."""

    bootstrap: str
    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    username: str | None = None
    password: str | None = None
    token: TokenSource | None = None
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    key_password: str | None = None
    check_hostname: bool = True
    allow_insecure: bool = False

    def __repr__(self) -> str:
        """Name the broker and the way, never a secret."""
        return f"Connection({self.bootstrap}, {self.protocol}, {self.mechanism or 'no SASL'})"

    @property
    def principal(self) -> str:
        """Who the broker takes us for, as far as we can know."""
        if self.username is not None and self.mechanism is not None:
            return f"User:{self.username}"
        if self.mechanism == "OAUTHBEARER":
            return "the subject of our token"
        if self.certificate_file is not None:
            return f"the subject of {self.certificate_file}"
        return "User:ANONYMOUS"

    def check(self) -> None:
        """RefusedError if this is not a connection we are willing or able to make."""
        if self.protocol not in PROTOCOLS:
            raise RefusedError(f"kafka.security: protocol must be one of {', '.join(PROTOCOLS)}")
        if self.protocol.startswith("SASL") != (self.mechanism is not None):
            raise RefusedError(
                "kafka.security: SASL_PLAINTEXT and SASL_SSL need a mechanism, the others none"
            )
        if self.mechanism is not None and self.mechanism not in MECHANISMS:
            raise RefusedError(f"kafka.security: mechanism must be one of {', '.join(MECHANISMS)}")
        if self.mechanism == "OAUTHBEARER" and self.token is None:
            raise RefusedError("kafka.security: OAUTHBEARER needs a token")
        if self.mechanism not in (None, "OAUTHBEARER") and None in (self.username, self.password):
            raise RefusedError(f"kafka.security: {self.mechanism} needs a username and a password")
        if self.protocol.endswith("PLAINTEXT") and not self.allow_insecure:
            far = [s for s in self.bootstrap.split(",") if not is_loopback(s)]
            if far:
                raise RefusedError(
                    f"kafka: plaintext to {', '.join(far)} is beyond this machine; use SSL or "
                    "SASL_SSL, or set kafka.allow_insecure: true"
                )

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return the TLS context, None for plaintext. RefusedError if a file cannot be used."""
        if self.protocol.endswith("PLAINTEXT"):
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:  # SSLError is one, too
            raise RefusedError(f"kafka.security.ca: {self.ca_file}: {_reason(error)}") from None
        context.check_hostname = self.check_hostname
        if self.certificate_file is not None:
            # An encrypted key without a password would ask for it at the terminal.
            password = self.key_password or ""
            try:
                context.load_cert_chain(self.certificate_file, self.key_file, password)
            except OSError as error:
                files = f"{self.certificate_file}, {self.key_file or 'the same file'}"
                raise RefusedError(
                    f"kafka.security.certificate, key: {files}: {_reason(error)}"
                ) from None
        return context

    def aiokafka(self) -> dict[str, Any]:
        """Return the keyword arguments of aiokafka's clients."""
        return self._common(None if self.token is None else _AsyncToken(self.token))

    def kafka_python(self) -> dict[str, Any]:
        """Return the keyword arguments of kafka-python's clients."""
        return self._common(None if self.token is None else _blocking_token(self.token))

    def oauth_callback(self) -> AbstractTokenProvider:
        """Return what Faust asks for a token."""
        return _AsyncToken(self.token or fixed(""))

    def _common(self, provider: object) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap.split(","),
            "security_protocol": self.protocol,
            "ssl_context": self.ssl_context(),
        }
        if self.mechanism == "OAUTHBEARER":
            arguments |= {"sasl_mechanism": self.mechanism, "sasl_oauth_token_provider": provider}
        elif self.mechanism is not None:
            arguments |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return arguments


def connection_of(kafka: Kafka) -> Connection:
    """Return the connection that a config describes."""
    security = kafka.security

    def revealed(secret: SecretStr | None) -> str | None:
        return None if secret is None else secret.get_secret_value()

    return Connection(
        bootstrap=kafka.bootstrap,
        protocol=security.protocol,
        mechanism=security.mechanism if security.protocol.startswith("SASL") else None,
        username=revealed(security.username),
        password=revealed(security.password),
        token=_token_of(security),
        ca_file=security.ca,
        certificate_file=security.certificate,
        key_file=security.key,
        key_password=revealed(security.key_password),
        check_hostname=security.check_hostname,
        allow_insecure=kafka.allow_insecure,
    )


def is_loopback(server: str) -> bool:
    """Whether `host:port` is on this machine for certain (a name other than localhost is not)."""
    host = server.rsplit(":", 1)[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _token_of(security: Security) -> TokenSource | None:
    """Where the tokens of OAUTHBEARER come from."""
    if security.token is not None:
        return fixed(security.token.get_secret_value())
    if security.token_file is not None:
        return of_file(security.token_file)
    if security.token_url is None or security.client_id is None or security.client_secret is None:
        return None
    return ClientCredentials(
        security.token_url,
        security.client_id.get_secret_value(),
        security.client_secret.get_secret_value(),
        security.scope,
    )


def _reason(error: OSError) -> str:
    """Why a file of ours does not load; messages of TLS are cryptic, but quote no content."""
    if isinstance(error, ssl.SSLError):
        return f"not usable ({error.reason or 'no PEM'})"
    return str(error.strerror or error)


class _AsyncToken(AbstractTokenProvider):
    """Bearer tokens, as aiokafka asks for them."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    async def token(self) -> str:
        """Return a token."""
        return await asyncio.to_thread(self._source)


def _blocking_token(source: TokenSource) -> object:
    """Return bearer tokens, as kafka-python asks for them."""
    from kafka.net.sasl.oauth import AbstractTokenProvider as Provider  # noqa: PLC0415 - rare

    class Asked(Provider):
        def token(self) -> str:
            return source()

    return Asked()
