"""Counted otherwise from a place on: exact from there, whoever else still reads and writes."""

import random

import pytest

from schemas.config import Config
from tests.laws.renewed import Renewed, begun_there
from tests.laws.world import MODEL, World, world

SEEDS = [pytest.param(n, marks=pytest.mark.slow if n > 3 else ()) for n in range(60)]
LEARNING = [pytest.param(n, marks=pytest.mark.slow if n > 0 else ()) for n in range(1_000, 1_012)]


class Wide(World):
    """A world whose panes are twice as long."""

    def config(self) -> Config:
        """The config of the one model."""
        told = super().config().model_dump(mode="json", by_alias=True)
        told["models"][MODEL]["pane"] = "20s"
        return Config.model_validate(told)


def changed(seed: int, *, learning: int = 0, wide: bool = False) -> Renewed:
    """A random world and schedule with a change of the config somewhere in it, to its end."""
    r = random.Random(seed)
    shape = {"ids": 70, "span": 45, "learning": learning} if learning else {"ids": 24, "span": 9}
    clock = r.choice(["broker", "broker", "event"])
    before = world(seed, clock=clock, **shape)
    after = before._replace(lateness=r.choice([2_000, 8_000]), horizon=r.choice([24_000, 40_000]))
    after = Wide(*after) if wide else after
    mill = Renewed(before, after, r.choice([1, 2]), seed=seed)
    # Under the event clock an end of the stream that lies before the change is not heard again.
    mill.changes_at(r.randint(5, 12) if clock == "event" else r.randint(10, 90), r)
    return mill.run(seed, 260)


@pytest.mark.parametrize("seed", SEEDS)
def test_after_a_change_everything_is_counted_once_by_the_new_rules(seed):
    """The profiles of the new epoch are what the oracle counts from its place on, and no more."""
    mill = changed(seed)
    assert [] == mill.problems
    assert mill.epoch is not None
    assert [] == mill.recounted()


@pytest.mark.parametrize("seed", SEEDS)
def test_after_a_change_the_same_is_said_as_by_one_who_begins_there(seed):
    """Also with panes of another length: nothing of the old epoch is mixed in."""
    mill = changed(seed, wide=seed % 2 == 0)
    assert [] == mill.problems
    fresh = begun_there(mill, seed)
    assert [] == fresh.problems
    assert fresh.anew() == mill.anew()


@pytest.mark.parametrize("seed", LEARNING)
def test_a_model_that_learns_learns_anew(seed):
    """A change while it learns, or after: the new epoch has a grid and a reference of its own."""
    mill = changed(seed, learning=40)
    assert [] == mill.problems
    fresh = begun_there(mill, seed)
    assert fresh.learned() == mill.learned()
    assert fresh.anew() == mill.anew()


def test_some_of_these_schedules_stop_who_holds_on_to_the_old_way():
    """Else nothing above would show that old owners and monitors do no harm."""
    assert 0 < sum(changed(seed).superseded for seed in range(4))
