"""Parts that gain what others lose are found; what moves all together, or nothing, is not."""

from math import log

import msgspec
import numpy as np
import pytest

from streams.monitor.outcomes.widening import Border, Rate, State, Widening, log_evidence

CHANGE = 40
BEFORE = np.full(8, 0.2)


def detector(rng, was, *, tolerance=0.02, reference=2000):
    """Of parts whose reference was drawn at these shares of misses."""
    borders = {
        f"p{i}": Border.of(
            Rate(float(rng.binomial(reference, p)), float(reference)), tolerance, 1.0
        )
        for i, p in enumerate(was)
    }
    return Widening(borders, tolerance, 1.0)


def pane(rng, shares, rows):
    """What a pane brings of each part."""
    return {f"p{i}": Rate(float(rng.binomial(rows, p)), float(rows)) for i, p in enumerate(shares)}


def alarms(seed, was, after, *, panes=200, rows=50, run_length=1000, **how):
    """Panes of alarms; the detector begins anew after each."""
    rng = np.random.default_rng(seed)
    one, found = detector(rng, was, **how), []
    for number in range(panes):
        one.update(number, pane(rng, was if number < CHANGE else after, rows))
        evidence = log_evidence(one.state)
        if evidence is not None and evidence >= log(run_length) and one.apart:
            found.append(number)
            one.restart()
    return found


def halves(by):
    """Every second part gains and every other one loses as much."""
    return BEFORE + by * np.array([1, -1] * 4)


@pytest.mark.parametrize("seed", range(3))
def test_half_gain_and_half_lose_at_an_equal_median(seed):
    found = alarms(seed, BEFORE, halves(0.1))
    assert found
    assert CHANGE < found[0] <= CHANGE + 40


@pytest.mark.parametrize(
    ("was", "rows", "how"),
    [
        (BEFORE, 20, {}),
        (np.full(4, 0.1), 100, {"tolerance": 0.0, "reference": 1000}),
        (np.linspace(0.05, 0.6, 12), 30, {"reference": 400, "tolerance": 0.0}),
        (np.full(6, 0.5), 200, {}),
        (np.full(20, 0.02), 10, {"reference": 300}),
    ],
)
def test_parts_that_stay_are_silent(was, rows, how):
    """Within twice the promise of one alarm in a hundred panes, over three seeds of 400."""
    found = [
        alarms(seed, was, was, panes=400, rows=rows, run_length=100, **how) for seed in (1, 2, 3)
    ]
    assert sum(map(len, found)) <= 2 * 3 * 4


@pytest.mark.parametrize("by", [0.03, 0.1, -0.1])
def test_a_level_that_moves_everywhere_is_not_a_spread(by):
    assert [[], []] == [alarms(seed, BEFORE, BEFORE + by) for seed in (4, 5)]


def test_a_level_that_moves_while_parts_part_is_not_a_spread():
    """The median is where the level is."""
    assert [] == alarms(6, BEFORE, halves(0.1) + 0.15)


def test_parts_that_come_together_are_not_a_spread():
    assert [] == alarms(7, halves(0.1), BEFORE)


def test_one_part_alone_is_not_a_spread():
    """Quartiles hold where one of eight parts loses."""
    after = BEFORE.copy()
    after[0] = 0.5
    assert [] == alarms(8, BEFORE, after)


def test_the_stake_is_expected_to_be_one_at_the_border():
    """By the definition of an e-variable, over all outcomes of a pane of one part.

    The bets are on p0 (worse) and p1 (better); p1 has no rows here, so it stakes nothing.
    """
    from scipy.stats import binom

    rng = np.random.default_rng(9)
    one = detector(rng, BEFORE[:4])
    for number in range(30):
        one.update(number, pane(rng, [0.35, 0.05, 0.2, 0.2], 50))
    border = one._borders["p0"]
    assert one.apart
    before = one.state.evidence
    mean = 0.0
    for misses in range(26):
        again = detector(rng, BEFORE[:4])
        again._borders = one._borders
        again.state = msgspec.msgpack.decode(msgspec.msgpack.encode(one.state), type=State)
        again.update(30, {"p0": Rate(float(misses), 25.0)})
        factor = np.exp(again.state.evidence - before) / (1 + np.exp(-before))
        mean += binom.pmf(misses, 25, border.high) * factor
    assert 1.0 == pytest.approx(mean, abs=1e-9)


def test_a_snapshot_goes_on_alike():
    rng = np.random.default_rng(10)
    one = detector(rng, BEFORE)
    again = Widening(one._borders, 0.02, 1.0)
    for number in range(30):
        one.update(number, pane(rng, halves(0.1), 50))
    again.state = msgspec.msgpack.decode(msgspec.msgpack.encode(one.state), type=State)
    brought = pane(rng, halves(0.1), 50)
    for each in (one, again):
        each.update(30, brought)
    assert one.state == again.state
    assert one.state.bets > 0
