"""Checks of a Kafka installation; each is one line for `windage doctor`.

Promises: a broker that does not answer is one line, and nothing else is asked then; nothing is
changed.
Leaves to others: what a topic must be (`schemas.topics`, `runtime.kafka.survey`), printing.
"""

from schemas.config import Config
from schemas.log import INPUT_LOGS, Millis
from schemas.topics import plan
from streams.cli.health.check import Check
from streams.cli.health.local import about_models, clock, lag
from streams.cli.places import Place
from streams.runtime.installation.reading import Span
from streams.runtime.kafka.connection import connection_of
from streams.runtime.kafka.exits import RefusedError, UnreachableError
from streams.runtime.kafka.reading import KafkaReader
from streams.runtime.kafka.survey import Topic, check_allowed, check_config, check_inputs, survey
from streams.runtime.rereading import CURE, rereading


def kafka(config: Config, place: Place) -> list[Check]:
    """The checks of the topics of a config."""
    host = config.kafka.bootstrap
    try:
        there = survey(connection_of(config.kafka), [topic.name for topic in plan(config)])
    except UnreachableError as error:
        todo = "is the broker running, and kafka.bootstrap its address?"
        return [Check(check="broker", state="fail", found=str(error), todo=todo, unreachable=True)]
    except RefusedError as error:
        return [Check(check="broker", state="fail", found=str(error))]
    checks = [Check(check="broker", state="ok", found=f"{host} answers")]
    topics = [
        _topics(config, there),
        _permissions(config, there),
        _partitions(config, there),
        _settings(config, there),
    ]
    checks += [check for check in topics if check is not None]
    inputs = [config.topics.name(log) for log in INPUT_LOGS]
    if any(name not in there for name in inputs):
        return checks
    with KafkaReader(config) as reader:
        checks += [
            lag(reader.lag(), "is windage worker running, and are there enough of them?"),
            clock(_newest(reader), config.limits.skew, "the broker's clock"),
            *_restart(config, reader),
            *about_models(reader, config, place),
        ]
    return checks


def _topics(config: Config, there: dict[str, Topic]) -> Check:
    wanted = [topic.name for topic in plan(config)]
    missing = [name for name in wanted if name not in there]
    if not missing:
        return Check(check="topics", state="ok", found=f"all {len(wanted)} are there")
    return Check(
        check="topics",
        state="fail",
        found=f"not there: {', '.join(missing)}",
        todo="windage topics create",
    )


def _permissions(config: Config, there: dict[str, Topic]) -> Check:
    """Whether whoever asks may do what a worker does; one of the two roles is enough."""
    from streams.runtime.kafka.process import ROLES, needs

    able: list[str] = []
    lacking: list[str] = []
    for role in ROLES:
        try:
            check_allowed(connection_of(config.kafka), there, needs(config, role))
        except RefusedError as error:
            lacking.append(f"{role}: {error}")
        else:
            able.append(role)
    if able:
        found = f"enough for the topics of {' and '.join(able)}"
        return Check(check="permissions", state="ok", found=found)
    return Check(check="permissions", state="warn", found="; ".join(lacking))


def _partitions(config: Config, there: dict[str, Topic]) -> Check | None:
    names = {log: config.topics.name(log) for log in INPUT_LOGS}
    here: dict[str, str] = {log: name for log, name in names.items() if name in there}
    if not here:
        return None
    try:
        count = check_inputs(there, here, ())
    except RefusedError as error:
        todo = "make them anew with the same number; adding partitions moves keys"
        return Check(check="partitions", state="fail", found=str(error), todo=todo)
    return Check(check="partitions", state="ok", found=f"all inputs have {count}")


def _settings(config: Config, there: dict[str, Topic]) -> Check:
    """Timestamps by the broker, retention beyond the horizon, sizes: as a worker would ask."""
    try:
        check_config(there, config)
    except RefusedError as error:
        return Check(check="settings", state="fail", found=str(error), todo="windage topics plan")
    found = "timestamps, retention and sizes fit the config"
    return Check(check="settings", state="ok", found=found)


def _restart(config: Config, reader: KafkaReader) -> list[Check]:
    """How much a restart would read again."""
    found = rereading(config, reader.within)
    if found is None:
        return []
    if found.long:
        return [Check(check="restart", state="warn", found=found.sentence(), todo=CURE)]
    return [Check(check="restart", state="ok", found=found.sentence())]


def _newest(reader: KafkaReader) -> Millis | None:
    """The latest stamp of the broker on states; these are always stamped by it."""
    times = [
        record.timestamp
        for topic in ("profiler-state", "monitor-state")
        for record in reader.read(topic, Span(newest=1))
    ]
    return max(times, default=None)
