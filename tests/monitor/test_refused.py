"""Refused records: beyond a fifth of the input they are one incident, and nothing is learned."""

import numpy as np
import pytest

from schemas.grid import WHOLE
from schemas.journal import ProfileKey
from schemas.refusals import READ, REFUSED, WIDTH
from streams.monitor.intake import Taken
from streams.monitor.watches.refused import LEAST, PANES, Refused, breaks
from tests.monitor.absence import Live, config, replayed, setting, stream, told
from tests.monitor.closing import closing

ROWS, FROM, UNTIL = 3_000, 2_000, 2_400


def spoilt(share):
    """Rows 2,000 to 2,400 are refused, so many of a hundred."""
    return lambda number: FROM <= number < UNTIL and number * 37 % 100 < share


def test_half_of_the_input_is_one_alert_with_its_codes_and_a_way_to_the_letters():
    """Resolved when it is over; it asks for a mended pipeline, and for no retraining."""
    said = replayed(stream(ROWS, spoilt(50)))
    opened, resolved = told(said, "input_quality")
    assert ("opened", "resolved") == (opened[0], resolved[0])
    assert {"opened", "resolved"} == {one["transition"] for one in said["drift-events"]}
    firing, ended = said["alerts"]
    assert ("firing", "resolved") == (firing["status"], ended["status"])
    assert 1 == len({one["incident_id"] for one in said["alerts"]})
    assert ("data_quality", "red") == (firing["triage"]["class"], firing["severity"])
    assert "fix_pipeline" == firing["recommended_action"]
    assert "refused: malformed" in firing["summary"]
    assert any("dead-letters show --code malformed" in one for one in firing["triage"]["because"])
    (event,) = [one for one in said["drift-events"] if one["transition"] == "opened"]
    ((begin, end),) = [(one["from"], one["to"]) for one in event["evidence"]["ranges"]]
    assert FROM <= begin <= end < UNTIL
    assert [] == said.get("retrain-requests", [])


@pytest.mark.parametrize(("share", "limit", "expected"), [(15, 0.2, 0), (30, 0.2, 2), (30, 0.4, 0)])
def test_the_limit_is_the_configs(share, limit, expected):
    asked = config({"refused": limit}, clock="event")
    said = replayed(stream(ROWS, spoilt(share)), asked)
    assert expected == len(told(said, "input_quality"))


@pytest.mark.parametrize("partitions", [1, 3])
def test_it_is_told_where_all_is_refused(partitions):
    """No row is counted then, and no pane of rows closes; by one partition or by three."""
    rows = stream(ROWS, lambda number: number >= FROM)
    said = Live(config(), partitions).run(rows, 5_000)
    assert ["opened"] == [one for one, _ in told(said, "input_quality")]
    (alert,) = said["alerts"]
    assert "refused: malformed" in alert["summary"]


def test_live_and_replay_say_the_same():
    rows = stream(ROWS, spoilt(50))
    replay = told(replayed(rows), "input_quality")
    for every in (3_000, 31_000):
        assert replay == told(Live().run(rows, every, until=rows[-1][0] + 60_000), "input_quality")


def counted(read, refused, partition=0):
    """What a pane takes of a partition: so many records read, and so many of them malformed."""
    cells = np.zeros(WIDTH, np.int64)
    cells[READ["predictions"]] = read
    cells[REFUSED["predictions", "malformed"]] = refused
    key = ProfileKey(0, "g", "refusals", "", WHOLE, 0, 0, partition)
    return Taken(key, cells, refused, (read, -1), (0, -1))


def alarms(watch, pane, *taken):
    """What the watch says of a pane."""
    return [(one.state, one.alarm) for one in watch.close(closing(pane, refusals=taken))]


def test_few_records_are_no_share():
    """Less than twenty in ten panes say nothing; those of all partitions count together."""
    watch = Refused(setting())
    assert [] == alarms(watch, 1, counted(LEAST - 1, LEAST - 1))
    assert [("judged", True)] == alarms(watch, 2, counted(1, 1))
    assert [("judged", True)] == alarms(Refused(setting()), 1, counted(12, 9), counted(12, 0, 1))


def test_panes_of_few_records_are_taken_together():
    """Until they are a hundred: one bad pane among good ones is no fifth."""
    watch = Refused(setting())
    for pane in range(4):
        assert [] == alarms(watch, pane, counted(30, 0))
    assert [] == alarms(watch, 4, counted(30, 20))
    assert [("judged", True)] == alarms(watch, 5, counted(30, 20))


def test_what_is_long_past_does_not_count():
    watch = Refused(setting())
    assert [("judged", True)] == alarms(watch, 1, counted(50, 50))
    assert [("too_few_rows", False)] == alarms(watch, 1 + PANES)


def test_it_goes_on_from_a_snapshot():
    watch, again = Refused(setting()), Refused(setting())
    alarms(watch, 1, counted(90, 90))
    again.load(watch.save())
    after = closing(2, refusals=[counted(90, 90)])
    assert watch.close(after) == again.close(after)


def test_the_breaker_opens_with_the_share_of_one_pane():
    """While it is open nothing is learned from the pane."""
    assert breaks([counted(100, 21)], 0.2)
    assert not breaks([counted(100, 20)], 0.2)
    assert not breaks([counted(LEAST - 1, LEAST - 1)], 0.2)
    assert not breaks([], 0.2)


def test_a_reference_is_not_made_of_what_is_left_of_spoilt_input():
    """Panes of which half was refused are left out, so later ones are waited for."""

    def first_judged(limit):
        asked = config({"refused": limit}, clock="event")
        rows = stream(ROWS, lambda number: 100 <= number < 500 and number % 2)
        ends = [
            one["current"]["window"]["end"]
            for one in replayed(rows, asked)["readings"]
            if one["detector"] == "shiryaev_roberts" and one["state"] == "judged"
        ]
        return min(ends)

    assert first_judged(1.0) < first_judged(0.2)
