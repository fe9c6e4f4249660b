"""Sinks: services that are told of alerts and requests, and what each needs to be told in its way.

Promises: a sink that could never be spoken to (a private address not allowed, a missing field of
its template, a key that cannot sign) is refused when the config is loaded; keys, tokens and the
paths of webhooks are never shown.
Leaves to others: sending (`streams.sinks`), which alert belongs where (routes of the policy).
"""

import base64
import binascii
import ipaddress
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_serializer, model_validator

from schemas.config_links import INSECURE, check_url, is_loopback
from schemas.config_values import Duration, Name, Part, fault

SinkTopic = Literal["alerts", "retrain-requests", "rollback-requests"]
TemplateName = Literal[
    "slack",
    "pagerduty",
    "jira",
    "airflow",
    "prefect",
    "dagster",
    "github_actions",
    "openlineage",
]

PREFIX: Final = "whsec_"
"""What a key of Standard Webhooks begins with; base64 follows."""

_KEY_BYTES: Final = (24, 64)


class Needs:
    """What a template takes: topics (the first one is its usual), fields, a token."""

    def __init__(
        self,
        *topics: SinkTopic,
        required: tuple[str, ...] = (),
        optional: tuple[str, ...] = (),
        token: bool = False,
    ) -> None:
        self.topics = topics
        self.required = required
        self.optional = optional
        self.token = token


_JOBS: Final[tuple[SinkTopic, ...]] = ("retrain-requests", "rollback-requests")

NEEDS: Final[dict[TemplateName, Needs]] = {
    "slack": Needs("alerts", *_JOBS),
    "pagerduty": Needs("alerts", token=True),
    "jira": Needs("alerts", *_JOBS, required=("project",), optional=("issue_type",), token=True),
    "airflow": Needs(*_JOBS, token=True),
    "prefect": Needs(*_JOBS),
    "dagster": Needs(*_JOBS, required=("location", "job"), optional=("repository",)),
    "github_actions": Needs(*_JOBS, "alerts", optional=("event_type",), token=True),
    "openlineage": Needs("alerts", required=("namespace", "dataset")),
}


def _listed(value: object) -> object:
    """One key, or a list of them: the first signs, and so do the others until they are gone."""
    return [value] if isinstance(value, str | SecretStr) else value


def signing_key(secret: SecretStr) -> bytes:
    """The bytes that sign; ValueError if the text is no key of Standard Webhooks."""
    text = secret.get_secret_value()
    least, most = _KEY_BYTES
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(PREFIX) or not least <= len(key) <= most:
        raise ValueError(f"must be {PREFIX} and base64 of {least} to {most} random bytes")
    return key


class Sink(Part):
    """Where alerts and requests are sent besides their topics.

    `secret`: one key that signs, or a list of which the first is new and the others are being
    replaced. `username` beside a `token` is Basic, a token alone Bearer. `fields` are those of the
    template. `topics` None: the usual ones of the template.
    """

    type: Literal["webhook", "alertmanager"] = "webhook"
    url: Annotated[str, check_url("https", "http")]
    template: TemplateName | None = None
    topics: Annotated[tuple[SinkTopic, ...], Field(min_length=1)] | None = None
    fields: dict[Name, Annotated[str, Field(min_length=1, max_length=256)]] = Field(
        default_factory=dict
    )
    secret: Annotated[
        tuple[SecretStr, ...],
        BeforeValidator(
            _listed,
            json_schema_input_type=Annotated[str, Field(json_schema_extra={"format": "password"})]
            | list[Annotated[str, Field(json_schema_extra={"format": "password"})]],
        ),
    ] = ()
    token: SecretStr | None = None
    username: str | None = None
    ca: str | None = None
    allow_private: bool = False
    allow_insecure: bool = False
    timeout: Annotated[Duration, Field(ge=100, le=300_000)] = 10_000
    attempts: Annotated[int, Field(ge=1, le=100)] = 8

    @property
    def told(self) -> tuple[SinkTopic, ...]:
        """The topics it is told of."""
        if self.topics is not None:
            return self.topics
        return ("alerts",) if self.template is None else NEEDS[self.template].topics[:1]

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if _is_private(host) and not self.allow_private:
            raise fault("url", "is a private address; set allow_private: true if it is meant")
        if parts.scheme == "http" and not is_loopback(host) and not self.allow_insecure:
            raise fault("url", f"alerts {INSECURE}: true")
        return self

    @model_validator(mode="after")
    def _signs(self) -> Self:
        for i, secret in enumerate(self.secret):
            try:
                signing_key(secret)
            except ValueError as error:
                raise fault(
                    f"secret.{i}" if len(self.secret) > 1 else "secret", str(error)
                ) from None
        if self.secret and self.type == "alertmanager":
            raise fault("secret", "an Alertmanager checks no signatures; use token or username")
        if self.username is not None and self.token is None:
            raise fault("token", "must stand beside username")
        return self

    @model_validator(mode="after")
    def _fits_its_template(self) -> Self:
        if self.type == "alertmanager" and self.template is not None:
            raise fault("template", "is for webhooks; an Alertmanager has its own form")
        if self.type == "alertmanager" and set(self.told) != {"alerts"}:
            raise fault("topics", "an Alertmanager takes alerts only")
        if self.template is None:
            if self.fields:
                raise fault("fields", "belong to a template, and there is none")
            return self
        needs = NEEDS[self.template]
        foreign = [topic for topic in self.told if topic not in needs.topics]
        if foreign:
            raise fault("topics", f"{self.template} takes {', '.join(needs.topics)}")
        for name in needs.required:
            if name not in self.fields:
                raise fault("fields", f"{self.template} needs {', '.join(needs.required)}")
        known = (*needs.required, *needs.optional)
        for name in self.fields:
            if name not in known:
                allowed = ", ".join(known) or "none"
                raise fault(
                    f"fields.{name}", f"{self.template} has no such field; it has {allowed}"
                )
        if needs.token and self.token is None:
            raise fault("token", f"{self.template} needs one")
        return self

    @field_serializer("url", when_used="json")
    def _hide_path(self, url: str) -> str:
        # The path of a webhook is often its password.
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}/" + ("***" if parts.path.strip("/") else "")


def _is_private(host: str) -> bool:
    """Whether a host is for certain no public one; names are looked at when they are resolved."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return is_loopback(host)
