"""A slow fall of accuracy is found by its slope, and noise or a step already told is not."""

import numpy as np
import pytest

from schemas.config_model import ModelConfig
from streams.monitor.watch import Part, Setting
from streams.monitor.watches.decline import WEEK, Decline
from streams.policy import Policy, PolicyState
from tests.monitor.closing import closing
from tests.monitor.outcomes import LAYOUT, setting

HOURS = 6 * 3_600_000
DAY = 4
"""Panes."""


def watch(threshold=None, **trend):
    """The watch of a model with panes of six hours; `threshold` is the log of a run length."""
    made = setting()
    judging = type(made.judging)(
        **{n: getattr(made.judging, n) for n in made.judging.__struct_fields__} | {"pane": HOURS}
    )
    config = ModelConfig(task="binary", pane="6h", policy={"trend": trend})
    fields = {n: getattr(made, n) for n in made.__struct_fields__}
    if threshold is not None:
        fields["threshold"] = threshold
    return Decline(Setting(**fields | {"judging": judging, "config": config}))


def pane(number, right, rows=1_000):
    """A pane of outcomes."""
    vector = np.zeros(LAYOUT.width("outcomes"), np.int64)
    table = np.zeros((4, 4), np.int64)
    table[0, 0], table[0, 1] = right, rows - right
    vector[LAYOUT.outcomes["confusion"].span] = table.ravel()
    part = Part("1", "*", number, late=False, vector=vector)
    close = closing(number, outcomes=[part])
    span = (number * HOURS, (number + 1) * HOURS)
    return type(close)(**{n: getattr(close, n) for n in close.__struct_fields__} | {"span": span})


def run(made, weeks, accuracy, seed=1, first=0):
    """Findings over weeks in which accuracy is a function of the week."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(first, first + int(weeks * 7 * DAY)):
        share = accuracy(number * HOURS / WEEK)
        found += made.close(pane(number, int(rng.binomial(1_000, share))))
    return found


@pytest.mark.parametrize("per_week", [0.007, 0.01])
def test_a_slow_fall_is_found_after_four_weeks_and_not_before(per_week):
    """.7 % and 1 % of .84 a week."""
    made = watch()
    early = run(made, 3.9, lambda week: 0.84 * (1 - per_week * week))
    assert [] == early
    found = run(made, 2, lambda week: 0.84 * (1 - per_week * week), first=110)
    assert any(f.alarm for f in found)
    last = found[-1]
    assert ("metric:accuracy", "trend", 0.005) == (last.signal, last.detector, last.threshold)
    assert last.statistic == pytest.approx(per_week, rel=0.3)


def test_noise_and_a_fall_slower_than_the_rule_are_none():
    """Eight years of steady accuracy, and a fall of .2 % a week."""
    steady = [f for seed in range(8) for f in run(watch(), 52, lambda _: 0.84, seed)]
    assert not any(f.alarm for f in steady)
    slow = run(watch(), 12, lambda week: 0.84 * (1 - 0.002 * week))
    assert not any(f.alarm for f in slow)


def test_the_budget_asks_for_more_proof():
    """A slope that is sure enough for a year's budget is not for that of a million years."""
    fall = lambda week: 0.84 * (1 - 0.007 * week)
    assert any(f.alarm for f in run(watch(threshold=np.log(400 * DAY)), 5, fall))
    assert not any(f.alarm for f in run(watch(threshold=np.log(4e8 * DAY)), 5, fall))


def test_a_restarted_signal_begins_anew():
    """A step that was told and resolved leaves no slope behind."""
    made = watch()
    run(made, 5, lambda week: 0.84 if week < 3 else 0.70)
    made.restart("1", "*", "error")
    assert [] == run(made, 3.5, lambda _: 0.70, first=140)


def test_its_state_is_its_bytes():
    """Restored in the middle it says the same."""
    plain, torn = watch(), watch()
    fall = lambda week: 0.84 * (1 - 0.01 * week)
    run(plain, 4.5, fall)
    run(torn, 4.5, fall)
    other = watch()
    other.load(torn.save())
    assert run(plain, 1, fall, 2, 126) == run(other, 1, fall, 2, 126) != []


def test_the_policy_asks_for_a_retraining_by_trend():
    """Yellow performance, urgency scheduled, trigger trend."""
    made = watch()
    config = ModelConfig(task="binary", pane="6h")
    policy, state, asked = Policy(config, "m", HOURS), PolicyState(), []
    rng = np.random.default_rng(5)
    for number in range(7 * 7 * DAY):
        share = 0.84 * (1 - 0.008 * number * HOURS / WEEK)
        found = made.close(pane(number, int(rng.binomial(1_000, share))))
        state, out = policy.judge(state, (number + 1) * HOURS, found)
        asked += out.retrain_requests
    assert [("trend", "scheduled")] == [(r.trigger, r.urgency) for r in asked]
