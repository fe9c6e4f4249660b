"""The command line: `windage` and its commands.

Promises: with `--json` nothing but JSON is on stdout; everything else goes to stderr; exit codes
are those of `endings`; what an operator can mend is one clear line, never a traceback; only what a
command needs is imported when it runs, so that help is quick.
Leaves to others: the work itself (runtimes, machines, schemas).
"""

import sys
from typing import Final

REFUSED: Final = 2
"""As in `endings`, which cannot be imported where a package is missing."""


def main() -> None:
    """Run the command that the arguments name, and end with its exit code."""
    try:
        from streams.cli.app import app
        from streams.cli.endings import tell
    except ModuleNotFoundError as error:
        sys.exit(_without_server(error))

    try:
        app(prog_name="windage")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the last place where anything can be said of it
        sys.exit(tell(error))


def _without_server(error: ModuleNotFoundError) -> int:
    """Say what to install where only the client library is; gives the exit code."""
    print(
        f"windage: the commands need more than the client library ({error.name} is missing): "
        "pip install 'windage[server]'",
        file=sys.stderr,
    )
    return REFUSED
