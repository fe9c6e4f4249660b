"""A memory for functions of constants that would take most of all the time here.

What follows from a grid or a reference alone is worked out once in the life of a real worker. A
simulation makes the same few machines thousands of times.

Promises: only functions without state whose answers nobody changes; the machines themselves are
made anew each time.
Leaves to others: when it is in force (`simulation`).
"""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import streams.monitor.lane
import streams.monitor.model
import streams.profiler.model
import tests.laws.mill
from detectors import shiryaev_roberts
from schemas.grid import Layout
from streams.columns import Columns
from streams.monitor.yardstick import Yardstick

_known: dict[tuple[Any, ...], Any] = {}
_MOST = 20_000


def remembered(function: Callable[..., Any], plain: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return `function`, which answers the same question only once.

    `plain` makes something that can be looked up of its first argument.
    """

    def answer(first: Any, *args: Any, **more: Any) -> Any:
        question = function, plain(first), *map(_itself, args), *sorted(more.items())
        if question not in _known:
            if len(_known) > _MOST:
                _known.clear()
            _known[question] = function(first, *args, **more)
        return _known[question]

    return answer


def _fields(one: Any) -> tuple[Any, ...]:
    """The fields of a dataclass."""
    values = (getattr(one, field.name) for field in dataclasses.fields(one))
    return tuple(value.tobytes() if isinstance(value, np.ndarray) else value for value in values)


def _grid(layout: Layout) -> Any:
    return layout.grid


def _itself(one: Any) -> Any:
    return tuple(one) if isinstance(one, list) else one


_FUNCTIONS: tuple[tuple[Any, str, Callable[..., Any], Callable[[Any], Any]], ...] = (
    (shiryaev_roberts, "alternatives", shiryaev_roberts.alternatives, _fields),
    (streams.monitor.model, "Layout", Layout, _itself),
    (streams.profiler.model, "Layout", Layout, _itself),
    (tests.laws.mill, "Layout", Layout, _itself),
    (streams.profiler.model, "Columns", Columns, _grid),
    (streams.monitor.lane, "Yardstick", Yardstick, _itself),
)
"""Where a function of constants is called, under which name, and what its answers depend on."""

_REMEMBERING = [(where, name, remembered(f, plain)) for where, name, f, plain in _FUNCTIONS]


@contextmanager
def remembering() -> Iterator[None]:
    """Let the functions remember."""
    for where, name, function in _REMEMBERING:
        setattr(where, name, function)
    try:
        yield
    finally:
        for where, name, function, _ in _FUNCTIONS:
            setattr(where, name, function)
