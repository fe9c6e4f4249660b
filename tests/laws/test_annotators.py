"""Several people may label one prediction: the first label counts, others are opinions of it."""

import orjson
import pytest

from tests.laws.mill import Mill
from tests.laws.test_laws import agree, counted_right
from tests.laws.world import PANE, T0, Item, Ways, World, world
from tests.stores.cupboard import Apart, Cupboard, counted

SEVERAL = Ways(annotators=0.9, corrected=0.4, again=0.3)


def tell(answer, who, *, revision=1, at=0):
    """A label of the one prediction, `at` milliseconds after it."""
    time = T0 + at
    return Item("labels", "label", time, 0, time, answer=answer, revision=revision, annotator=who)


def books(*labels):
    """Conflicts, duplicates, opinions, outcomes of one prediction with these labels; its pairs."""
    asked = Item("predictions", "prediction", T0, 0, T0, "1", 1.0, "a", 0.3)
    mill = Mill(World((asked, *labels), 3_000, 30_000)).finish()
    assert [] == mill.problems
    tally = mill.owners[0].machine.accounting()["labels"]
    pairs = {
        place[-1]: count
        for place, count in mill.cells(0).items()
        if place[0] == place[-2] == "opinions"
    }
    return (tally.conflict, tally.duplicate, tally.opinions, tally.outcomes), pairs


@pytest.mark.parametrize(
    ("second", "expected", "pairs"),
    [
        (tell(0, "bob", at=1), (0, 0, 1, 1), {4: 1}),
        (tell(1, "bob", at=1), (0, 0, 1, 1), {5: 1}),
        (tell(0, "ann", at=1), (1, 0, 0, 1), {}),
        (tell(1, "ann", at=1), (0, 1, 0, 1), {}),
        (tell(0, None, at=1), (1, 0, 0, 1), {}),
        (tell(0, "", at=1), (1, 0, 0, 1), {}),
        (tell(0, "bob", revision=2, at=1), (0, 0, 0, 1), {}),
        (tell(0, "bob", revision=0, at=1), (0, 1, 0, 1), {}),
    ],
)
def test_a_second_label_is_what_its_annotator_and_revision_make_it(second, expected, pairs):
    """Ann has said 1. Another one has an opinion; she, or nobody named, repeats or contradicts."""
    assert (expected, pairs) == books(tell(1, "ann"), second)


def test_an_opinion_is_heard_once_of_each_annotator():
    """Who says it again repeats himself, who says otherwise contradicts himself."""
    labels = [tell(1, "ann"), tell(0, "bob", at=1), tell(0, "bob", at=2), tell(1, "bob", at=3)]
    assert ((1, 1, 2, 1), {4: 1, 5: 1}) == books(*labels, tell(1, "cid", at=4))


def test_opinions_of_a_correction_stand_beside_it():
    """Whoever corrects gives the label that counts from then on."""
    labels = [tell(1, "ann"), tell(0, "bob", at=1), tell(0, "bob", revision=2, at=2)]
    assert ((0, 0, 2, 1), {4: 1, 1: 1}) == books(*labels, tell(1, "ann", revision=2, at=3))


def test_an_opinion_makes_no_outcome_even_where_the_label_that_counts_is_too_far():
    """A prediction 40 s after the first label waits for 30 s; the opinion is near, and no label."""
    at = T0 + 40_000
    asked = Item("predictions", "prediction", at, 0, at, "1", 1.0, "a", 0.3)
    made = World((asked, tell(1, "ann"), tell(0, "bob", at=20_000)), 3_000, 30_000)
    mill = Mill(made).finish()
    counted_right(mill)
    assert [] == mill.problems
    tally = mill.owners[0].machine.accounting()["labels"]
    assert (0, 1, 1) == (tally.outcomes, tally.opinions, tally.orphaned)


def test_an_opinion_is_no_orphan():
    """Without a prediction the label that counts is one; what others thought of it is not."""
    mill = Mill(World((tell(1, "ann"), tell(0, "bob", at=1)), 3_000, 30_000)).finish()
    assert [] == mill.problems
    tally = mill.owners[0].machine.accounting()["labels"]
    assert (2, 1, 1) == (tally.counted, tally.orphaned, tally.opinions)


@pytest.mark.parametrize("clock", ["broker", "event"])
@pytest.mark.parametrize("seed", range(3))
def test_opinions_are_counted_once_through_crashes_and_stale_owners(seed, clock):
    """As their definition has it, in any batches; outcomes are those of the labels that count."""
    made = world(seed, SEVERAL, clock=clock)
    whole = Mill(made, 2, seed=seed).finish()
    split = Mill(made, 2, seed=seed, check=True).run(seed, 150, faults=False)
    crashed = Mill(made, 2, seed=seed).run(seed, 150)
    agree(whole, split)
    agree(whole, crashed)
    for mill in (whole, split, crashed):
        counted_right(mill)
    assert "opinions" in {place[0] for place in whole.cells(None)}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 400))
def test_opinions_in_many_worlds(seed):
    """The same over many seeds, in memory and elsewhere."""
    made = world(seed, SEVERAL, ids=12, clock="broker" if seed % 2 else "event")
    counted_right(Mill(made, 2, seed=seed, check=True).run(seed, 200))
    plain = Mill(made, 2, seed=seed).finish()
    mill = Mill(Apart.of(made, Cupboard()), 2, seed=seed).run(seed, 200)
    counted_right(mill)
    assert counted(plain) == counted(mill)


@pytest.mark.parametrize("seed", range(3))
def test_labels_that_wait_elsewhere_keep_their_annotators(seed):
    """Memory is emptied at every flush; who has labelled comes back with the label."""
    made, store = world(seed, SEVERAL), Cupboard()
    plain = Mill(made, 2, seed=seed).finish()
    mill = Mill(Apart.of(made, store), 2, seed=seed).run(seed, 150)
    counted_right(mill)
    assert counted(plain) == counted(mill)
    assert plain.spoken() == mill.spoken()
    assert store.taken
    assert "opinions" in {place[0] for place in mill.cells(None)}


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_crash_after_every_record(seed):
    """Restored after each record in turn, it ends alike."""
    made = world(seed, SEVERAL, ids=3, span=4)
    plain = Mill(made, seed=seed).finish()
    counted_right(plain)
    assert "opinions" in {place[0] for place in plain.cells(None)}
    order = sorted(
        (r.timestamp, log, r.offset) for (log, _), rs in plain.records.items() for r in rs
    )
    for stop in range(len(order)):
        mill = Mill(made, seed=seed)
        owner, mill.now = mill.owners[0], order[-1][0] + 1
        for number, (_, log, _) in enumerate(order[: stop + 1]):
            mill.poll(owner, log, 1)
            mill.flush(owner, snapshot=number % 3 == 0)
            mill.send(owner, 1 << 30)
        mill.owners[0] = mill._restored(0)
        agree(plain, mill.finish())
        assert plain.profiles() == mill.profiles()


def test_however_many_partitions_there_are_the_pairs_are_the_same():
    """All labels of one prediction are in one partition."""
    made = world(4, SEVERAL)
    one, four = (Mill(made, n, seed=4).finish().cells(None) for n in (1, 4))
    pairs = [{k: n for k, n in cells.items() if k[0] == "opinions"} for cells in (one, four)]
    assert pairs[0]
    assert pairs[0] == pairs[1]


def labelled(number, pane):
    """A prediction and what ann, bob and cid say of it: bob is of another mind a fifth time."""
    at = T0 + pane * PANE + number
    asked = Item("predictions", "prediction", at, number, at, "1", 1.0, "a", 0.3, number % 2)
    told = Item("labels", "label", at, number, at, answer=number % 2, annotator="ann")
    other = int((number % 2) ^ (number % 5 == 0))
    return asked, told, told._replace(broker=at + 1, answer=other, annotator="bob")


def test_how_far_annotators_agree_is_said():
    """A reading of the model, with its interval, that alarms nobody; the same after any crash."""
    items = [item for n in range(200) for item in labelled(n, n // 50)]
    spoken = []
    for faults in (False, True):
        mill = Mill(World(tuple(items), 3_000, 30_000), 2).run(5, 120, faults=faults)
        counted_right(mill)
        said = [
            orjson.loads(value)
            for topic, _, value, _ in mill.outputs.values()
            if topic == "readings" and b'"label:agreement"' in value
        ]
        spoken.append(
            sorted((o["current"]["window"]["end"], o["detector"], o["statistic"]) for o in said)
        )
        last = [one for one in said if one["current"]["rows"] == 200]
        assert {"pairs": 0.8, "kappa": 0.6} == {
            one["detector"]: round(one["statistic"], 9) for one in last
        }
        assert {False} == {one["breach"] for one in said}
    assert spoken[0] == spoken[1]


@pytest.mark.parametrize("last", range(30_000, 60_000, 5_000))
def test_a_restore_that_has_lost_the_first_label_takes_no_opinion_for_it(last):
    """Wherever memory ends between the two, the second does not become the one that counts."""
    other = tell(1, None, at=last)._replace(number=1)
    asked = Item("predictions", "prediction", other.broker, 1, other.time, "1", 1.0, "a", 0.3)
    made = World((tell(1, "ann"), tell(0, "bob", at=20_000), asked, other), 3_000, 30_000)
    mill = Mill(made, check=True)
    owner, mill.now = mill.owners[0], T0 + last + 1
    for log in ("predictions", "labels"):
        mill.poll(owner, log, 1 << 30)
    mill.flush(owner)
    mill.send(owner, 1 << 30)
    mill.owners[0] = mill._restored(0)
    counted_right(mill.finish())
    assert [] == mill.problems
    assert 1 == mill.owners[0].machine.accounting()["labels"].orphaned
