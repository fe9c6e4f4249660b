"""A memory for the one function of constants that would take half of all the time here.

The alternatives of a detector are a function of its reference, and a simulation makes the same
few detectors thousands of times.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

_known: dict[tuple[Any, ...], Any] = {}
_MOST = 20_000


def remembered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function`, which answers the same question only once."""

    def answer(reference: Any, *args: Any, **more: Any) -> Any:
        question = function, _plain(reference), args, tuple(sorted(more.items()))
        if question not in _known:
            if len(_known) > _MOST:
                _known.clear()
            _known[question] = function(reference, *args, **more)
        return _known[question]

    return answer


def _plain(reference: Any) -> tuple[Any, ...]:
    """The fields of a dataclass as something that can be looked up."""
    values = (getattr(reference, field.name) for field in dataclasses.fields(reference))
    return tuple(one.tobytes() if isinstance(one, np.ndarray) else one for one in values)
