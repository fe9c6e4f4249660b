"""Running simulations by number: which world, which schedule, what differs, in how many processes.

Promises: number N is the same simulation everywhere; what differs names N.
Leaves to others: judging (`result`), printing (`scripts/simulate`).
"""

import gc
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing import get_context
from typing import Any, NamedTuple

from tests.simulation.mutations import MUTATIONS, applied
from tests.simulation.renewal import announced, differs
from tests.simulation.result import Result
from tests.simulation.setting import Setting
from tests.simulation.simulation import Simulation

SCHEDULES = 10
"""Simulations over one world, which share the run without faults."""

STEPS = 300

SKEWS_MS = {5: 25_000, 13: 4_000}
"""How far ahead the clocks of workers are in two worlds of sixteen: panes close too early there,
and only what is counted must stay the same."""


class Report(NamedTuple):
    """What some simulations came to; `failures` by number."""

    seeds: int
    failures: dict[int, list[tuple[Any, ...]]]
    crashes: Counter[str]
    repeated: int
    """Outputs that were appended more than once, with the same id and content."""

    @classmethod
    def empty(cls) -> "Report":
        """Nothing was run."""
        return cls(0, {}, Counter(), 0)


def simulate(number: int, *, steps: int = STEPS) -> Report:
    """Run simulation `number`."""
    world = number // SCHEDULES
    skew = SKEWS_MS.get(world % 16, 0)
    setting, plain = _without_faults(world)
    simulation = Simulation(setting, skew=skew)
    came = simulation.run(number, steps)
    epoch = announced(simulation.broker)
    if epoch is not None:
        found = differs(came, Simulation(setting, epoch=epoch).plain())
    else:
        found = came.differs(plain, counted_only=bool(skew))
        found += [("without faults", *problem) for problem in plain.problems]
    failures = {number: found} if found else {}
    return Report(1, failures, simulation.crashes, simulation.result.repeated)


@lru_cache(maxsize=2)
def _without_faults(world: int) -> tuple[Setting, Result]:
    gc.collect()
    setting = Setting(world)
    return setting, Simulation(setting).plain()


def some(numbers: Sequence[int], mutation: str | None = None, *, first: bool = False) -> Report:
    """Run several in this process; `first`: end with the first failure."""
    _without_faults.cache_clear()
    total = Report.empty()
    with applied(mutation), _collected_by_hand():
        for number in numbers:
            total = merged(total, simulate(number))
            if first and total.failures:
                break
    _without_faults.cache_clear()
    return total


@contextmanager
def _collected_by_hand() -> Iterator[None]:
    """Garbage is collected between worlds, and nothing that was there before is looked through."""
    usual = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if usual:
            gc.enable()


def many(numbers: range, processes: int | None = None) -> Iterator[Report]:
    """Run many in several processes; gives what came so far."""
    total = Report.empty()
    size = SCHEDULES * 5
    parts = [numbers[at : at + size] for at in range(0, len(numbers), size)]
    spawn = get_context("spawn")
    with ProcessPoolExecutor(processes or os.cpu_count(), mp_context=spawn) as pool:
        for report in pool.map(some, parts):
            total = merged(total, report)
            yield total


def seen(bound: int, processes: int | None = None) -> dict[str, bool]:
    """Whether each mutation shows within `bound` simulations."""
    spawn = get_context("spawn")
    with ProcessPoolExecutor(processes or os.cpu_count(), mp_context=spawn) as pool:
        tried = {name: pool.submit(some, range(bound), name, first=True) for name in MUTATIONS}
        return {name: bool(one.result().failures) for name, one in tried.items()}


def merged(one: Report, other: Report) -> Report:
    """Both together."""
    return Report(
        one.seeds + other.seeds,
        one.failures | other.failures,
        one.crashes + other.crashes,
        one.repeated + other.repeated,
    )
