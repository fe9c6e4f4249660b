"""A trail reaches far back in few stretches, and adds up."""

import msgspec
import numpy as np

from streams.monitor.trail import KEPT, TIERS, SavedTrail, Trail


def trail(panes, every=1):
    """Panes 0, every, .. with one row each, whose cell is 0 or 1 by turns."""
    made = Trail()
    for pane in range(panes):
        made.take(pane * every, np.array([1 - pane % 2, pane % 2]))
    return made


def test_stretches_are_few_in_order_and_hold_every_row():
    """Until the longest tier is full no pane is lost."""
    held = list(trail(1000))
    assert len(held) <= KEPT * TIERS
    assert 1000 == sum(int(one.row.sum()) for one in held)
    assert [*range(1000)] == [n for one in held for n in range(one.first, one.last + 1)]


def test_recent_panes_are_single_and_a_stretch_is_short_beside_its_age():
    held = list(trail(1000))
    assert [(n, n) for n in range(1000 - KEPT, 1000)] == [(o.first, o.last) for o in held[-KEPT:]]
    assert all((1000 - o.last) * 2 >= o.last - o.first for o in held)


def test_a_year_of_panes_is_bounded():
    """What is older than the longest tier reaches is let go."""
    held = list(trail(20_000))
    assert len(held) <= KEPT * TIERS
    assert 19_999 == held[-1].last
    assert held[0].first > 0


def test_panes_without_rows_leave_gaps():
    """A stretch says its first and last pane, not how many it has."""
    held = list(trail(40, every=5))
    assert 40 == sum(int(one.row.sum()) for one in held)
    assert (0, 195) == (held[0].first, held[-1].last)


def test_late_rows_reach_the_stretch_of_their_pane_alone():
    made = trail(100)
    made.correct(3, np.array([10, 0]))
    assert [10 + 1] == [
        sum(o.row.tolist()) - (o.last - o.first) for o in made if o.first <= 3 <= o.last
    ]
    assert 110 == sum(int(one.row.sum()) for one in made)


def test_what_is_forgotten_is_gone_from_all_stretches():
    """Only the cells that are named; panes that come later are counted."""
    made = trail(50)
    made.forget(slice(1, 2))
    assert {0} == {int(one.row[1]) for one in made}
    assert 25 == sum(int(one.row[0]) for one in made)


def test_a_snapshot_is_exact_and_goes_on_alike():
    for rows in (1, 300, 70_000, 1 << 40):
        made = Trail()
        for pane in range(77):
            made.take(pane, np.array([rows, pane]))
        saved = msgspec.msgpack.decode(msgspec.msgpack.encode(made.save()), type=SavedTrail)
        again = Trail()
        again.load(saved, 2)
        for one in (made, again):
            one.take(77, np.array([1, 2]))
        assert made.save() == again.save()


def test_a_state_of_other_cells_is_left():
    """Under another partition the trail begins anew."""
    again = Trail()
    again.load(trail(10).save(), 3)
    assert [] == list(again)
