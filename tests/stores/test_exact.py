"""What waits elsewhere is counted exactly as what waits in memory, whatever crashes or repeats."""

import pytest

from streams.snapshot import SnapshotError
from tests.laws.mill import Mill
from tests.laws.world import Ways, world
from tests.stores.cupboard import Apart, Cupboard, counted

AWKWARD = Ways(corrected=0.5, again=0.4, conflict=0.3)


def right(mill):
    """Profiles are those of the oracle, and so are the accounts (which the mill compares)."""
    assert [] == mill.problems
    for p, truth in mill.truths().items():
        assert truth.cells == mill.cells(p)


def both(seed, clock, steps):
    """A world in memory, and the same with a store and every kind of fault."""
    made, store = world(seed, AWKWARD, ids=12, clock=clock), Cupboard()
    plain = Mill(made, 2, seed=seed).finish()
    return plain, Mill(Apart.of(made, store), 2, seed=seed).run(seed, steps), store


@pytest.mark.parametrize("clock", ["broker", "event"])
@pytest.mark.parametrize("seed", range(3))
def test_both_stores_count_the_same_through_crashes_and_stale_owners(seed, clock):
    """Same profiles, accounts and readings, though memory is emptied at every flush."""
    plain, mill, store = both(seed, clock, 150)
    right(mill)
    assert counted(plain) == counted(mill)
    assert plain.spoken() == mill.spoken()
    assert store.asked
    assert store.taken


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 500))
def test_both_stores_count_the_same_in_many_worlds(seed):
    """The same, over many seeds."""
    plain, mill, _ = both(seed, "broker" if seed % 2 else "event", 200)
    right(mill)
    assert counted(plain) == counted(mill)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 9))]
)
def test_a_crash_after_every_record(seed):
    """Restored after each record in turn, with the store one flush ahead or not, it ends alike."""
    made = world(seed, AWKWARD, ids=4, span=5)
    plain = Mill(made, seed=seed).finish()
    order = sorted(
        (r.timestamp, log, r.offset) for (log, _), rs in plain.records.items() for r in rs
    )
    for stop in range(len(order)):
        store = Cupboard()
        mill = Mill(Apart.of(made, store), seed=seed)
        owner, mill.now = mill.owners[0], order[-1][0] + 1
        for number, (_, log, _) in enumerate(order[: stop + 1]):
            mill.poll(owner, log, 1)
            mill.flush(owner, snapshot=number % 3 == 0)
            # Every other time the store has the rows, and the snapshot is lost with the process.
            mill.send(owner, 0 if (stop - number) < stop % 2 + 1 else 1 << 30)
        mill.owners[0] = mill._restored(0)
        right(mill.finish())
        assert plain.profiles() == mill.profiles()


@pytest.mark.parametrize("seed", range(2))
def test_a_store_that_takes_nothing_costs_nothing_but_memory(seed):
    """A full store answers and takes no row: everything is re-read after a crash, as in memory."""
    made, store = world(seed, AWKWARD, ids=12), Cupboard()
    store.full = lambda: True
    plain = Mill(made, 2, seed=seed).finish()
    mill = Mill(Apart.of(made, store), 2, seed=seed).run(seed, 120)
    right(mill)
    assert counted(plain) == counted(mill)
    assert 0 == store.taken


def test_a_store_that_comes_and_goes_while_full():
    """Taking rows now and then changes nothing either."""
    seed = 7
    made, store = world(seed, AWKWARD, ids=24), Cupboard()
    calls = iter(range(1 << 30))
    store.full = lambda: next(calls) % 3 != 0
    plain = Mill(made, 2, seed=seed).finish()
    mill = Mill(Apart.of(made, store), 2, seed=seed).run(seed, 200)
    right(mill)
    assert counted(plain) == counted(mill)


def test_learning_is_done_in_memory_and_then_counted_apart():
    """A model that learns its grid first says the same with a store."""
    seed = 3
    made, store = world(seed, ids=90, span=45, learning=40), Cupboard()
    plain = Mill(made, 1, seed=seed).finish()
    mill = Mill(Apart.of(made, store), 1, seed=seed).run(seed, 300, faults=False)
    assert plain.spoken() == mill.spoken()
    assert store.taken


def test_a_state_whose_rows_lie_elsewhere_needs_that_store():
    """Without the store a snapshot is refused by name instead of counting less."""
    made = world(1, ids=8)
    mill = Mill(Apart.of(made, Cupboard()), seed=1).finish()
    state = mill.owners[0].machine.snapshot()
    with pytest.raises(SnapshotError, match="lies in Redis"):
        made.roles()[0].restored(0, 1, state)


def test_a_state_from_memory_goes_on_in_a_store():
    """The other way round nothing is lost: what waits is re-read, and leaves."""
    made, store = world(5, AWKWARD, ids=12), Cupboard()
    plain = Mill(made, seed=5).finish()
    mill = Mill(made, seed=5)
    owner, mill.now = mill.owners[0], plain.now
    for log in ("predictions", "labels"):
        mill.poll(owner, log, 15)
    mill.flush(owner)
    mill.send(owner, 1 << 30)
    mill.world = Apart.of(made, store)
    mill.owners[0] = mill._restored(0)
    right(mill.finish())
    assert plain.profiles() == mill.profiles()
    assert store.taken
