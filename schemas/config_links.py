"""Connections: Kafka, Redis, HTTP, topic names, and the keys that protect them.

Promises: nothing secret travels in the clear beyond this machine unless `allow_insecure` says
so; addresses never carry credentials; secrets are never shown.
Leaves to others: that secrets come from the environment or files (`load`), sinks
(`config_sinks`), connecting.
"""

import re
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    model_validator,
)

from schemas.config_values import Bytes, Duration, Name, Part, Ratio, fault
from schemas.vocabulary import TopicName

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})", re.ASCII)
_TOPIC: Final = r"^[A-Za-z0-9._-]{1,249}$"
_LOOPBACK: Final = re.compile(r"localhost|127(\.\d{1,3}){3}|\[?::1\]?", re.ASCII | re.IGNORECASE)
_SECRET_CHARACTERS: Final = 16
INSECURE: Final = "would travel in the clear beyond this machine; use TLS or set allow_insecure"


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    return _LOOPBACK.fullmatch(host) is not None


def _joined(value: object) -> object:
    """A list of brokers, or one text with commas."""
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    return value


def _check_bootstrap(text: str) -> str:
    """`host:port`, several with commas; ValueError if not, also for credentials."""
    if "@" in text:
        raise ValueError("must not carry credentials; they belong into kafka.security")
    hosts = [item.strip() for item in text.split(",")]
    for host in hosts:
        found = _HOST.fullmatch(host.rpartition("://")[2])
        if not found or not 0 < int(found[2]) < 65_536:  # noqa: PLR2004 - ports have 16 bits
            raise ValueError('must be host:port, several with commas: "kafka-1:9092,kafka-2:9092"')
    return ",".join(host.rpartition("://")[2] for host in hosts)


def check_url(*schemes: str) -> AfterValidator:
    """A URL of one of `schemes`, with a host and without credentials."""

    def check(text: str) -> str:
        allowed = ", ".join(f"{scheme}://" for scheme in schemes)
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError(f"must be a URL that begins with {allowed}") from None
        if parts.scheme not in schemes or not host:
            raise ValueError(f"must be a URL that begins with {allowed}")
        if parts.username or parts.password:
            raise ValueError("must not carry credentials; they have keys of their own")
        return text

    return AfterValidator(check)


class Security(Part):
    """How Kafka is spoken to."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = "SCRAM-SHA-512"
    username: SecretStr | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None
    token_file: str | None = None
    """Read again whenever a connection is made, so that somebody else may renew it."""
    token_url: Annotated[str, check_url("https", "http")] | None = None
    client_id: SecretStr | None = None
    client_secret: SecretStr | None = None
    scope: str | None = None
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    key_password: SecretStr | None = None
    check_hostname: bool = True

    @model_validator(mode="after")
    def _complete(self) -> Self:
        sasl = self.protocol.startswith("SASL")
        oauth = self.mechanism == "OAUTHBEARER"
        sources = (self.token, self.token_file, self.token_url)
        if sasl and oauth and sum(source is not None for source in sources) != 1:
            raise fault("token", "OAUTHBEARER needs one of token, token_file, token_url")
        if self.token_url is not None:
            if self.client_id is None or self.client_secret is None:
                raise fault("token_url", "needs client_id and client_secret beside it")
            url = urlsplit(self.token_url)
            if url.scheme == "http" and not is_loopback(url.hostname or ""):
                raise fault("token_url", "must be https: it is sent a secret")
        if sasl and not oauth and (self.username is None or self.password is None):
            raise fault("password", f"{self.mechanism} needs username and password")
        if not sasl and self.password is not None:
            raise fault("protocol", "a password needs SASL_SSL; it would be ignored otherwise")
        if (self.certificate is None) != (self.key is None):
            raise fault("key", "certificate and key belong together")
        if not self.encrypted and (self.ca or self.certificate):
            raise fault("protocol", "certificates need SSL or SASL_SSL; they would be ignored")
        return self

    @property
    def encrypted(self) -> bool:
        """Whether the connection is TLS."""
        return self.protocol in ("SSL", "SASL_SSL")


class Kafka(Part):
    """The brokers."""

    bootstrap: Annotated[
        str,
        BeforeValidator(_joined, json_schema_input_type=str | list[str]),
        AfterValidator(_check_bootstrap),
    ] = "localhost:9092"
    security: Security = Security()
    group: Annotated[str, Field(pattern=_TOPIC)] = "windage"
    session_timeout: Annotated[Duration, Field(ge=1_000, le=300_000)] = 12_000
    """A worker not heard of for so long has lost its partitions."""
    instance: Annotated[str, Field(pattern=_TOPIC)] | None = None
    """Static membership: a name that no other worker has, and that a restarted one keeps."""
    allow_insecure: bool = False

    @property
    def hosts(self) -> tuple[str, ...]:
        """The brokers, each `host:port`."""
        return tuple(self.bootstrap.split(","))

    @model_validator(mode="after")
    def _in_the_clear(self) -> Self:
        away = any(not is_loopback(host.rpartition(":")[0]) for host in self.hosts)
        if away and not self.security.encrypted and not self.allow_insecure:
            raise fault("security.protocol", f"predictions {INSECURE}: true")
        return self


class TopicNames(Part):
    """Names and shapes of the topics; a name given here takes no prefix."""

    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,100}$")] = ""
    names: dict[TopicName, Annotated[str, Field(pattern=_TOPIC)]] = Field(default_factory=dict)
    partitions: Annotated[int, Field(ge=1, le=10_000)] = 8
    replication: Annotated[int, Field(ge=1, le=32)] = 1
    retention: dict[TopicName, Duration] = Field(default_factory=dict)

    def name(self, topic: TopicName) -> str:
        """The name of a topic on the broker."""
        return self.names.get(topic, self.prefix + topic)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = list(self.names.values())
        if len(set(names)) < len(names):
            raise fault("names", "must give every topic a name of its own")
        return self


class Redis(Part):
    """A pending store for horizons of days."""

    url: Annotated[str, check_url("redis", "rediss", "unix")] = "redis://localhost:6379/0"
    username: SecretStr | None = None
    password: SecretStr | None = None
    ca: str | None = None
    timeout: Annotated[Duration, Field(ge=10, le=3_000)] = 500
    """Within twice this Redis must answer; the worker stands still for so long."""
    spare: Annotated[int, Field(ge=0)] = 200_000
    """Rows of one model and partition that stay in memory while Redis takes none."""
    allow_insecure: bool = False

    @model_validator(mode="after")
    def _in_the_clear(self) -> Self:
        url = urlsplit(self.url)
        away = url.scheme == "redis" and not is_loopback(url.hostname or "")
        if away and not self.allow_insecure:
            raise fault("url", f"labels {INSECURE}: true")
        return self


class Tls(Part):
    """A server's certificate; with `client_ca` clients must show one of theirs (mTLS)."""

    certificate: str
    key: str
    client_ca: str | None = None


class Mlflow(Part):
    """What MLflow's registry tells: a new version, or with `alias` who bears it, was deployed.

    `secret`: the one of the webhook, or a list while it is being replaced. `models`: names of ours
    by names of the registry, where they differ.
    """

    secret: Annotated[
        tuple[SecretStr, ...],
        BeforeValidator(
            lambda value: [value] if isinstance(value, str | SecretStr) else value,
            json_schema_input_type=Annotated[str, Field(json_schema_extra={"format": "password"})]
            | list[Annotated[str, Field(json_schema_extra={"format": "password"})]],
        ),
        Field(min_length=1),
    ]
    alias: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    models: dict[str, Name] = Field(default_factory=dict)
    tolerance: Annotated[Duration, Field(ge=1_000, le=3_600_000)] = 300_000
    """How far its clock and ours may be apart; what is older is refused."""

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        if any(len(one.get_secret_value()) < _SECRET_CHARACTERS for one in self.secret):
            raise fault("secret", f"must have at least {_SECRET_CHARACTERS} characters")
        return self


class Http(Part):
    """The intake, the dashboard and the metrics page."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8_080
    read_token: SecretStr | None = None
    ingest_token: SecretStr | None = None
    operate_token: SecretStr | None = None
    write_token: SecretStr | None = None
    tls: Tls | None = None
    rate: Annotated[int, Field(ge=1)] = 1_000
    """Requests a second and client."""
    dashboard_url: Annotated[str, check_url("https", "http")] | None = None
    mlflow: Mlflow | None = None
    allow_insecure: bool = False

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        kinds = ("read_token", "ingest_token", "operate_token", "write_token")
        known: dict[str, str] = {}
        for kind in kinds:
            token: SecretStr | None = getattr(self, kind)
            same = kind if token is None else known.setdefault(token.get_secret_value(), kind)
            if same != kind:
                raise fault(kind, f"is the same as {same}; tokens of different rights must differ")
        if is_loopback(self.host):
            return self
        writing = self.write_token or self.ingest_token or self.operate_token
        if writing is None and (self.tls is None or self.tls.client_ca is None):
            raise fault("write_token", "beyond this machine a token or tls.client_ca is required")
        if self.tls is None and not self.allow_insecure:
            raise fault("tls", f"tokens {INSECURE}: true")
        return self


class State(Part):
    """Snapshots; `key` signs them."""

    every: Duration = 10_000
    key: SecretStr | None = None


class Limits(Part):
    """What is refused, folded or capped, so that no input can exhaust a worker."""

    event: Bytes = 256 * 1024
    batch: Bytes = 8 * 1024 * 1024
    depth: Annotated[int, Field(ge=4, le=256)] = 32
    features: Annotated[int, Field(ge=1, le=10_000)] = 500
    future: Duration = 300_000
    skew: Duration = 5_000
    """Wall clocks of workers and brokers differ by at most this; ticks wait as long."""
    versions: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    """Of one model, ever; predictions of more are refused."""
    models: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Of those that are not named, where `models: {"*": ...}` lets them in: the first of a log."""
    segments: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Named ones, per model and version; the rest is `other`."""
    category_rows: Annotated[int, Field(ge=1)] = 20
    """Categories seen fewer times in the reference are `unseen`: no few rows are named."""
    refused: Ratio = 0.2
    """The share of a model's records; beyond it there is an incident, and nothing is learned."""
    dead_letters: Ratio = 1.0
    """The share of refused records that are written down; the books say how many were not."""
    memory: Bytes = 512 * 1024 * 1024
    """Per worker; with more it ends and is started anew."""
    memory_red: Ratio = 0.9
    """The share of `memory` from which on a worker cleans up and warns."""
    stall: Annotated[Duration, Field(ge=5_000)] = 60_000
    """With records waiting and none counted for so long, a worker ends and is started anew."""
    rebuild: Duration = 10_000
    """The longest silent re-reading after a restart; where set, more is refused at the start."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.batch < self.event:
            raise fault("batch", "must not be below event")
        return self
