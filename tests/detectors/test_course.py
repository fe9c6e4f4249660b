"""A course is told apart: at once, gradual, or neither."""

import numpy as np
import pytest

from detectors.course import Course, pace

PANES = 60
CHANGE = 30


def course(levels, *, error=0.1, seed=7, merged=1):
    """Panes at these levels, with noise; every `merged` of them as one stretch."""
    rng = np.random.default_rng(seed)
    means = np.asarray(levels, float) + error * rng.normal(size=len(levels))
    begins = np.arange(0.0, len(levels), merged)
    return Course(
        begins=begins,
        ends=begins + merged,
        means=means.reshape(-1, merged).mean(axis=1),
        variances=np.full(len(begins), error**2 / merged),
        doubt=1e-4,
    )


def step(size=1.0):
    """A level that steps at `CHANGE`."""
    return np.where(np.arange(PANES) < CHANGE, 0.0, size)


def climb(panes, size=1.0):
    """One that climbs over so many panes."""
    return size * np.clip((np.arange(PANES) - CHANGE + 1) / panes, 0, 1)


@pytest.mark.parametrize("merged", [1, 2, 6])
@pytest.mark.parametrize("size", [1.0, -0.5])
def test_a_step_is_sudden(size, merged):
    assert "sudden" == pace(course(step(size), merged=merged))


@pytest.mark.parametrize("panes", [10, 20, 30, 60])
def test_a_climb_is_gradual_whether_it_has_ended_or_not(panes):
    assert "gradual" == pace(course(climb(panes)))
    assert "gradual" == pace(course(climb(panes), merged=2))


def test_a_change_within_a_pane_is_a_step():
    """A third of one pane's rows have changed: its mean lies between the levels."""
    levels = step()
    levels[CHANGE - 1] = 1 / 3
    assert "sudden" == pace(course(levels, error=0.02))


@pytest.mark.parametrize("share", [0.1, 0.35, 0.7, 0.9])
@pytest.mark.parametrize("merged", [2, 4])
def test_a_large_change_anywhere_within_a_stretch_is_a_step(share, merged):
    """A hundred errors large: where in the stretch it lies makes no climb of it."""
    levels = step()
    levels[CHANGE - 1] = share
    assert "sudden" == pace(course(levels, error=0.01, merged=merged))
    levels[CHANGE] = share
    levels[CHANGE - 1] = 0.0
    assert "sudden" == pace(course(levels, error=0.01, merged=merged))


def test_a_tie_is_a_step():
    """With one pane since the change, nothing speaks for a climb."""
    assert "sudden" == pace(course(step()[: CHANGE + 1]))


def test_what_comes_and_goes_is_neither():
    """A pulse between two quiet stretches is half told by no single step or climb."""
    levels = np.where((np.arange(PANES) // 10) % 2, 1.0, 0.0)
    assert pace(course(levels)) is None


def test_noise_alone_is_neither():
    assert {None} == {pace(course(np.zeros(PANES), seed=seed)) for seed in range(5)}


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_units_do_not_matter(factor):
    """What is measured in another unit is told the same."""
    for levels in (step(), climb(20)):
        plain = course(levels)
        other = plain._replace(
            means=plain.means * factor,
            variances=plain.variances * factor**2,
            doubt=plain.doubt * factor**2,
        )
        assert pace(plain) == pace(other)


def test_few_steps_are_called_gradual():
    """Of 100 steps of three errors, which take a look to be seen, at most a tenth."""
    said = [pace(course(step(0.3), seed=seed)) for seed in range(100)]
    assert said.count("gradual") <= 10
    assert said.count("sudden") >= 85


def test_means_that_vary_more_than_their_rows_explain_are_doubted():
    """A step among panes that differ four times as much as they should is no climb."""
    said = [
        pace(course(step(1.2), error=0.4, seed=seed)._replace(variances=np.full(PANES, 0.01)))
        for seed in range(40)
    ]
    assert said.count("gradual") <= 4
