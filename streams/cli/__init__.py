"""The command line: `windage` and its commands.

Promises: with `--json` nothing but JSON is on stdout; everything else goes to stderr; exit codes
are those of `endings`; what an operator can mend is one clear line, never a traceback; only what a
command needs is imported when it runs, so that help is quick.
Leaves to others: the work itself (runtimes, machines, schemas).
"""

import sys


def main() -> None:
    """Run the command that the arguments name, and end with its exit code."""
    from streams.cli.app import app
    from streams.cli.endings import tell

    try:
        app(prog_name="windage")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the last place where anything can be said of it
        sys.exit(tell(error))
