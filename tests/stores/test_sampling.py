"""Hash sampling: a share of the ids is kept for joining, and nothing pretends to be more."""

import numpy as np
import orjson
import pytest

from schemas.frames.ids import Ids
from streams.join import chosen
from tests.laws.mill import Mill
from tests.laws.world import PANE, T0, Item, Ways, World, world
from tests.stores.cupboard import Apart, Cupboard, counted


class Sampled(World):
    """A world of which a share of the ids is kept."""

    share = 0.5

    def config(self):
        """As usual, with `labels.sample`."""
        config = super().config()
        model = config.models["m"]
        labels = model.labels.model_copy(update={"sample": self.share})
        return config.model_copy(
            update={"models": {"m": model.model_copy(update={"labels": labels})}}
        )


@pytest.mark.parametrize(
    "names", [[f"p-{n}" for n in range(20_000)], [f"{n:032x}" for n in range(0, 10**9, 50_021)]]
)
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_the_share_is_what_was_asked_for(names, share):
    """Within five standard deviations, for ids that count up and for those that look random."""
    kept = int(chosen(Ids.of(names), share).sum())
    assert abs(kept - share * len(names)) < 5 * np.sqrt(share * (1 - share) * len(names))


def test_a_larger_share_keeps_what_a_smaller_one_did():
    """So it can be raised, and the ids stay comparable."""
    ids = Ids.of([f"p-{n}" for n in range(5_000)])
    few, more = chosen(ids, 0.1), chosen(ids, 0.3)
    assert not (few & ~more).any()
    assert chosen(ids, 1.0).all()


def test_an_id_is_chosen_alike_wherever_it_stands():
    """In any batch, beside any others."""
    names = [f"id-{n}" * (n % 5 + 1) for n in range(300)]
    whole = chosen(Ids.of(names), 0.3)
    alone = [bool(chosen(Ids.of([name]), 0.3)[0]) for name in names]
    assert alone == whole.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_what_is_joined_is_what_the_chosen_ids_alone_would_give(seed):
    """Outcomes are exactly those of the chosen ids; predictions are all counted."""
    made = Sampled(*world(seed, Ways(again=0, conflict=0, bad=0), ids=60))
    mill = Mill(made, 1, seed=seed).run(seed, 80)
    mill.problems.clear()  # the mill's oracle keeps every id
    numbers = sorted({item.number for item in made.items})
    kept = chosen(Ids.of([f"p{n}" for n in numbers]), made.share).tolist()
    some = {n for n, one in zip(numbers, kept, strict=True) if one}
    assert 0 < len(some) < len(numbers)
    few = World(tuple(one for one in made.items if one.number in some), *made[1:])
    other = Mill(few, 1, seed=seed).finish()
    books = mill.owners[0].machine.accounting()["labels"]
    expected = other.owners[0].machine.accounting()["labels"]
    assert (expected.joined, expected.outcomes) == (books.joined, books.outcomes)
    assert expected.orphaned == books.orphaned
    assert expected.counted + books.unsampled == books.counted
    asked = sum(item.kind == "prediction" for item in made.items)
    told = mill.owners[0].machine.accounting()["predictions"]
    assert asked == told.counted + told.expired


@pytest.mark.parametrize("seed", range(2))
def test_sampling_and_a_store_agree_with_sampling_in_memory(seed):
    """Neither changes what the other means."""
    made, store = Sampled(*world(seed, Ways(again=0.5), ids=24)), Cupboard()

    class Both(Apart):
        """A sampled world with a store."""

        def config(self):
            """That of a sampled world."""
            return Sampled.config(Sampled(*self))

    apart = Both.of(made, store)
    plain = Mill(made, 1, seed=seed).run(seed, 100)
    mill = Mill(apart, 1, seed=seed).run(seed + 1, 150)
    assert counted(plain) == counted(mill)
    assert plain.spoken() == mill.spoken()


def test_coverage_is_a_share_of_what_is_kept():
    """Every prediction has a label: of a fifth of the ids coverage is about one, too."""
    items = []
    for n in range(3_000):
        at = T0 + n * 20
        row = Item("predictions", "prediction", at, n, at, "1", 1.0, "a", 0.3, n % 2, "eu")
        items += [row, Item("labels", "label", at + 500, n, at + 500, answer=n % 2)]
    last = items[-1].broker + 40 * PANE
    items.append(items[0]._replace(number=10**6, broker=last, time=last))
    items.append(items[1]._replace(number=10**6, broker=last, time=last))
    said = {}
    for share in (1.0, 0.2):
        made = Sampled(tuple(items), 1_000, 30_000)
        made.share = share
        mill = Mill(made).finish()
        bodies = [
            orjson.loads(v) for topic, _, v, _ in mill.outputs.values() if topic == "readings"
        ]
        own = [one for one in bodies if one["signal"] == "label:coverage"]
        said[share] = own
    assert {1.0} == {one["statistic"] for one in said[1.0]}
    for whole, part in zip(said[1.0], said[0.2], strict=True):
        rows = whole["current"]["rows"]
        assert round(0.2 * rows) == part["current"]["rows"]
        assert not part["breach"]
        # Chance decides how many ids a share is; the interval knows that.
        assert abs(part["statistic"] - 1) < 4 * np.sqrt(0.8 / (0.2 * rows))
    assert min(one["effect"]["low"] for one in said[0.2]) < 0.95
    assert {1.0} == {one["effect"]["high"] for one in said[1.0]}
