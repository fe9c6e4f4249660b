"""A process that appends numbers and runs the machines, to be killed: DIRECTORY FIRST COUNT.

Prints the last number that is durable, one a line.
"""

import sys
from pathlib import Path

from streams.runtime import embedded
from streams.runtime.sqlite_log import Group
from tests.runtime.counting import CountingMonitors, CountingProfilers


def main(directory: str, first: str, count: str) -> None:
    embedded.COMMIT_SECONDS = 0.02  # many commits, so that a kill meets one
    runtime = embedded.Embedded(CountingProfilers(), CountingMonitors(), Path(directory))
    runtime.start()
    for number in range(int(first), int(first) + int(count)):
        entry = runtime.entry("predictions", b"%d" % number, b'{"n":%d}' % number)
        runtime.intake.submit(Group(entries=[entry])).result()
        print(number, flush=True)  # noqa: T201  # read by the test
    runtime.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
