"""Who to connect to and how to prove who we are: one description for three Kafka clients.

Promises: aiokafka, kafka-python and Faust are given the same security; plaintext beyond loopback
is refused unless it is allowed in so many words; nothing here prints a secret.
Leaves to others: reading the settings (`schemas/config.py`), connecting.
"""

import ipaddress
import ssl
from typing import Any, Final

import msgspec
from aiokafka.abc import AbstractTokenProvider
from pydantic import SecretStr

from schemas.config_links import Kafka
from streams.runtime.kafka.exits import RefusedError

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses and credentials. Files are paths to PEM; `token` is a bearer token."""

    bootstrap: str
    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    username: str | None = None
    password: str | None = None
    token: str | None = None
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    key_password: str | None = None
    check_hostname: bool = True
    allow_insecure: bool = False

    def __repr__(self) -> str:
        """Name the broker and the way, never a secret."""
        return f"Connection({self.bootstrap}, {self.protocol}, {self.mechanism or 'no SASL'})"

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
            context.check_hostname = self.check_hostname
            if self.certificate_file is not None:
                context.load_cert_chain(self.certificate_file, self.key_file, self.key_password)
        except (OSError, ssl.SSLError) as error:
            raise RefusedError(
                f"kafka.security: a certificate or key does not load: {error}"
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
        return _AsyncToken(self.token or "")

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
    if security.token_url is not None:
        raise RefusedError("kafka.security.token_url: fetching tokens is not supported; use token")

    def revealed(secret: SecretStr | None) -> str | None:
        return None if secret is None else secret.get_secret_value()

    return Connection(
        bootstrap=kafka.bootstrap,
        protocol=security.protocol,
        mechanism=security.mechanism if security.protocol.startswith("SASL") else None,
        username=revealed(security.username),
        password=revealed(security.password),
        token=revealed(security.token),
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


class _AsyncToken(AbstractTokenProvider):
    """A fixed bearer token, as aiokafka asks for it."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self) -> str:
        """Return the token."""
        return self._token


def _blocking_token(token: str) -> object:
    """Return a fixed bearer token, as kafka-python asks for it."""
    from kafka.net.sasl.oauth import AbstractTokenProvider as Provider  # noqa: PLC0415 - rare

    class Fixed(Provider):
        def token(self) -> str:
            return token

    return Fixed()
