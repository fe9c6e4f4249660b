"""The laws of the machines over random worlds; every failure prints the seed that shows it.

Examples are derandomised: the same seeds run everywhere, the thorough runs are marked slow.
"""

import random
from collections import Counter

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.log import Record
from schemas.shadow import counted_as
from streams.monitor import saying
from tests.laws.mill import DAY, LOGS, Mill
from tests.laws.world import PANE, T0, TAME, Item, Ways, World, world

SEEDS = st.integers(0, 10**6)
CLOCKS = st.sampled_from(["broker", "event"])
IDS = st.sampled_from([1, 3, 8, 24])


def law(examples):
    """The same examples everywhere."""
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(
        derandomize=True, max_examples=examples, deadline=None, suppress_health_check=quiet
    )


def agree(one, other, *ignored):
    """Two runs said the same and counted the same."""
    assert [] == one.problems
    assert [] == other.problems
    assert one.spoken(*ignored) == other.spoken(*ignored)


def counted_right(mill):
    """Profiles and dead letters are those of the oracle, in every partition."""
    for p, truth in mill.truths().items():
        assert truth.cells == mill.cells(p)
        refused = {(log, mill.offsets[log, p][index]) for log, index in truth.refused}
        assert refused == {(log, o) for log, at, o in mill.letters if at == p}


# -- 1 and 13: chunking, accounting --------------------------------------------------------------


@law(60)
@given(SEEDS, CLOCKS, IDS, st.sampled_from([1, 2, 4]))
def test_chunking(seed, clock, ids, partitions):
    """Any split into batches, any interleaving of logs and machines: the same is said."""
    made = world(seed, ids=ids, clock=clock)
    whole = Mill(made, partitions, seed=seed).finish()
    split = Mill(made, partitions, seed=seed).run(seed, 120, faults=False)
    agree(whole, split)
    assert whole.profiles() == split.profiles()
    counted_right(whole)
    assert {1} >= set(split.letters.values())


@law(60)
@given(SEEDS, CLOCKS, IDS)
def test_accounting(seed, clock, ids):
    """At every flush each record read is in one account, as the oracle has it."""
    mill = Mill(world(seed, ids=ids, clock=clock), 2, seed=seed, check=True)
    assert [] == mill.run(seed, 150).problems


@law(150)
@given(st.data(), CLOCKS)
def test_the_store_against_its_definition(data, clock):
    """Logs of two ids: duplicates, conflicts, expiry, joins, corrections, opinions, shadows."""
    times = st.integers(0, 45).map(lambda n: T0 + n * 1_000)
    delays = st.integers(-2, 30).map(lambda n: n * 1_000)
    versions = st.sampled_from(["1", "2", counted_as("1", "shadow")])
    people = st.sampled_from([None, "ann", "bob"])
    asks = st.builds(
        lambda n, t, d, v, a: Item(
            "predictions", "prediction", t + d, n, t, v, 1.0, "a", 0.3, a, "eu"
        ),
        *(st.integers(0, 1), times, delays, versions, st.integers(0, 1)),
    )
    tells = st.builds(
        lambda n, t, d, a, k, who: Item(
            "labels", "label", t + d, n, t, answer=a, revision=k, annotator=who
        ),
        *(st.integers(0, 1), times, delays, st.integers(0, 1), st.integers(1, 3), people),
    )
    items = data.draw(st.lists(asks | tells, max_size=14))
    made = World(tuple(items), 3_000, 15_000, clock)
    mill = Mill(made, check=True).run(data.draw(st.integers(0, 99)), 40)
    assert [] == mill.problems
    counted_right(mill)


# -- 2: crash --------------------------------------------------------------------------------------


@law(8)
@given(SEEDS, CLOCKS)
def test_a_profiler_restored_at_any_record(seed, clock):
    """Saved and restored after each record in turn, the profiler ends where it would have."""
    made = world(seed, Ways(shadow=0.5), ids=5, span=5, clock=clock)
    plain = Mill(made, seed=seed).finish()
    order = sorted(
        (r.timestamp, log, r.offset) for (log, _), rs in plain.records.items() for r in rs
    )
    for stop in range(len(order)):
        mill = Mill(made, seed=seed, check=True)
        owner, mill.now = mill.owners[0], T0 + DAY
        for _, log, _ in order[: stop + 1]:
            mill.poll(owner, log, 1)
        mill.flush(owner)
        mill.send(owner, 1 << 30)
        mill.now = T0 - 1
        mill.owners[0] = mill._restored(0)
        agree(plain, mill.finish())
        assert plain.profiles() == mill.profiles()


@law(10)
@given(SEEDS, CLOCKS)
def test_a_monitor_restored_at_every_record(seed, clock):
    """Saved and restored after every journal record, the monitor says what it would have."""
    made = world(seed, ids=12, clock=clock)
    plain = Mill(made, 2, seed=seed).finish()
    monitor, said = made.roles()[1].fresh(0, 1), {}
    for record in plain.journal:
        monitor.step("journal", [record])
        for output in monitor.flush():
            said[dict(output.headers)["ce_id"].decode()] = output.value
        state = monitor.snapshot()
        monitor = made.roles()[1].restored(0, 1, state)
        assert state == monitor.snapshot()
    assert {name: value for name, (_, _, value, _) in plain.outputs.items()} == said


@law(6)
@given(SEEDS)
def test_learning_survives_anything(seed):
    """While a grid is learned, whatever fails: grid, profiles and readings are the same."""
    made = world(seed, ids=90, span=45, learning=40)
    plain = Mill(made, 2, seed=seed).finish()
    torn = Mill(made, 2, seed=seed).run(seed, 300)
    assert plain.references
    assert plain.references == torn.references
    agree(plain, torn)
    assert plain.profiles() == torn.profiles()
    assert set(plain.letters) == set(torn.letters)
    expected = {
        (log, p, plain.offsets[log, p][i])
        for p, truth in plain.truths().items()
        for log, i in truth.refused
    }
    assert expected == set(plain.letters)
    assert {1} >= set(plain.letters.values())


# -- 4 and 10: partitions, merge -------------------------------------------------------------------


def merged(mill, *apart):
    """Rows and vectors of the journal's profiles, summed over partitions; not of kinds `apart`.

    What was refused counts in the pane that its log had come to, and under the event clock that is
    a matter of the partition.
    """
    sums: dict[tuple, Counter] = {}
    for key, profile in mill.profiles().items():
        if key.kind in apart:
            continue
        into = sums.setdefault((key.kind, key.version, key.segment, key.pane, key.arrived), {})
        vector = profile.vector.full(1 << 12)
        into["rows"] = into.get("rows", 0) + profile.rows
        into["vector"] = into.get("vector", 0) + vector
    return {k: (v["rows"], v["vector"].tobytes()) for k, v in sums.items() if v["vector"].any()}


@law(20)
@given(SEEDS, CLOCKS)
def test_partitions(seed, clock):
    """Over 1, 4 or 16 partitions the same is said, and the parts of a profile add up to it."""
    ways = Ways() if clock == "broker" else TAME  # elsewhere late is a matter of the partition
    made = world(seed, ways, clock=clock)
    one, four, sixteen = (Mill(made, n, seed=seed).finish() for n in (1, 4, 16))
    agree(one, four, "evidence")
    agree(one, sixteen, "evidence")
    apart = () if clock == "broker" else ("refusals",)
    assert merged(one, *apart) == merged(four, *apart) == merged(sixteen, *apart)


@law(2)
@given(SEEDS)
def test_partitions_while_learning(seed):
    """The grid does not depend on how rows are spread either."""
    made = world(seed, ids=90, span=45, learning=40)
    one, four = (Mill(made, n, seed=seed).finish() for n in (1, 4))
    assert one.references
    assert one.references == four.references
    agree(one, four, "evidence")


# -- 5: duplicates ---------------------------------------------------------------------------------


@law(20)
@given(SEEDS, CLOCKS, st.sampled_from([0.1, 0.5, 1.0]))
def test_a_suffix_sent_again(seed, clock, share):
    """Producers that repeat the end of their logs, later, change nothing but the books."""
    made = world(seed, Ways(conflict=0), clock=clock)
    last = max(item.broker for item in made.items)
    again = [
        item._replace(broker=last + 1 + n)
        for n, item in enumerate(sorted(made.items, key=lambda x: x.broker))
        if item.kind in ("prediction", "label")
    ]
    more = made._replace(items=(*made.items, *again[int(len(again) * (1 - share)) :]))
    once, twice = Mill(made, 2, seed=seed).finish(), Mill(more, 2, seed=seed).finish()
    agree(once, twice, "evidence")
    for p in (0, 1):
        for log in ("predictions", "labels"):
            a, b = (m.owners[p].machine.accounting()[log] for m in (once, twice))
            assert (a.joined, a.outcomes) == (b.joined, b.outcomes)
            # A second label of an id, sent again after the first is forgotten, repeats nothing that
            # is known: it counts as a label, and joins nothing. In conflict it is so each time.
            assert log == "labels" or a.counted == b.counted
    assert merged(once, "refusals") == merged(twice, "refusals")


@law(25)
@given(SEEDS, CLOCKS)
def test_stale_writers(seed, clock):
    """Any journal record appended again, any later, any often, changes nothing that is said."""
    made = world(seed, clock=clock)
    plain = Mill(made, 2, seed=seed).run(seed, 120)
    r, journal = random.Random(seed), []
    for n, record in enumerate(plain.journal):
        journal.append(record.value)
        while r.random() < 0.5:
            journal.append(plain.journal[r.randint(0, n)].value)
    stale = Mill(made, 2, seed=seed)
    stale.journal = [Record(offset=n, timestamp=T0, value=value) for n, value in enumerate(journal)]
    stale.judge(1 << 30)
    stale.say()
    agree(plain, stale)


# -- 7: lateness -----------------------------------------------------------------------------------


@law(20)
@given(SEEDS, CLOCKS)
def test_any_order_within_the_lateness(seed, clock):
    """Rows that come in another order, none of them late, give the same readings."""
    made = world(seed, TAME, clock=clock)
    r = random.Random(seed)
    other = [
        item._replace(broker=item.time + r.randint(0, made.lateness)) if item.time else item
        for item in made.items
        if item.kind != "bad"
    ]
    moved = made._replace(items=tuple(other))
    sound = made._replace(items=tuple(x for x in made.items if x.kind != "bad"))
    agree(Mill(sound, 2, seed=seed).finish(), Mill(moved, 2, seed=seed).finish(), "evidence")


@law(15)
@given(SEEDS, st.integers(1, 8))
def test_a_late_row_leaves_issued_readings_alone(seed, pane):
    """What was said before a late row arrived is said word for word with it, too."""
    made = world(seed, TAME)
    time = T0 + pane * PANE - 1
    came = time + made.lateness + PANE
    row = Item("predictions", "prediction", came, 5, time, "1", 9.0, "z", 0.9, 1, "eu")
    late = made._replace(items=(*made.items, row))
    runs = []
    for each in (made, late):
        mill = Mill(each, seed=seed)
        mill.now = came - 1
        for _ in range(2):
            for log in LOGS:
                mill.poll(mill.owners[0], log, 1 << 30)
        mill.flush(mill.owners[0])
        mill.send(mill.owners[0], 1 << 30)
        mill.judge(1 << 30)
        mill.say()
        early = mill.spoken()
        runs.append((early, mill.finish()))
    assert runs[0][0] == runs[1][0]
    assert [] == runs[1][1].problems
    assert runs[1][0].items() <= runs[1][1].spoken().items()
    assert runs[1][1].owners[0].machine.accounting()["predictions"].late == 1


# -- 9: finite -------------------------------------------------------------------------------------


def numbers(tree):
    """All floats in plain values."""
    if isinstance(tree, float):
        yield tree
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from numbers(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from numbers(value)


@pytest.mark.parametrize("x", [1e308, -1e308, 5e-324, 0.0, None])
def test_nothing_leaves_that_is_not_finite(x, monkeypatch):
    """Whatever the values, no event holds NaN or infinity (JSON would have hidden it as null)."""
    seen = []
    usual = saying.encode
    monkeypatch.setattr(saying, "encode", lambda event: seen.append(event) or usual(event))
    for seed in range(8):
        made = world(seed)
        odd = [item._replace(x=x, score=None) if item.number % 2 else item for item in made.items]
        assert [] == Mill(made._replace(items=tuple(odd)), 2).finish().problems
    found = [n for event in seen for n in numbers(msgspec.to_builtins(event))]
    assert len(found) > 1000
    assert not [n for n in found if not abs(n) < float("inf")]


def test_the_worlds_are_not_too_tame():
    """Over some seeds every fate of a record, drift events, alerts and late rows occur."""
    topics, fates = Counter(), Counter()
    for seed in range(12):
        mill = Mill(world(seed)).finish()
        topics += Counter(topic for topic, *_ in mill.outputs.values())
        for tally in mill.owners[0].machine.accounting().values():
            fates += Counter(msgspec.structs.asdict(tally))
        kinds = Counter(key.kind for key in mill.profiles())
        fates += kinds
    assert {"readings", "drift-events", "alerts"} <= set(topics)
    names = "duplicate conflict expired dead_lettered tombstone late joined orphaned outcomes"
    assert [] == [name for name in (*names.split(), "revisions") if not fates[name]]
