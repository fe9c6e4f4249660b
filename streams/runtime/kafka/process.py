"""Starting one worker process: ask the broker first, then run, and end with an exit code.

Promises: a broker that does not answer is one clear line and exit code 3 within 15 seconds; what
an operator must mend is one line and exit code 2.
Leaves to others: several processes (`supervisor`), reading the config file (the command line).
"""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal

from schemas import access, topics
from schemas.baseline import Baseline
from schemas.config import Config
from schemas.epoch import is_epoch
from schemas.vocabulary import TopicName
from streams.runtime import allocator
from streams.runtime.epochs import known
from streams.runtime.kafka import survey
from streams.runtime.kafka.connection import Connection, connection_of
from streams.runtime.kafka.exits import REFUSED, UNREACHABLE, RefusedError, UnreachableError
from streams.runtime.kafka.pulse import Pulse
from streams.runtime.kafka.reading import KafkaReader
from streams.runtime.kafka.recovery import InformedRole
from streams.runtime.kafka.reset import Renewal
from streams.runtime.kafka.reset import reset as reset_states
from streams.runtime.kafka.settings import Settings
from streams.runtime.kafka.supervisor import Command, supervise
from streams.runtime.kafka.watchdog import Limits
from streams.runtime.kafka.worker import Worker
from streams.runtime.machine import Machine, Role
from streams.runtime.rereading import CURE, rereading
from streams.runtime.roles import MonitorRole, ProfilerRole
from streams.stores import open_store

RoleName = Literal["profiler", "monitor"]
ROLES: Mapping[RoleName, type[ProfilerRole] | type[MonitorRole]] = {
    "profiler": ProfilerRole,
    "monitor": MonitorRole,
}


class ConfiguredRole:
    """A role of the config, remade whenever the `references` topic says more than the config."""

    def __init__(self, name: RoleName, config: Config, baselines: Mapping[str, Baseline]) -> None:
        self.name = name
        self.inputs = ROLES[name].inputs
        self._config = config
        self._baselines = baselines
        self._store = open_store(config) if name == "profiler" else None
        self._source = ""
        self._told: Sequence[bytes] | None = None
        self.know(())

    def reads(self, topics: Mapping[str, str]) -> None:
        """Say which topics are read, by their identities: rows in a store are named by them."""
        self._source = " ".join(f"{log}={identity}" for log, identity in sorted(topics.items()))
        told, self._told = self._told or (), None
        self.know(told)

    def know(self, references: Sequence[bytes]) -> None:
        """Make machines of the present epochs that know these references, besides files'."""
        references = tuple(references)
        if references == self._told:
            return  # as at nearly every change of owners
        self._told = references
        if self.name == "monitor":
            # Its snapshot holds what was learned, and a new one is handed it by adopt().
            told = known(filter(is_epoch, references), self._baselines, self._config.models)
            self._role: Role = MonitorRole(self._config, told.baselines, told.epochs)
            return
        told = known(references, self._baselines, self._config.models)
        counted = told.baselines, self._store, self._source, told.epochs
        self._role = ProfilerRole(self._config, *counted)

    def fresh(self, partition: int, partitions: int) -> Machine:
        """Return a machine that has read nothing."""
        return self._role.fresh(partition, partitions)

    def restored(self, partition: int, partitions: int, snapshot: bytes) -> Machine:
        """Return the machine of a snapshot; SnapshotError with the reason if it cannot be."""
        return self._role.restored(partition, partitions, snapshot)


def run(
    config: Config,
    name: RoleName,
    *,
    baselines: Mapping[str, Baseline],
    reset_from: str | int | None = None,
    instance: str | None = None,
    show: Callable[[Pulse], None] | None = None,
) -> int:
    """Run one worker of the config until it is told to stop; returns its exit code.

    `baselines`: references made of files, by model. `reset_from`: as `reset`, done once, now.
    `instance`: its name in the group, where membership is static. `show` is given its pulse.
    """
    try:
        connection = connection_of(config.kafka)
        role = ConfiguredRole(name, config, baselines)
        settings = ask(
            role,
            connection,
            group=access.group_of(config, name),
            names=topic_names(config, name),
            instance=instance or config.kafka.instance,
            **settings_of(config, name),
        )
        role.reads(settings.topics)
        check(config, name)
        if reset_from is not None:
            reset(config, name, reset_from)
    except (RefusedError, UnreachableError) as error:
        return last_line(error)
    allocator.settle()
    worker = Worker(settings, role)
    if show is not None:
        show(worker.pulse)
    return worker.run()


def run_all(
    config: Config,
    command: Callable[[RoleName, int], tuple[str, ...]],
    *,
    workers: int = 1,
    reset_from: str | int | None = None,
    more: Sequence[Command] = (),
) -> int:
    """Keep `workers` profilers and one monitor running as processes; returns an exit code.

    `command` returns the arguments that start one worker (and do not reset again), of its role
    and its number among all of them, from 0. `more` are kept running beside them.
    """
    names: tuple[RoleName, ...] = ("profiler", "monitor")
    try:
        for name in names:
            check(config, name)
        if reset_from is not None:
            for name in names:
                reset(config, name, reset_from)
    except (RefusedError, UnreachableError) as error:
        return last_line(error)
    profilers = [
        Command(name=f"profiler {number}", arguments=command("profiler", number))
        for number in range(workers)
    ]
    monitor = Command(name="monitor", arguments=command("monitor", workers))
    return supervise([*profilers, monitor, *more])


def check(config: Config, name: RoleName) -> None:
    """RefusedError or UnreachableError if no worker of this role could run: asks the broker."""
    connection = connection_of(config.kafka)
    topic_of = topic_names(config, name)
    there = survey.survey(connection, topic_of.values())
    inputs = {log: topic_of[log] for log in ROLES[name].inputs}
    survey.check_inputs(there, inputs, topic_of.values())
    survey.check_allowed(connection, there, needs(config, name))
    survey.check_config(there, config)
    if name == "profiler":
        check_restart(config)
    survey.check_group(connection, access.group_of(config, name))


def check_restart(config: Config) -> None:
    """RefusedError if a restart would take longer than `limits.rebuild`, where that is set.

    By default it is not: a worker that does not start at all is worse than one that starts slowly;
    `windage doctor` says it then.
    """
    if "rebuild" not in config.limits.model_fields_set or config.redis is not None:
        return
    with KafkaReader(config) as reader:
        found = rereading(config, reader.within)
    if found is not None and found.long:
        raise RefusedError(f"{found.sentence()}: {CURE}")


def needs(config: Config, name: RoleName) -> list[tuple[str, str]]:
    """Return what a role must be allowed to do: (operation, topic)."""
    rows = access.access(config)
    return [(r.operation, r.name) for r in rows if r.role == name and r.resource == "Topic"]


def reset(config: Config, name: RoleName, where: str | int) -> dict[int, Mapping[str, int]]:
    """Give up the state of a role and let it begin at `where`; returns the offsets by partition.

    With the profilers' state every model begins a new epoch.

    `where`: "earliest", "latest", or epoch milliseconds. No worker of the role should be running:
    one that is goes on with its old state until the next rebalance.
    """
    names = topic_names(config, name)
    inputs = {log: names[log] for log in ROLES[name].inputs}
    connection = connection_of(config.kafka)
    there = survey.survey(connection, names.values())
    partitions = survey.check_inputs(there, inputs, [names["references"]])
    return asyncio.run(
        reset_states(
            connection,
            names[f"{name}-state"],
            inputs,
            partitions,
            where=where,
            secret=secret_of(config),
            renewal=_renewal(config, names, there) if name == "profiler" else None,
        )
    )


def _renewal(
    config: Config, names: Mapping[str, str], there: Mapping[str, survey.Topic]
) -> Renewal:
    """How every model begins a new epoch."""
    topic = names["references"]
    return Renewal(models=config.hashes(), topic=topic, partitions=there[topic].partitions)


def run_role(
    role: InformedRole,
    connection: Connection,
    *,
    group: str,
    names: Mapping[str, str],
    **more: Any,  # noqa: ANN401 - further fields of `Settings`, checked there
) -> int:
    """Run one worker of any role until it is told to stop; returns its exit code.

    `names`: logical name > topic, for everything read and written; `more`: further `Settings`.
    """
    try:
        settings = ask(role, connection, group=group, names=names, **more)
    except (RefusedError, UnreachableError) as error:
        return last_line(error)
    allocator.settle()
    return Worker(settings, role).run()


def ask(
    role: Role,
    connection: Connection,
    *,
    group: str,
    names: Mapping[str, str],
    **more: Any,  # noqa: ANN401 - further fields of `Settings`, checked there
) -> Settings:
    """Return the settings of a worker whose topics are as they must be, or raise why not."""
    connection.check()
    inputs = {log: names[log] for log in role.inputs}
    state_topic = names[f"{role.name}-state"]
    there = survey.survey(connection, names.values())
    partitions = survey.check_inputs(there, inputs, names.values())
    if there[state_topic].partitions < partitions:
        raise RefusedError(
            f"{state_topic} has {there[state_topic].partitions} partitions, the inputs have "
            f"{partitions}: every partition needs its own"
        )
    return Settings(
        connection=connection,
        group=group,
        names=names,
        state_topic=state_topic,
        partitions=partitions,
        topics={log: there[topic].identity for log, topic in inputs.items()},
        references_partitions=(
            there[names["references"]].partitions if "references" in names else 0
        ),
        **more,
    )


def topic_names(config: Config, name: RoleName) -> dict[str, str]:
    """Return logical name > topic of everything a role reads and writes."""
    used: list[TopicName] = [*access.READS[name], *access.WRITES[name]]
    return {topic: config.topics.name(topic) for topic in dict.fromkeys(used)}


def settings_of(config: Config, name: RoleName) -> dict[str, Any]:
    """Return the fields of `Settings` that the config decides."""
    # Under either clock: metrics and model events keep append time, and hold every pane up.
    panes = [model.pane for model in config.models.values()]
    hashes = sorted(config.hashes().items())
    return {
        "store_s": config.state.every / 1000,
        "limits": Limits(
            stall_s=config.limits.stall / 1000,
            unsettled_s=(config.limits.stall + config.kafka.session_timeout) / 1000,
            memory=config.limits.memory,
            red=int(config.limits.memory * config.limits.memory_red),
        ),
        "session_timeout_s": config.kafka.session_timeout / 1000,
        "tick_ms": min(panes) if panes and name == "profiler" else None,
        "allowance_ms": config.limits.skew,
        "lateness_ms": max((model.lateness for model in config.models.values()), default=0),
        "record_bytes": config.limits.batch + 2 * topics.HEADROOM,
        "secret": secret_of(config),
        "config": " ".join(f"{model}={digest}" for model, digest in hashes),
    }


def secret_of(config: Config) -> bytes:
    """Return the key of snapshots' digests; keys may be of any length, the digest's may not."""
    key = config.state.key
    return b"" if key is None else blake2b(key.get_secret_value().encode()).digest()


def last_line(error: RefusedError | UnreachableError) -> int:
    """Tell the operator why nothing was started; returns the exit code."""
    print(f"windage worker: {error}", file=sys.stderr, flush=True)  # noqa: T201 - for the operator
    return REFUSED if isinstance(error, RefusedError) else UNREACHABLE
