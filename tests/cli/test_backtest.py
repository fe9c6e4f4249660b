"""`windage backtest`: the same replay, judged."""

import json

import numpy as np
import pytest

from streams.cli import calibration
from streams.cli.backtest import backtest, truth_of
from streams.cli.calibration import calibrate, quiet_of
from streams.cli.endings import OperatorError
from streams.runtime.backtest import Alarm, judge


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    """Return a file of 4,000 rows whose feature moves by 1.5 deviations at row 2,500."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=4000)
    x[2500:] += 1.5
    path = tmp_path_factory.mktemp("backtest") / "rows.csv"
    path.write_text(
        "x,y\n" + "".join(f"{a:.6f},{b:.6f}\n" for a, b in zip(x, x[::-1] * 0, strict=True))
    )
    return path


@pytest.fixture(scope="module")
def found(stream):
    return backtest(stream, [2500], every="60s", max_delay=400)


def test_a_change_is_found_once_and_nothing_else_is_sent(found):
    assert (1.0, 1.0, 0) == (
        found.judged.precision,
        found.judged.episode_recall,
        found.judged.false_positives,
    )
    assert 0 < found.judged.mean_detection_delay <= 100
    assert "opens" == found.messages[0].what
    assert ["feature:x"] == found.messages[0].signals


def test_a_message_stands_at_the_row_by_which_it_was_sent(found):
    assert all(2500 < one.row <= 4000 for one in found.messages)
    assert found.judged.mean_detection_delay == found.messages[0].row - 2500


def test_the_command_prints_what_the_function_gives(stream, found, windage):
    done = windage(
        "backtest", stream, "--truth", "2500", "--every", "60s", "--max-delay", "400", "--json"
    )
    assert 0 == done.code, done.err
    document = json.loads(done.out)
    assert found.judged.mean_detection_delay == document["judged"]["mean_detection_delay"]
    assert {"always_fire", "never_fire"} == set(document["baselines"])
    assert len(found.messages) == len(document["messages"])


def test_the_smallest_tolerance_that_is_silent_on_quiet_rows_is_proposed():
    """Even where a larger one would find changes sooner by chance."""
    judged = judge([], [], 100)
    noisy = {0.0: [150, 900], 0.05: [199], 0.1: [201], 0.15: [10]}
    run = lambda tolerance: ([Alarm(row, "i") for row in noisy.get(tolerance, [])], judged)
    found = calibrate(run, (100, 200))
    assert 0.1 == found.proposed
    assert [1, 1, 0, 0, 0, 0] == [one.quiet_alarms for one in found.tried]
    assert calibrate(lambda _: ([Alarm(150, "i")], judged), (100, 200)).proposed is None


def test_a_quiet_stretch_is_tried_under_several_tolerances(stream, monkeypatch):
    """The change is found under each, and later under the larger one."""
    monkeypatch.setattr(calibration, "TOLERANCES", (0.0, 0.3))
    calm = backtest(stream, [2500], every="60s", quiet=(1000, 2400)).calibration
    assert (0.0, (1000, 2400)) == (calm.proposed, calm.quiet)
    assert [(0.0, 0, 1.0), (0.3, 0, 1.0)] == [
        (one.tolerance, one.quiet_alarms, one.episode_recall) for one in calm.tried
    ]
    first, second = (one.mean_detection_delay for one in calm.tried)
    assert first <= second


def test_a_quiet_stretch_must_lie_in_the_recording(stream):
    with pytest.raises(OperatorError, match="--quiet: must lie in rows 0 to 3,999"):
        backtest(stream, [], every="60s", quiet=(0, 4000))


@pytest.mark.parametrize("text", ["", "5", "9-3", "a-b", "-1-5"])
def test_a_quiet_stretch_is_first_and_last_row(text):
    with pytest.raises(OperatorError, match="--quiet"):
        quiet_of(text)


def test_a_recording_that_was_never_judged_says_so(windage, tmp_path):
    """No alarm is no verdict there."""
    (tmp_path / "short.csv").write_text("a,prediction\n" + "1,0\n2,1\n" * 5)
    ended = windage("backtest", "short.csv", "--truth", "5")
    assert 0 == ended.code
    assert "nothing was judged: the reference needs 30 rows and 30 panes" in ended.err


def test_truth_is_rows():
    assert [1775, 3550] == truth_of("1775, 3550")
    assert [] == truth_of("")
    with pytest.raises(OperatorError, match="--truth"):
        truth_of("1775;3550")


def test_a_change_outside_the_stream_is_refused(stream):
    with pytest.raises(OperatorError, match="rows 0 to 3,999"):
        backtest(stream, [4000], every="60s")
