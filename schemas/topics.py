"""The topics: what each carries and how it is kept.

Promises: one row per topic of the public contract; `plan` is a function of the config alone, so
what is planned is what is created.
Leaves to others: who may touch them (`access`), asking the broker (runtime), printing.
"""

from typing import Final, Literal

import msgspec

from schemas.config import Config
from schemas.envelope import ARROW, JSON, STRUCTURED
from schemas.log import Millis
from schemas.vocabulary import EVENT_TYPES, EventType, TopicName

Flow = Literal["in", "internal", "out"]
TopicKey = Literal[
    "prediction_id", "model", "partition", "model/version", "incident_id", "original"
]
Cleanup = Literal["delete", "compact", "compact,delete"]

DAY: Final[Millis] = 86_400_000
FOREVER: Final[Millis] = -1
MSGPACK: Final = "application/vnd.msgpack"
HEADROOM: Final = 64 * 1024
"""Bytes a refused record needs besides itself, and every output beyond the input limit."""


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """What the contract says of a topic. `like` names the topic whose partitions it shares.

    `log_append_time`: the broker stamps what is written, so that nobody's own clock is believed.
    States have it too: their stamps are how a worker knows the broker's clock.
    """

    topic: TopicName
    flow: Flow
    key: TopicKey
    cleanup: Cleanup
    retention: Millis
    like: TopicName | None = None
    log_append_time: bool = False
    media: tuple[str, ...] = (JSON,)
    content: str


_IN: Final = (JSON, STRUCTURED, ARROW)
_OUT: Final = (JSON, STRUCTURED)

TOPICS: Final = (
    Topic(
        topic="predictions",
        flow="in",
        key="prediction_id",
        cleanup="delete",
        retention=7 * DAY,
        log_append_time=True,
        media=_IN,
        content="one scored request",
    ),
    Topic(
        topic="labels",
        flow="in",
        key="prediction_id",
        cleanup="delete",
        retention=7 * DAY,
        like="predictions",
        log_append_time=True,
        media=_IN,
        content="the outcome of a prediction",
    ),
    Topic(
        topic="metrics",
        flow="in",
        key="model",
        cleanup="delete",
        retention=30 * DAY,
        like="predictions",
        log_append_time=True,
        media=_IN,
        content="business KPIs and operational figures of a model",
    ),
    Topic(
        topic="model-events",
        flow="in",
        key="model",
        cleanup="delete",
        retention=FOREVER,
        like="predictions",
        log_append_time=True,
        media=_OUT,
        content="deployments, retraining status, annotations, silences, verdicts",
    ),
    Topic(
        topic="journal",
        flow="internal",
        key="model",
        cleanup="delete",
        # Only as old as the oldest snapshot worth restoring, because it holds raw columns.
        retention=3 * DAY,
        media=(MSGPACK,),
        content="pane profiles, progress, learning batches, forwarded records",
    ),
    Topic(
        topic="profiler-state",
        flow="internal",
        key="partition",
        cleanup="compact",
        retention=FOREVER,
        like="predictions",
        log_append_time=True,
        media=(MSGPACK,),
        content="snapshots of profilers",
    ),
    Topic(
        topic="monitor-state",
        flow="internal",
        key="partition",
        cleanup="compact",
        retention=FOREVER,
        like="journal",
        log_append_time=True,
        media=(MSGPACK,),
        content="snapshots of monitors",
    ),
    Topic(
        topic="references",
        flow="internal",
        key="model/version",
        cleanup="compact",
        retention=FOREVER,
        media=(MSGPACK,),
        content="grids and references",
    ),
    Topic(
        topic="readings",
        flow="out",
        key="model",
        cleanup="delete",
        retention=30 * DAY,
        media=_OUT,
        content="every statistic with its threshold, per monitor and window",
    ),
    Topic(
        topic="drift-events",
        flow="out",
        key="model",
        cleanup="delete",
        retention=FOREVER,
        media=_OUT,
        content="opened, escalated, deescalated, resolved: one signal each",
    ),
    Topic(
        topic="alerts",
        flow="out",
        key="incident_id",
        cleanup="compact,delete",
        retention=90 * DAY,
        media=_OUT,
        content="one incident each, firing or resolved",
    ),
    Topic(
        topic="retrain-requests",
        flow="out",
        key="model",
        cleanup="delete",
        retention=FOREVER,
        media=_OUT,
        content="requests for a retraining",
    ),
    Topic(
        topic="rollback-requests",
        flow="out",
        key="model",
        cleanup="delete",
        retention=FOREVER,
        media=_OUT,
        content="requests for the way back",
    ),
    Topic(
        topic="dead-letters",
        flow="out",
        key="original",
        cleanup="delete",
        retention=7 * DAY,
        media=("application/octet-stream",),
        content="the raw bytes of a refused record, and why",
    ),
)

TOPIC: Final[dict[TopicName, Topic]] = {row.topic: row for row in TOPICS}


class PlannedTopic(msgspec.Struct, frozen=True, kw_only=True):
    """A topic as it should be on the broker; `configs` are the broker's own names."""

    topic: TopicName
    name: str
    flow: Flow
    key: TopicKey
    partitions: int
    replication: int
    retention: Millis
    configs: dict[str, str]


def event_type(topic: TopicName) -> EventType | None:
    """The CloudEvents type of a topic's records; None where they are no events."""
    return EVENT_TYPES.get(topic)


def plan(config: Config) -> tuple[PlannedTopic, ...]:
    """Every topic as the config wants it."""
    return tuple(_planned(config, row) for row in TOPICS)


def _planned(config: Config, row: Topic) -> PlannedTopic:
    """One topic, with the broker's settings."""
    retention = _retention(config, row)
    record = (config.limits.batch if row.flow == "in" else _largest_output(config)) + HEADROOM
    configs = {
        "cleanup.policy": row.cleanup,
        "retention.ms": str(retention),
        "max.message.bytes": str(record),
        "message.timestamp.type": "LogAppendTime" if row.log_append_time else "CreateTime",
    }
    if row.flow != "in":
        # Workers send lz4; the broker stores what others and our own commands read in the one
        # compression that every client can undo without a further library (kafka-python has no
        # lz4 of its own, and `windage doctor` looks at the states, too).
        configs["compression.type"] = "gzip"
    if "compact" in row.cleanup:
        # Snapshots replace one another all the time: without a bound the old ones stay, and
        # are read at every start.
        configs["segment.ms"] = str(DAY // 24)
        configs["segment.bytes"] = str(64 * 2**20)
        configs["min.cleanable.dirty.ratio"] = "0.1"
        configs["delete.retention.ms"] = str(DAY)
    if config.topics.replication > 2:  # noqa: PLR2004 - a majority needs three
        configs["min.insync.replicas"] = "2"
    return PlannedTopic(
        topic=row.topic,
        name=config.topics.name(row.topic),
        flow=row.flow,
        key=row.key,
        partitions=config.topics.partitions,
        replication=config.topics.replication,
        retention=retention,
        configs=configs,
    )


def _largest_output(config: Config) -> int:
    """Bytes: a dead letter holds the largest input, a headroom besides."""
    return config.limits.batch + HEADROOM


def _retention(config: Config, row: Topic) -> Millis:
    """As configured; predictions and labels are kept at least as long as labels are waited for."""
    configured = config.topics.retention.get(row.topic)
    if configured is not None:
        return configured
    if row.topic not in ("predictions", "labels"):
        return row.retention
    # Twice the lateness: a partner may be late itself, and segments go as a whole, a day later.
    waits = (m.labels.horizon + 2 * m.lateness for m in config.models.values() if m.labelled)
    return max(row.retention, max(waits, default=0) + DAY)
