"""Starting one worker process: ask the broker first, then run, and end with an exit code.

Promises: a broker that does not answer is one clear line and exit code 3 within 15 seconds; what
an operator must mend is one line and exit code 2.
Leaves to others: several processes (`supervisor`), reading the config file (the command line).
"""

import sys
from collections.abc import Mapping

from streams.runtime.kafka.connection import Connection
from streams.runtime.kafka.exits import REFUSED, UNREACHABLE, RefusedError, UnreachableError
from streams.runtime.kafka.settings import Settings
from streams.runtime.kafka.survey import check_inputs, survey
from streams.runtime.kafka.worker import Worker
from streams.runtime.machine import Role


def run_role(
    role: Role,
    connection: Connection,
    *,
    group: str,
    names: Mapping[str, str],
    **more: object,
) -> int:
    """Run one worker until it is told to stop; returns its exit code.

    `names`: logical name > topic, for everything read and written; `more`: further `Settings`.
    """
    try:
        settings = ask(role, connection, group=group, names=names, **more)
    except UnreachableError as error:
        return _last_line(UNREACHABLE, str(error))
    except RefusedError as error:
        return _last_line(REFUSED, str(error))
    return Worker(settings, role).run()


def ask(
    role: Role, connection: Connection, *, group: str, names: Mapping[str, str], **more: object
) -> Settings:
    """Return the settings of a worker whose topics are as they must be, or raise why not."""
    connection.check()
    inputs = {log: names[log] for log in role.inputs}
    state_topic = names[f"{role.name}-state"]
    topics = survey(connection, names.values())
    partitions = check_inputs(topics, inputs, names.values())
    if topics[state_topic].partitions < partitions:
        raise RefusedError(
            f"{state_topic} has {topics[state_topic].partitions} partitions, the inputs have "
            f"{partitions}: every partition needs its own"
        )
    return Settings(
        connection=connection,
        group=group,
        names=names,
        state_topic=state_topic,
        partitions=partitions,
        topics={log: topics[topic].identity for log, topic in inputs.items()},
        references_partitions=(
            topics[names["references"]].partitions if "references" in names else 0
        ),
        **more,  # type: ignore[arg-type]  # checked by the struct's own names
    )


def _last_line(code: int, line: str) -> int:
    print(f"windage worker: {line}", file=sys.stderr, flush=True)  # noqa: T201 - for the operator
    return code
