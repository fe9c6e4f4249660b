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
from typing import Any, NamedTuple

from streams import snapshot
from streams.monitor.evidence import Ranges
from streams.monitor.intake import Intake
from streams.profiler.machine import Profiler
from streams.profiler.model import ModelCounter
from streams.runtime.kafka.tenure import Tenure
from tests.simulation.broker import Broker


class Mutation(NamedTuple):
    """In function `name` of `owner`, `old` becomes `new`."""

    owner: Any
    name: str
    old: str
    new: str


def _wall_clock() -> int:
    """Return the broker's time at the moment of reading, which no log remembers."""
    return Broker.latest.now


MUTATIONS = {
    "ack_before_snapshot": Mutation(
        Tenure,
        "cycle",
        "stamped = await self._store(producer, state, meta)",
        "[event.ack() for event in self._events[:covered]]\n"
        "            stamped = await self._store(producer, state, meta)",
    ),
    "last_written_snapshot": Mutation(
        snapshot,
        "assemble",
        "manifests.sort(key=lambda entry: (entry[0].meta.order, entry[0].meta.sequence), "
        "reverse=True)",
        "manifests.reverse()",
    ),
    "output_not_awaited": Mutation(
        Tenure,
        "cycle",
        "await _delivered(await self._sent(producer, outputs))",
        "await self._sent(producer, outputs)",
    ),
    "no_ownership_check": Mutation(
        Tenure, "cycle", "if state is not None and self.owned:", "if state is not None:"
    ),
    "wall_clock_in_state": Mutation(
        ModelCounter,
        "broker_marks",
        "return self._clocks[log].advance(times)",
        "return self._clocks[log].advance(np.maximum(times, _wall_clock()))",
    ),
    "offset_skipped_by_one": Mutation(
        Profiler, "step", "if record.offset >= start]", "if record.offset > start]"
    ),
    "random_tie_break": Mutation(
        Ranges,
        "_between",
        "sorted(spans.items())",
        "sorted(spans.items(), key=lambda _: _chance())",
    ),
    "profile_added": Mutation(
        Intake, "admit", "held.vector = np.zeros_like(held.vector)", "held.vector = +held.vector"
    ),
}


@contextmanager
def applied(name: str | None) -> Iterator[None]:
    """Run with the named mutation in force; None: with the code as it is."""
    if name is None:
        yield
        return
    mutation = MUTATIONS[name]
    usual = getattr(mutation.owner, mutation.name)
    source = textwrap.dedent(inspect.getsource(usual))
    if source.count(mutation.old) != 1:
        raise AssertionError(f"{name}: the line to be changed is not in {usual.__qualname__}")
    made: dict[str, Any] = {}
    exec(source.replace(mutation.old, mutation.new), dict(usual.__globals__), made)  # noqa: S102 - our own source
    # The code and not the name: whoever imported the function runs the mutated one, too.
    code, names = usual.__code__, usual.__globals__
    usual.__code__ = made[mutation.name].__code__
    names |= {"_wall_clock": _wall_clock, "_chance": random.Random(1).random}
    try:
        yield
    finally:
        usual.__code__ = code
        del names["_wall_clock"], names["_chance"]
