"""Eight faults that a careless change could bring in, each made in the real code by one edit.

Promises: the edit is of the source as it stands; where the line to be changed is gone, applying it
is an error and not a pass.
Leaves to others: seeing the fault (`run`).
"""

import inspect
import random
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any, NamedTuple

from streams import snapshot
from streams.monitor.evidence import Ranges
from streams.monitor.intake import Intake
from streams.profiler.machine import Profiler
from streams.profiler.model import ModelCounter
from streams.runtime.kafka.tenure import Tenure
from tests.simulation.broker import Broker


class Mutation(NamedTuple):
    """In the one function of `owner` (a class or module) that has it, `old` becomes `new`."""

    owner: Any
    old: str
    new: str


def _wall_clock() -> int:
    """Return the broker's time at the moment of reading, which no log remembers."""
    return Broker.latest.now


MUTATIONS = {
    "ack_before_snapshot": Mutation(
        Tenure,
        "stamped = await self._store(producer, state, meta)",
        "[event.ack() for event in self._events[:covered]]\n"
        "            stamped = await self._store(producer, state, meta)",
    ),
    "last_written_snapshot": Mutation(
        snapshot,
        "manifests.sort(key=lambda entry: (entry[0].meta.order, entry[0].meta.sequence), "
        "reverse=True)",
        "manifests.reverse()",
    ),
    "output_not_awaited": Mutation(
        Tenure,
        "await _delivered(await self._sent(producer, outputs))",
        "await self._sent(producer, outputs)",
    ),
    "no_ownership_check": Mutation(
        Tenure, "if state is not None and self.owned:", "if state is not None:"
    ),
    "wall_clock_in_state": Mutation(
        ModelCounter,
        "return self._clocks[log].advance(times)",
        "return self._clocks[log].advance(np.maximum(times, _wall_clock()))",
    ),
    "offset_skipped_by_one": Mutation(
        Profiler, "if record.offset >= start]", "if record.offset > start]"
    ),
    "random_tie_break": Mutation(
        Ranges,
        "sorted(spans.items())",
        "sorted(spans.items(), key=lambda _: _chance())",
    ),
    "profile_added": Mutation(
        Intake, "held.vector = np.zeros_like(held.vector)", "held.vector = +held.vector"
    ),
}


@contextmanager
def applied(name: str | None) -> Iterator[None]:
    """Run with the named mutation in force; None: with the code as it is."""
    if name is None:
        yield
        return
    mutation = MUTATIONS[name]
    usual, source = _place(mutation)
    made: dict[str, Any] = {}
    exec(source.replace(mutation.old, mutation.new), dict(usual.__globals__), made)  # noqa: S102 - our own source
    # The code and not the name: whoever imported the function runs the mutated one, too.
    code, names = usual.__code__, usual.__globals__
    usual.__code__ = made[usual.__name__].__code__
    names |= {"_wall_clock": _wall_clock, "_chance": random.Random(1).random}
    try:
        yield
    finally:
        usual.__code__ = code
        del names["_wall_clock"], names["_chance"]


def _place(mutation: Mutation) -> tuple[FunctionType, str]:
    """The function that is to be changed, and its source."""
    own = [one for one in vars(mutation.owner).values() if isinstance(one, FunctionType)]
    sources = [(one, textwrap.dedent(inspect.getsource(one))) for one in own]
    found = [(one, source) for one, source in sources if mutation.old in source]
    if [source.count(mutation.old) for _, source in found] != [1]:
        raise AssertionError(f"not once in {mutation.owner.__name__}: {mutation.old}")
    return found[0]
