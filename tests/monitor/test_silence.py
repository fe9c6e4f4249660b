"""Silence: predictions that stay away are one incident, however anybody comes to know of it."""

import pytest
from pydantic import ValidationError

from schemas.config_model import ModelConfig
from schemas.instants import rfc3339
from streams.monitor.watch import Part
from streams.monitor.watches.silence import KNOWN, PANES, Silence
from tests.monitor.absence import EVERY, PANE, T0, Live, config, replayed, setting, stream, told
from tests.monitor.closing import closing

ROWS = 3_000
STOP = 2_000
LONG = 300_000


def test_a_gap_in_a_recording_is_told_where_it_became_too_long():
    """Ten panes after the last prediction; and it is over once predictions come again."""
    said = replayed(stream(ROWS, pauses=[(STOP, LONG)]))
    last = (T0 + STOP * EVERY) // PANE
    opened, resolved = told(said, "volume")
    assert ("opened", rfc3339((last + PANES + 1) * PANE)) == opened
    assert "resolved" == resolved[0]
    (first, *_) = said["alerts"]
    assert ("data_quality", "red") == (first["triage"]["class"], first["severity"])
    assert "no prediction of m for 1m40s" in first["summary"]
    assert [] == said.get("retrain-requests", [])


def test_live_and_replay_say_the_same():
    """Whether ticks pass the gap pane by pane or a later row jumps over it."""
    rows = stream(ROWS, pauses=[(STOP, LONG)])
    replay = told(replayed(rows), "volume")
    assert 2 == len(replay)
    for partitions, every in ((1, 5_000), (1, 47_000), (3, 9_000)):
        live = Live(config(), partitions).run(rows, every, until=rows[-1][0] + 60_000)
        assert replay == told(live, "volume")


def test_a_stream_that_stops_for_good_is_told_by_ticks_alone():
    rows = stream(STOP)
    live = Live().run(rows, 5_000, until=rows[-1][0] + LONG)
    assert ["opened"] == [transition for transition, _ in told(live, "volume")]


def test_the_end_of_a_recording_is_no_silence():
    """Nor is a gap that is shorter than the wait."""
    assert [] == told(replayed(stream(ROWS)), "volume")
    assert [] == told(replayed(stream(ROWS, pauses=[(STOP, (PANES - 2) * PANE)])), "volume")


def test_refused_predictions_are_no_silence():
    """They come, so something else is wrong, and that is told by itself."""
    rows = stream(ROWS, spoilt=lambda number: STOP <= number < STOP + 600)
    said = Live().run(rows, 5_000)
    assert [] == told(said, "volume")
    assert ["opened", "resolved"] == [transition for transition, _ in told(said, "input_quality")]


@pytest.mark.parametrize(("asked", "expected"), [("off", []), ("10m", []), ("20s", ["opened"])])
def test_the_config_says_how_long_is_too_long(asked, expected):
    rows = stream(STOP)
    live = Live(config(silent_after=asked)).run(rows, 5_000, until=rows[-1][0] + LONG)
    assert expected == [transition for transition, _ in told(live, "volume")]


@pytest.mark.parametrize("wrong", ["never", "0s", 30, True])
def test_what_is_no_wait_is_refused(wrong):
    with pytest.raises(ValidationError):
        ModelConfig.model_validate({"task": "binary", "silent_after": wrong})


def test_off_may_be_written_as_yaml_reads_it():
    """`silent_after: off` is false in YAML."""
    assert "off" == ModelConfig.model_validate({"task": "none", "silent_after": False}).silent_after


class Paced:
    """A watch by hand: `at` closes a pane with a prediction, `wait` one without."""

    def __init__(self):
        self.watch, self.part = Silence(setting()), Part("1", "*", 0, late=False, vector=None)

    def at(self, pane):
        self.watch.close(closing(pane, predictions=[self.part]))

    def wait(self, pane):
        return [one.alarm for one in self.watch.close(closing(pane))]


@pytest.fixture
def paced():
    """A watch that has heard nothing yet."""
    return Paced()


def test_nothing_is_awaited_before_the_pace_is_known(paced):
    for pane in range(KNOWN - 1):
        paced.at(pane)
    assert paced.watch.wakes() is None
    paced.at(KNOWN)
    assert KNOWN + PANES == paced.watch.wakes()


def test_a_wait_is_usual_once_it_has_come_twice(paced):
    """A quiet night is not told again for ever, and one outage makes no outage usual."""
    for pane in range(100):
        paced.at(pane)
    paced.at(200)
    assert 200 + PANES == paced.watch.wakes()
    paced.at(300)
    assert 300 + 3 * 100 == paced.watch.wakes()


def test_it_goes_on_from_a_snapshot(paced):
    for pane in range(60):
        paced.at(pane)
    assert [True] == paced.wait(60 + PANES)
    again = Silence(setting())
    again.load(paced.watch.save())
    assert again.wakes() is None, "told already"
    assert [False] == [one.alarm for one in again.close(closing(75, predictions=[paced.part]))]


def test_an_ended_stream_is_not_silent(paced):
    for pane in range(60):
        paced.at(pane)
    assert [] == paced.watch.close(closing(600, ended=True))
