"""Processes to be killed: they append numbers from FIRST on and print each once it is durable.

serving.py threads DIRECTORY FIRST COUNT    runs as `serve` does, until somebody kills it
serving.py steps DIRECTORY FIRST AT         kills itself before its statement AT, counting the
                                            BEGIN and COMMIT of every write to the log
"""

import os
import signal
import sys
from itertools import count
from pathlib import Path

from streams.runtime import embedded
from streams.runtime.embedded import Embedded
from streams.runtime.sqlite_log import Group
from tests.runtime.counting import CountingMonitors, CountingProfilers


def opened(directory: str) -> Embedded:
    return Embedded(CountingProfilers(), CountingMonitors(), Path(directory))


def threads(directory: str, first: int, total: int) -> None:
    embedded.COMMIT_SECONDS = 0.02  # many commits, so that a kill meets one
    runtime = opened(directory)
    runtime.start()
    for number in range(first, first + total):
        entry = runtime.entry("predictions", b"%d" % number, b'{"n":%d}' % number)
        runtime.intake.submit(Group(entries=[entry])).result()
        print(number, flush=True)  # noqa: T201  # read by the test
    runtime.stop()


def steps(directory: str, first: int, at: int) -> None:
    runtime = opened(directory)
    statements = count(1)

    def trace(statement: str) -> None:
        if statement.split(maxsplit=1)[0] in ("BEGIN", "COMMIT") and next(statements) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in ("append", "commit"):
        runtime.log._connections[name].set_trace_callback(trace)
    for number in count(first):
        runtime.append("predictions", b"%d" % number, b'{"n":%d}' % number)
        print(number, flush=True)  # noqa: T201  # read by the test
        runtime.run_until_idle()


if __name__ == "__main__":
    how, directory, first, number = sys.argv[1:]
    {"threads": threads, "steps": steps}[how](directory, int(first), int(number))
