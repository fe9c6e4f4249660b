"""Judging alarms: every figure by hand on streams that can be drawn on paper."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.backtest import Alarm, Judged, baselines, judge, windows


def test_two_changes_one_found_one_false_alarm():
    """Two windows, and an alarm before, inside and after the first.

    rows      0 ......... 1000 ... 1200 ............ 2000 .. 2200 ..... 3000
    windows               [==========]               [=========]
    alarms        500 x            1150                           2500 x
    """
    alarms = [Alarm(500, "a"), Alarm(1150, "b"), Alarm(2500, "c")]
    found = judge(alarms, [1000, 2000], 3000, 200)
    assert (1, 2, 1) == (found.true_positives, found.false_positives, found.missed)
    assert 1 / 3 == pytest.approx(found.precision)
    assert 0.5 == found.recall == found.episode_recall == found.missed_detection_rate
    assert 0.4 == pytest.approx(found.f1)
    assert 150 == found.mean_detection_delay
    assert 2 / 3 == pytest.approx(found.false_alarm_rate)
    quiet = 3000 - 2 * 201
    assert quiet / 2 == found.mean_time_between_false_alarms
    assert quiet / 2 / 150 * 0.5 == found.mean_time_ratio


def test_an_incident_that_was_opened_in_a_window_goes_on_without_being_false():
    found = judge([Alarm(1010, "a"), Alarm(1900, "a")], [1000], 3000, 100)
    assert (1, 0) == (found.true_positives, found.false_positives)


def test_an_incident_that_was_opened_too_early_stays_false_outside_and_counts_inside():
    found = judge([Alarm(900, "a"), Alarm(1010, "a"), Alarm(1900, "a")], [1000], 3000, 100)
    assert (1, 2) == (found.true_positives, found.false_positives)
    assert 10 == found.mean_detection_delay


def test_without_a_longest_delay_a_window_reaches_to_the_next_change():
    assert [(1000, 1999), (2000, 3000)] == windows([1000, 2000], 3000, None)
    assert 1 == judge([Alarm(3000, "a")], [1000, 2000], 3000).true_positives


def test_two_messages_in_one_window_are_one_episode():
    found = judge([Alarm(1010, "a"), Alarm(1020, "b")], [1000, 2000], 3000)
    assert 2 / 3 == pytest.approx(found.recall)
    assert 0.5 == found.episode_recall


def test_what_nothing_defines_is_none():
    found = judge([], [], 100)
    assert [None] * 6 == [
        found.precision,
        found.recall,
        found.f1,
        found.mean_detection_delay,
        found.mean_time_between_false_alarms,
        found.mean_time_ratio,
    ]


def test_baselines_fire_always_and_never():
    both = baselines([50], 100, 10, 20)
    assert 10 == both["always_fire"].alarms
    assert (1.0, 0) == (
        both["always_fire"].episode_recall,
        both["always_fire"].mean_detection_delay,
    )
    assert (0.0, 0) == (both["never_fire"].episode_recall, both["never_fire"].alarms)


@pytest.mark.parametrize("truth", [[5, 5], [7, 3], [-1], [100]])
def test_changes_that_cannot_be_are_refused(truth):
    with pytest.raises(ValueError, match="changes must"):
        judge([], truth, 100)


@given(
    st.lists(st.tuples(st.integers(0, 100), st.sampled_from("abc")), max_size=20),
    st.sets(st.integers(0, 99), max_size=5),
    st.one_of(st.none(), st.integers(1, 50)),
)
def test_figures_are_shares_and_do_not_depend_on_order(alarms, truth, max_delay):
    alarms = [Alarm(*one) for one in alarms]
    found = judge(alarms, sorted(truth), 100, max_delay)
    assert found == judge(alarms[::-1], sorted(truth), 100, max_delay)
    shares = [found.precision, found.recall, found.episode_recall, found.missed_detection_rate]
    assert all(share is None or 0 <= share <= 1 for share in shares)
    assert isinstance(found, Judged)
