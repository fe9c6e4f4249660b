"""Where to publish and read: addresses as one writes them, checked before anything connects.

Promises: an address that cannot be meant is a ValueError that says what is allowed; neither a
password nor a token is shown by `repr`.
Leaves to others: connecting.
"""

from typing import Any, Final, NamedTuple

FORMS: Final = "kafka://host:port[,host:port] or http(s)://host:port"


class HttpAddress(NamedTuple):
    """A server, its path prefix, and the token it wants."""

    host: str
    port: int
    tls: bool
    prefix: str = ""
    token: str | None = None
    ca_file: str | None = None

    def path(self, path: str) -> str:
        """A path of the server."""
        return self.prefix + path

    def url(self, path: str) -> str:
        """The whole address of a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.tls else ''}://{host}:{self.port}{self.prefix}{path}"

    def __repr__(self) -> str:
        return self.url("")


class KafkaAddress(NamedTuple):
    """Brokers, a prefix of the topics' names, and options passed to the client as they are."""

    bootstrap: tuple[str, ...]
    prefix: str = ""
    options: Any = None

    def topic(self, topic: str) -> str:
        """The full name of a topic."""
        return self.prefix + topic

    def __repr__(self) -> str:
        return f"kafka://{','.join(self.bootstrap)}"


Address = HttpAddress | KafkaAddress


def address(
    url: str,
    *,
    prefix: str = "",
    token: str | None = None,
    ca_file: str | None = None,
    options: Any = None,  # noqa: ANN401 - a mapping for the Kafka client
    allow_insecure: bool = False,
) -> Address:
    """Read an address; ValueError says what is wrong."""
    scheme, _, rest = url.partition("://")
    if scheme == "kafka" and rest:
        return KafkaAddress(_brokers(rest), prefix, dict(options or {}))
    if scheme not in ("http", "https"):
        raise ValueError(f"the address must be {FORMS}")
    from urllib.parse import urlsplit  # noqa: PLC0415 - Kafka needs none

    parts = urlsplit(url)
    if parts.username or parts.password:
        raise ValueError("credentials do not belong into an address; use token=")
    if not parts.hostname:
        raise ValueError(f"there is no host; the address must be {FORMS}")
    tls = scheme == "https"
    if token is not None and not tls and not allow_insecure and not _is_loopback(parts.hostname):
        raise ValueError("a token over plain HTTP can be read on the way; use https://")
    port = parts.port or (443 if tls else 80)
    return HttpAddress(parts.hostname, port, tls, parts.path.rstrip("/"), token, ca_file)


def _brokers(text: str) -> tuple[str, ...]:
    if "@" in text:
        raise ValueError("credentials do not belong into an address; use kafka={...}")
    brokers = tuple(part.strip() for part in text.rstrip("/").split(","))
    for broker in brokers:
        host, _, port = broker.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError("every broker needs a host and a port: kafka://localhost:9092")
    return brokers


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address  # noqa: PLC0415

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
