"""Topics on the broker: what would have to be made, and making it.

Promises: what is planned is what is created; creating twice changes nothing; nothing that exists
is altered, differences are only named, because shrinking a retention deletes records.
Leaves to others: what each topic should be (`schemas/topics.py`), printing.
"""

from collections.abc import Mapping
from contextlib import closing

import msgspec
from kafka.admin import NewTopic
from kafka.errors import AuthorizationError, KafkaError, TopicAlreadyExistsError

from schemas import topics
from schemas.config import Config
from schemas.topics import PlannedTopic
from streams.runtime.kafka.connection import connection_of
from streams.runtime.kafka.exits import UnreachableError
from streams.runtime.kafka.survey import Topic, denied, open_admin, survey


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One topic: to be created, or there already; `differences` from the plan, in words."""

    planned: PlannedTopic
    exists: bool
    differences: tuple[str, ...] = ()


def plan(config: Config, present: Mapping[str, Topic]) -> tuple[Step, ...]:
    """Return a step per topic; `present`: what is on the broker, by name."""
    return tuple(_step(planned, present.get(planned.name)) for planned in topics.plan(config))


def look(config: Config) -> tuple[Step, ...]:
    """Return the plan against the broker as it is. UnreachableError if it does not answer."""
    names = [planned.name for planned in topics.plan(config)]
    return plan(config, survey(connection_of(config.kafka), names))


def create(config: Config) -> tuple[Step, ...]:
    """Create what is missing; returns the plan as it was before, so that one can say what was done.

    UnreachableError if the broker does not answer or cannot, RefusedError if an ACL is missing;
    topics made by then stay.
    """
    steps = look(config)
    missing = [step.planned for step in steps if not step.exists]
    if missing:
        connection = connection_of(config.kafka)
        with closing(open_admin(connection)) as admin:
            for planned in missing:
                new = NewTopic(
                    planned.name,
                    planned.partitions,
                    planned.replication,
                    topic_configs=dict(planned.configs),
                )
                try:
                    admin.create_topics([new])
                except TopicAlreadyExistsError:
                    continue  # somebody else was quicker
                except AuthorizationError:
                    raise denied(connection, "Create", planned.name) from None
                except KafkaError as error:
                    raise UnreachableError(
                        f"Kafka does not create {planned.name}: {error}"
                    ) from None
            admin.wait_for_topics([planned.name for planned in missing])
    return steps


def _step(planned: PlannedTopic, topic: Topic | None) -> Step:
    if topic is None:
        return Step(planned=planned, exists=False)
    wanted = {
        "partitions": str(planned.partitions),
        "replication": str(planned.replication),
        **planned.configs,
    }
    if not topic.settings:
        return Step(planned=planned, exists=True, differences=("its settings may not be seen",))
    found = {
        **topic.settings,
        "partitions": str(topic.partitions),
        "replication": str(topic.replication),
    }
    return Step(
        planned=planned,
        exists=True,
        differences=tuple(
            f"{key} is {found.get(key, 'not set')}, not {value}"
            for key, value in wanted.items()
            if found.get(key) != value
        ),
    )
