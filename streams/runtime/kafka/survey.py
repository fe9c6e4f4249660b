"""What the broker says about our topics before anything starts: are they there and alike.

Promises: an answer or one clear line within 15 seconds; inputs with different partition counts,
missing topics, and permissions that we lack are refused by name.
Leaves to others: creating topics (`streams/runtime/topics.py`).
"""

from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any, Final

import msgspec
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import AuthorizationError, KafkaError

from schemas.config import Config
from schemas.topics import HEADROOM, plan
from streams.runtime.kafka.connection import Connection
from streams.runtime.kafka.exits import ACL_HINT, RefusedError, UnreachableError
from streams.runtime.kafka.greeting import greet

ANSWER_MS: Final = 8_000
"""How long a broker may take to answer at start; with the rest of the start under 15 s."""


_DENIED: Final = 29
"""TOPIC_AUTHORIZATION_FAILED in the protocol, also for a topic that is not there."""

_OPERATIONS: Final = {
    "READ": "Read",
    "WRITE": "Write",
    "DESCRIBE": "Describe",
    "DESCRIBE_CONFIGS": "DescribeConfigs",
}


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """A topic on the broker. `identity` changes when it is deleted and made anew.

    `allowed`: what we may do with it, None if the broker does not say; without the permission
    to describe configs `settings` are empty.
    """

    name: str
    partitions: int
    replication: int
    identity: str
    settings: Mapping[str, str]
    allowed: frozenset[str] | None = None


def open_admin(connection: Connection) -> KafkaAdminClient:
    """Return a client for administration; RefusedError or UnreachableError as `greet`."""
    greet(connection)
    try:
        return KafkaAdminClient(
            **connection.kafka_python(),
            bootstrap_timeout_ms=ANSWER_MS,
            request_timeout_ms=ANSWER_MS,
            client_id="windage",
        )
    except (KafkaError, OSError) as error:
        if connection.mechanism == "OAUTHBEARER":
            # aiokafka takes the challenge that follows a bad token for a welcome.
            raise RefusedError(
                f"Kafka at {connection.bootstrap} answers, but lets nobody in with this token of "
                "OAUTHBEARER: has it run out?"
            ) from None
        raise UnreachableError(
            f"Kafka does not answer at {connection.bootstrap} ({type(error).__name__})"
        ) from None


def survey(connection: Connection, names: Iterable[str]) -> dict[str, Topic]:
    """Return those of `names` that exist, by name.

    UnreachableError if nobody answers, RefusedError if we may not know of one.
    """
    wanted = sorted(set(names))
    with closing(open_admin(connection)) as admin:
        try:
            described = admin.describe_topics(wanted)
            hidden = [one["name"] for one in described if one["error_code"] == _DENIED]
            if hidden:
                raise denied(connection, "Describe", *hidden)
            there = [one for one in described if one["partitions"]]
            settings = _settings(admin, [one["name"] for one in there if _may_read_settings(one)])
        except (KafkaError, OSError) as error:
            raise UnreachableError(
                f"Kafka at {connection.bootstrap} does not describe its topics "
                f"({type(error).__name__})"
            ) from None
    return {
        topic["name"]: Topic(
            name=topic["name"],
            partitions=len(topic["partitions"]),
            replication=len(topic["partitions"][0]["replica_nodes"]),
            identity=str(topic.get("topic_id") or ""),
            settings=settings.get(topic["name"], {}),
            allowed=_allowed(topic),
        )
        for topic in there
    }


def denied(connection: Connection, operation: str, *topics: str) -> RefusedError:
    """What to say where an ACL of the broker forbids something."""
    names = ", ".join(sorted(topics))
    return RefusedError(f"{connection.principal} may not {operation} topic {names}{ACL_HINT}")


def check_allowed(
    connection: Connection, topics: Mapping[str, Topic], needs: Iterable[tuple[str, str]]
) -> None:
    """RefusedError if the broker says that we may not do one of `needs`: (operation, topic)."""
    lacking: dict[str, list[str]] = {}
    for operation, name in needs:
        topic = topics.get(name)
        if topic is not None and topic.allowed is not None and operation not in topic.allowed:
            lacking.setdefault(operation, []).append(name)
    for operation, names in lacking.items():
        raise denied(connection, operation, *names)


def check_group(connection: Connection, group: str) -> None:
    """RefusedError if the broker says that we may not join a consumer group.

    It cannot say so of a group that has no members yet; then joining will (`faust_app`).
    """
    refused = RefusedError(f"{connection.principal} may not Read group {group}{ACL_HINT}")
    with closing(open_admin(connection)) as admin:
        try:
            told = admin.describe_groups([group], include_authorized_operations=True)
        except AuthorizationError:
            raise refused from None
        except (KafkaError, OSError):
            return  # a broker that has never had a group needs a while to find its coordinator
    allowed = told.get(group, {}).get("authorized_operations")
    if allowed and "READ" not in allowed:
        raise refused


def _allowed(topic: Mapping[str, Any]) -> frozenset[str] | None:
    """The operations that a description of a topic lists, in the words of `schemas.access`."""
    told = topic.get("authorized_operations")
    return None if not told else frozenset(_OPERATIONS.get(one, "") for one in told)


def _may_read_settings(topic: Mapping[str, Any]) -> bool:
    allowed = _allowed(topic)
    return allowed is None or "DescribeConfigs" in allowed


def _settings(admin: KafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """Return the settings in force of each topic."""
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    described = admin.describe_configs(resources, config_filter="all").get("topic", {})
    return {
        name: {key: str(entry["value"]) for key, entry in entries.items()}
        for name, entries in described.items()
    }


def check_inputs(
    topics: Mapping[str, Topic], inputs: Mapping[str, str], others: Iterable[str]
) -> int:
    """Return the partition count that all inputs share; RefusedError if something is amiss.

    `inputs`: logical name > topic; `others`: topics that must merely be there.
    """
    missing = sorted({*inputs.values(), *others} - set(topics))
    if missing:
        raise RefusedError(
            f"topics that are not on the broker: {', '.join(missing)} (windage topics create)"
        )
    counts = {name: topics[name].partitions for name in inputs.values()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise RefusedError(
            f"the inputs must have the same number of partitions, so that a label finds its "
            f"prediction: {listed}"
        )
    return next(iter(counts.values()))


def check_config(topics: Mapping[str, Topic], config: Config) -> None:
    """RefusedError if the topics that are there cannot carry what the config asks for."""
    by_broker = sorted(n for n, model in config.models.items() if model.clock == "broker")
    waits = {
        name: model.labels.horizon + model.lateness
        for name, model in config.models.items()
        if model.labelled and config.redis is None
    }
    for planned in plan(config):
        topic = topics.get(planned.name)
        if topic is None or not topic.settings:
            continue  # a worker has refused by then; whoever merely looks may not see them
        stamped = topic.settings.get("message.timestamp.type")
        if planned.flow == "in" and by_broker and stamped != "LogAppendTime":
            raise RefusedError(
                f"{topic.name} carries the producer's time ({stamped}), but {by_broker[0]} goes by "
                "the broker's: set message.timestamp.type=LogAppendTime, or clock: event"
            )
        kept = int(topic.settings.get("retention.ms", "-1"))
        for model, wait in waits.items():
            if planned.topic in ("predictions", "labels") and 0 <= kept < wait:
                raise RefusedError(
                    f"{topic.name} is kept for {kept} ms, but {model} waits {wait} ms for labels: "
                    "after a restart their partners could not be found"
                )
        limit = int(topic.settings.get("max.message.bytes", "0"))
        if planned.flow == "out" and limit < config.limits.batch + HEADROOM:
            raise RefusedError(
                f"{topic.name} takes records of {limit} bytes; a dead letter of the largest input "
                f"needs {config.limits.batch + HEADROOM} (max.message.bytes, or limits.batch)"
            )
