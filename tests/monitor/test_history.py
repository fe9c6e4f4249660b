"""Roll-ups: minutes become hours become days, and nothing is lost or counted twice."""

import numpy as np

from streams.monitor.references.history import KEPT, LEAST, History
from streams.monitor.references.seasons import SEASONS, moment
from streams.monitor.references.sources import Previous, Rolling, Seasonal

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOVEMBER = 1_795_219_200_000
"""2026-11-21, a Saturday, midnight."""


def filled(panes, width=3):
    history = History(width, MINUTE, 30 * DAY)
    for pane in range(panes):
        history.add(pane, np.array([1, pane % 7, 0]))
    return history


def test_every_row_is_kept_once_while_there_is_room():
    panes = 10 * 24 * 60
    rows = filled(panes).rows(0, panes)
    assert panes == sum(int(row[0]) for row in rows)
    assert sum(p % 7 for p in range(panes)) == sum(int(row[1]) for row in rows)


def test_the_number_of_slots_is_bounded():
    history = filled(70 * 24 * 60)
    assert len(history) <= sum(KEPT) + LEAST
    assert sum(int(row[0]) for row in history.rows(0, 1 << 40)) <= 65 * 24 * 60


def test_a_late_row_is_added_to_whichever_slot_holds_its_pane():
    panes = 6 * 24 * 60
    history = filled(panes)
    for late in (panes - 5, panes - 24 * 60, 10):
        history.add(late, np.array([0, 0, 1]))
    assert 3 == sum(int(row[2]) for row in history.rows(0, panes))
    assert 1 == sum(int(row[2]) for row in history.rows(0, 24 * 60))


def test_a_dropped_stretch_takes_the_hours_and_days_it_is_part_of():
    panes = 6 * 24 * 60
    history = filled(panes)
    assert history.drop(30, 40)
    assert not history.drop(30, 40)
    assert panes - 24 * 60 == sum(int(row[0]) for row in history.rows(0, panes))


def test_a_snapshot_holds_all_of_it():
    first, second = filled(5000), History(3, MINUTE, 30 * DAY)
    second.load(first.save())
    for history in (first, second):
        history.add(5000, np.array([1, 1, 1]))
    assert first.save() == second.save()


def test_parts_of_seasons():
    at = NOVEMBER + 13 * HOUR
    assert 13 == moment("hour_of_day", at).part
    assert 5 == moment("day_of_week", at).part
    assert 5 * 24 + 13 == moment("hour_of_week", at).part
    assert (10, 2026) == moment("month_of_year", at)
    for season, one in SEASONS.items():
        assert one.parts > moment(season, at).part
        assert moment(season, at).turn <= moment(season, at + 400 * DAY).turn


def test_an_hour_of_the_week_is_compared_with_earlier_weeks_alone():
    source = Seasonal("hour_of_week", 1, HOUR)
    for pane in range(9 * 168):
        if pane < 8 * 168:
            assert [] == source.rows("1", "*", pane)
        source.add("1", "*", pane, np.array([pane]))
    assert [168 * week + 5 for week in range(9)] == [int(r[0]) for r in source.rows("1", "*", 1517)]
    source.drop(168 + 5, 168 + 5)
    assert 8 == len(source.rows("1", "*", 9 * 168 + 5))
    again = Seasonal("hour_of_week", 1, HOUR)
    again.load(source.save())
    assert source.save() == again.save()


def test_a_rolling_reference_leaves_out_the_newest_panes_and_incidents():
    source = Rolling(100 * HOUR, 1, HOUR)
    for pane in range(300):
        source.add("1", "*", pane, np.array([pane]))
    found = source.rows("1", "*", 300)
    assert sum(range(200, 290)) >= sum(int(row[0]) for row in found) > 0
    assert max(int(row[0]) for row in found) == 289
    source.drop(250, 320)
    assert 249 == max(int(row[0]) for row in source.rows("1", "*", 300))


def test_the_previous_version_is_the_one_heard_of_before():
    source = Previous(1, HOUR)
    for pane in range(40):
        source.add("1", "*", pane, np.array([1]))
    source.add("2", "*", 40, np.array([5]))
    assert 40 == sum(int(row[0]) for row in source.rows("2", "*", 40))
    assert [] == source.rows("1", "*", 40)
    again = Previous(1, HOUR)
    again.load(source.save())
    assert source.save() == again.save()
