"""The parts of the loop: its world, its model server, its gates, its turns."""

import threading
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

ROWS = 12_000


@pytest.fixture(scope="module")
def world():
    from closed.world import World

    return World(ROWS)


def test_three_in_ten_women_get_the_other_label_and_nobody_else(world):
    """From the row of the change on, by age and not by chance."""
    from closed.world import CHANGED, people_of
    from employment import inject

    true = people_of(inject.read_rows(count=ROWS)).labels
    flipped = world.people.labels != true
    after = np.arange(ROWS) >= CHANGED
    women = world.people.women
    assert (0, 0) == (flipped[~after].sum(), flipped[after & ~women].sum())
    assert 0.27 < flipped[after & women].mean() < 0.33


def test_labels_come_later_and_some_never(world):
    """Two thousand rows later; one in ten not at all."""
    assert [] == list(world.answers(0, 2_000))
    came = world.answers(2_000, 12_000)
    assert (0, 0.9) == (came[0], pytest.approx(len(came) / 10_000, abs=0.02))
    assert list(came) == list(world.answered(0, 10_000))


def test_a_sample_has_what_was_asked_for(world):
    """Rows of the window whose labels are known, without what is excluded, weighted."""
    from closed.turns import Turns
    from closed.warehouse import Warehouse
    from closed.world import instant_of

    turns = Turns(instant_of(5_000))
    request = {
        "data_window": {
            "start": instant_of(1_000).isoformat(),
            "end": instant_of(90_000).isoformat(),
            "exclude": [
                {"start": instant_of(1_500).isoformat(), "end": instant_of(2_000).isoformat()}
            ],
        },
        "suggestion": {
            "weights": [
                {
                    "start": instant_of(2_500).isoformat(),
                    "end": instant_of(90_000).isoformat(),
                    "weight": 2.0,
                }
            ]
        },
    }
    sample = Warehouse(world, turns, world.people).sample(request)
    wanted = [*world.answered(1_000, 1_500), *world.answered(2_000, 3_000)]
    assert [world.people.ids[row] for row in wanted] == sample.people.ids
    assert [1.0 if row < 2_500 else 2.0 for row in wanted] == sample.weights.tolist()


def test_a_larger_share_keeps_the_rows_of_a_smaller_one(world):
    """And is as large as it says."""
    from closed.serving import ModelServer

    server = ModelServer(None, "1", None)
    chosen = []
    for share in (0.05, 0.2, 0.5, 1.0):
        server.admit("2", None, share)
        versions = [server._version(pid) for pid in world.people.ids]
        chosen.append({i for i, version in enumerate(versions) if version == "2"})
        assert share == pytest.approx(len(chosen[-1]) / ROWS, abs=0.02)
    assert all(a <= b for a, b in pairwise(chosen))
    server.withdraw()
    assert {"1"} == {server._version(pid) for pid in world.people.ids}


def test_gates_that_are_missed_are_named():
    """Also one that nobody measures."""
    from closed.training import Result
    from retrain_service import missed_gates

    results = [Result("recent", 800, 0.73, 0.74), Result("frozen", 4_000, 0.84, 0.80)]
    gates = {
        "recent_gain": {"min": 0.02, "max": None},
        "frozen_loss": {"min": None, "max": 0.05},
        "fairness": {"min": 0.8},
    }
    assert [
        "fairness is not measured here",
        "recent_gain is 0.010, at least 0.02 is asked for",
    ] == missed_gates(gates, results)


def test_what_learned_from_shuffled_labels_knows_nothing(world):
    """The sabotage is one; and it happens once."""
    from closed.story import Saboteur
    from closed.training import Boosted, accuracy
    from closed.warehouse import Sample

    learned = Sample(world.people.only(slice(3_000)), np.ones(3_000))
    judge = world.people.only(slice(3_000, 8_000))
    honest = Boosted(*learned)
    saboteur = Saboteur()
    spoilt = saboteur(honest, learned)
    assert accuracy(honest, judge) > 0.78
    assert accuracy(spoilt, judge) < 0.62
    assert honest is saboteur(honest, learned)


def test_time_moves_only_when_the_service_rests():
    """It has one turn after each advance, and sees that instant in it."""
    from closed.turns import StoppedError, Turns
    from closed.world import BEGIN

    turns, seen = Turns(BEGIN), []

    def serve():
        try:
            while True:
                turns.rest()
                seen.append(turns.present())
        except StoppedError:
            pass

    service = threading.Thread(target=serve)
    service.start()
    turns.settle(lambda: False)
    for number in (1, 2, 3):
        turns.advance(BEGIN + timedelta(hours=number))
        turns.settle(lambda: False)
    turns.end()
    service.join()
    hours = [(at - BEGIN) // timedelta(hours=1) for at in seen]
    assert [1, 2, 3] == [hour for hour in hours if hour]
