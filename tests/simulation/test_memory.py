"""The memory answers as the functions do, and says so when one of them does not."""

import numpy as np
import pytest

from detectors.effect import EffectBank
from tests.simulation import memory
from tests.simulation.memory import CHECKED, Pure, remembered, remembering, same


def total(counts):
    """A function of counts."""
    asked.append(counts.tobytes())
    return {"sum": counts.sum()}


asked: list[bytes] = []
TOTAL = Pure(total, lambda counts: counts.tobytes(), (), compared=True)


@pytest.fixture(autouse=True)
def forgotten():
    """Nobody has asked before."""
    asked.clear()


def test_equal_counts_are_asked_about_once_and_others_again():
    """What is counted decides, not the array that holds it."""
    answer = remembered(TOTAL)
    said = [answer(np.array(one))["sum"] for one in ([1, 2], [1, 2], [2, 2], [1, 2])]
    assert [3, 3, 4, 3] == said
    assert 2 == len(asked)


def test_an_answer_that_somebody_changes_is_seen():
    """One in so many is worked out again."""
    answer, counts = remembered(TOTAL), np.array([1, 2])
    answer(counts)["sum"] = 4
    with pytest.raises(AssertionError, match="total answers otherwise"):
        [answer(counts) for _ in range(CHECKED)]


def test_answers_are_compared_to_the_last_bit():
    """Also within tuples and dictionaries; what is no number is like itself."""
    one, nan = np.array([0.1, np.nan]), float("nan")
    assert same((one, {"a": nan}, 1), (one.copy(), {"a": nan * 2}, 1))
    assert not same(one, np.nextafter(one, 1))
    assert not same({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert not same([one], [one, one])


def test_functions_are_as_they_were_afterwards():
    """What a simulation remembers, others work out."""
    usual = EffectBank.look
    with remembering():
        assert usual is not EffectBank.look
    assert all(vars(room)[name] is function for room, name, function, _ in memory._PLACES)
