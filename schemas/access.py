"""Who may do what on the broker: the least each role needs.

Promises: a function of the config alone; raw values (dead letters, the journal) are open to no
role of people.
Leaves to others: writing the permissions in a broker's language (commands).
"""

from typing import Final, Literal

import msgspec

from schemas.config import Config
from schemas.vocabulary import TopicName

AccessRole = Literal["profiler", "monitor", "sinks", "producer", "ops", "retrain-service"]
Operation = Literal["Read", "Write", "Describe", "DescribeConfigs", "IdempotentWrite"]
ResourceType = Literal["Topic", "Group", "Cluster"]

ROLES: Final[tuple[AccessRole, ...]] = (
    "profiler",
    "monitor",
    "sinks",
    "producer",
    "ops",
    "retrain-service",
)


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """One permission a role needs; `prefixed` makes `name` the begin of names."""

    role: AccessRole
    operation: Operation
    resource: ResourceType
    name: str
    prefixed: bool = False


_INPUTS: Final[tuple[TopicName, ...]] = ("predictions", "labels", "metrics", "model-events")
_DECISIONS: Final[tuple[TopicName, ...]] = (
    "readings",
    "drift-events",
    "alerts",
    "retrain-requests",
    "rollback-requests",
)

READS: Final[dict[AccessRole, tuple[TopicName, ...]]] = {
    "profiler": (*_INPUTS, "profiler-state", "references"),
    "monitor": ("journal", "monitor-state", "references"),
    "sinks": ("alerts", "retrain-requests", "rollback-requests"),
    "producer": (),
    "ops": (*_DECISIONS, "model-events"),
    "retrain-service": ("retrain-requests",),
}
WRITES: Final[dict[AccessRole, tuple[TopicName, ...]]] = {
    # References: where it begins to count a model anew it says so there.
    "profiler": ("journal", "profiler-state", "dead-letters", "references"),
    "monitor": (*_DECISIONS, "references", "monitor-state"),
    "sinks": ("dead-letters",),
    "producer": ("predictions", "labels", "metrics"),
    "ops": ("model-events",),
    "retrain-service": ("model-events",),
}


def access(config: Config) -> tuple[Access, ...]:
    """The permissions of every role."""
    return tuple(row for role in ROLES for row in _access_of(config, role))


def group_of(config: Config, role: AccessRole) -> str:
    """The consumer group of a role; people, services, sinks put a name of their own behind it."""
    return f"{config.kafka.group}-{role}"


def _access_of(config: Config, role: AccessRole) -> list[Access]:
    """The permissions of one role."""
    worker = role in ("profiler", "monitor")
    name = config.topics.name

    def on_topic(operation: Operation, topic: TopicName) -> Access:
        return Access(role=role, operation=operation, resource="Topic", name=name(topic))

    rows = [on_topic("Read", topic) for topic in READS[role]]
    rows += [on_topic("Write", topic) for topic in WRITES[role]]
    for topic in dict.fromkeys((*READS[role], *WRITES[role])):
        rows.append(on_topic("Describe", topic))
        if worker:
            # Start-up refuses wrong timestamps, retention and partition counts.
            rows.append(on_topic("DescribeConfigs", topic))
    if WRITES[role]:
        rows.append(
            Access(role=role, operation="IdempotentWrite", resource="Cluster", name="kafka-cluster")
        )
    if READS[role]:
        rows.append(
            Access(
                role=role,
                operation="Read",
                resource="Group",
                name=group_of(config, role),
                prefixed=not worker,
            )
        )
    return rows
