"""How a worker ends when it cannot go on: one line on stderr and an exit code, at once.

Promises: nothing is acknowledged after the decision to stop, because the process ends inside it;
a supervisor can tell what to try again (`UNREACHABLE`, `BROKEN`) from what a person must mend
(`REFUSED`).
Leaves to others: starting again (`supervisor`).
"""

import os
import sys
import traceback
from pathlib import Path
from typing import Final, NoReturn

from streams.snapshot import SnapshotError, SupersededError

OK: Final = 0
REFUSED: Final = 2
"""Usage, config, or a state that cannot be continued: starting again would not help."""
UNREACHABLE: Final = 3
"""Kafka does not answer or does not take records."""
BROKEN: Final = 70
"""An error of ours (EX_SOFTWARE); 1 means drift and is not for us to use."""


ACL_HINT: Final = ": an ACL is missing (windage topics plan --acls)"


class RefusedError(Exception):
    """Starting or going on would break the promise; the message tells the operator why."""


class UnreachableError(Exception):
    """The broker does not answer; the message names it."""


def leave(code: int, line: str) -> NoReturn:
    """Say why and end the process now, without clean-up: the next start repeats from the log."""
    print(f"windage worker: {line}", file=sys.stderr, flush=True)  # noqa: T201 - last words
    sys.stdout.flush()
    os._exit(code)


def leave_because(
    error: BaseException, doing: str, who: str = "", operation: str = "Read"
) -> NoReturn:
    """End the process for `error`, met while `doing` something.

    `who`: the principal the broker takes us for; `operation`: what it would have been on a topic.
    """
    forbidden = _forbidden(error, who, operation)
    if forbidden is not None:
        leave(REFUSED, f"refused: {forbidden}")
    if isinstance(error, RefusedError):
        leave(REFUSED, f"refused: {error}")
    if isinstance(error, UnreachableError):
        leave(UNREACHABLE, str(error))
    if isinstance(error, SupersededError):
        leave(BROKEN, f"{error}; it must start again")
    if isinstance(error, SnapshotError):
        leave(REFUSED, f"refused: {error}")  # its message is for the operator
    if _from_kafka(error):
        leave(UNREACHABLE, f"{doing} failed: {type(error).__name__}: {error}")
    # Not the message: it may quote a record.
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    leave(BROKEN, f"{doing} failed: {type(error).__name__}{where} (a bug of ours)")


def _forbidden(error: BaseException, who: str, operation: str) -> str | None:
    """What an ACL or a password of the broker forbids; None if it is something else."""
    from aiokafka import errors  # noqa: PLC0415 - keeps this module light

    told = error.args[0] if error.args else ""
    names = ", ".join(sorted(map(str, told))) if isinstance(told, set | frozenset) else str(told)
    who = who or "we"
    if isinstance(error, errors.TopicAuthorizationFailedError):
        return f"{who} may not {operation} topic {names}{ACL_HINT}"
    if isinstance(error, errors.GroupAuthorizationFailedError):
        return f"{who} may not Read group {names}{ACL_HINT}"
    if isinstance(error, errors.ClusterAuthorizationFailedError):
        return f"{who} may not IdempotentWrite cluster{ACL_HINT}"
    if isinstance(error, errors.SaslAuthenticationFailed | errors.AuthenticationFailedError):
        return f"the broker does not accept {who} any more; nothing was acknowledged since"
    return None


def _from_kafka(error: BaseException) -> bool:
    from aiokafka.errors import KafkaError  # noqa: PLC0415 - keeps this module light

    return isinstance(error, KafkaError | OSError | TimeoutError)
