"""Stacks: where every thread of a process stands, and what every task of its loops waits for.

A process that hangs in a coroutine has all its threads in a selector, which tells nobody anything.

Promises: tasks of all loops, also those that the collector was told to leave alone; no values of
variables, which may be somebody's data.
Leaves to others: when a process has come to its end (`watchdog`).
"""

import asyncio
import faulthandler
import gc
from collections.abc import Iterator
from typing import Any, TextIO


def dump(to: TextIO) -> None:
    """Write all of it; `to` must have a file descriptor."""
    faulthandler.dump_traceback(to)
    gc.unfreeze()  # else what the collector leaves alone would not be found
    tasks = [one for one in gc.get_objects() if isinstance(one, asyncio.Task) and not one.done()]
    for task in tasks:
        print(f"task {task.get_name()}:", *_awaits(task.get_coro()), sep="\n  ", file=to)
    to.flush()


def _awaits(awaited: Any) -> Iterator[str]:  # noqa: ANN401 - coroutines of three kinds
    """The places of a chain of coroutines, the innermost last, as in a traceback."""
    while awaited is not None:
        for kind, next_ in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
            frame = getattr(awaited, f"{kind}_frame", None)
            if frame is not None:
                code = frame.f_code
                yield f'File "{code.co_filename}", line {frame.f_lineno} in {code.co_qualname}'
                awaited = getattr(awaited, next_)
                break
        else:
            yield f"for {type(awaited).__name__}"
            return
