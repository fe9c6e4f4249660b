"""How a command ends: an exit code, and one line on stderr where something is wrong.

Promises: 0 ok, 1 drift found (only with --fail-on), 2 usage or config, 3 a broker or file that
cannot be reached, 70 an error of ours; an operator's error is one line per problem, never a
traceback; WINDAGE_TRACEBACK=1 shows the traceback as well.
Leaves to others: usage errors (typer, also 2), Ctrl-C (130).
"""

import os
import sys
import traceback
from typing import Final

DRIFT: Final = 1
REFUSED: Final = 2
UNREACHABLE: Final = 3
BROKEN: Final = 70
"""An error of ours (EX_SOFTWARE)."""

READER_GONE: Final = 141
"""Whoever read our output has gone (128 + SIGPIPE)."""


class OperatorError(Exception):
    """Something an operator can mend: the message says what; `code` is the exit code."""

    def __init__(self, message: str, code: int = REFUSED) -> None:
        super().__init__(message)
        self.code = code


def tell(error: Exception) -> int:
    """Say on stderr what is wrong; gives the exit code."""
    if isinstance(error, BrokenPipeError):
        # The interpreter would complain when it flushes stdout at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    if os.environ.get("WINDAGE_TRACEBACK"):
        traceback.print_exception(error)
    code = code_of(error)
    for line in (_words(error) or type(error).__name__).splitlines():
        print(f"windage: {line}" if code != BROKEN else _ours(error), file=sys.stderr)
        if code == BROKEN:
            break
    return code


def code_of(error: Exception) -> int:
    """The exit code that an exception means."""
    if isinstance(error, OperatorError):
        return error.code
    kinds = {kind.__name__ for kind in type(error).__mro__}  # names, so that nothing is imported
    if kinds & {"ConfigError", "RefusedError", "SnapshotError"}:
        return REFUSED
    if kinds & {"FileError", "UnreachableError", "LogError", "OSError"}:
        return UNREACHABLE
    return BROKEN


def _words(error: Exception) -> str:
    """What an exception says; of a file its path first, as everywhere else."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror.lower()}"
    return str(error)


def _ours(error: Exception) -> str:
    kind = type(error).__name__
    return f"windage: {kind}: {error} (a bug of ours; WINDAGE_TRACEBACK=1 shows where)"
