"""A seeded scheduler over a fake log: whatever fails and whenever, the same is said.

It delivers, flushes, appends outputs one by one, stores snapshots in two slots, ticks, crashes
machines between any two appends, and lets owners that lost their partition write on. A failure
names the seeds of world and schedule; `Mill(world(W), P, seed=W).run(S, STEPS)` repeats it.
"""

import pytest

from tests.laws.mill import Mill
from tests.laws.world import Ways, world

PARTITIONS = (1, 2, 3)


def faults(seed, *, schedules, steps, skew=0, **shape):
    """What differs from the run without faults, for a few schedules over one world.

    With a `skew` of the clocks that tick, panes close early: what is counted must not change.
    """
    partitions = PARTITIONS[seed % 3]
    made = world(seed, Ways(late=0.15, conflict=0.1), **shape)
    plain = Mill(made, partitions, seed=seed).finish()
    expected = {
        (log, p, plain.offsets[log, p][index])
        for p, truth in plain.truths().items()
        for log, index in truth.refused
    }
    found = [] if expected == set(plain.letters) else [("letters without faults", seed)]
    for schedule in range(seed * schedules, (seed + 1) * schedules):
        torn = Mill(made, partitions, seed=seed)
        torn.skew = skew
        torn.run(schedule, steps)
        found += [(problem, seed, schedule) for problem in torn.problems]
        if not skew and plain.spoken() != torn.spoken():
            found.append(("other outputs", seed, schedule))
        if plain.profiles() != torn.profiles() or plain.references != torn.references:
            found.append(("other counts", seed, schedule))
        if expected != set(torn.letters):
            found.append(("other dead letters", seed, schedule))
        if not shape.get("learning"):
            cells = {p: truth.cells for p, truth in torn.truths().items()}
            if cells != {p: torn.cells(p) for p in cells}:
                found.append(("other counts than the oracle", seed, schedule))
    return found


@pytest.mark.parametrize("clock", ["broker", "event"])
def test_no_schedule_changes_what_is_said(clock):
    """A hundred schedules each: the outputs of a run without faults, no id with two payloads."""
    seeds = range(25)
    assert [] == [bad for s in seeds for bad in faults(s, schedules=4, steps=200, clock=clock)]


@pytest.mark.parametrize("skew", [4_000, 25_000])
def test_no_wrong_clock_changes_what_is_counted(skew):
    """A worker whose clock is ahead closes panes too early; all is counted all the same."""
    assert [] == [bad for s in range(8) for bad in faults(s, schedules=3, steps=200, skew=skew)]


def test_no_schedule_changes_what_is_learned():
    """The same while a grid is learned and the logs are read a second time."""
    shape = {"ids": 70, "span": 45, "learning": 40}
    assert [] == [bad for s in range(4) for bad in faults(s, schedules=3, steps=300, **shape)]


@pytest.mark.slow
@pytest.mark.parametrize("clock", ["broker", "event"])
def test_no_schedule_of_thousands_changes_what_is_said(clock):
    """Four thousand longer schedules over a thousand other worlds."""
    seeds = range(1_000, 2_000)
    assert [] == [bad for s in seeds for bad in faults(s, schedules=4, steps=400, clock=clock)]


@pytest.mark.slow
def test_no_schedule_of_hundreds_changes_what_is_learned():
    """Three hundred schedules of learning."""
    shape = {"ids": 90, "span": 45, "learning": 40}
    seeds = range(1_000, 1_100)
    assert [] == [bad for s in seeds for bad in faults(s, schedules=3, steps=400, **shape)]
