"""Where words go: results to stdout, everything else to stderr.

Promises: colours and progress bars only on a terminal, and not with NO_COLOR; a JSON line is
written whole.
Leaves to others: what is said.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


def say(line: str) -> None:
    """A line for the operator, on stderr."""
    print(line, file=sys.stderr, flush=True)


def emit(document: bytes) -> None:
    """One JSON document as a line on stdout."""
    sys.stdout.buffer.write(document + b"\n")


def emit_object(content: object) -> None:
    """A value as JSON on stdout; structs and plain values."""
    import msgspec

    emit(msgspec.json.encode(content))
    sys.stdout.buffer.flush()


def results() -> "Console":
    """The console of results: stdout, wide where it is no terminal."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


@contextmanager
def progress(what: str, total: int) -> Iterator["Progress"]:
    """A progress bar on stderr with one task, 0; nothing at all where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        # Lines of results stay above the bar if both are on one terminal, and on stdout if not.
        redirect_stdout=sys.stdout.isatty(),
    )
    bar.add_task(what, total=total)
    with bar:
        yield bar
